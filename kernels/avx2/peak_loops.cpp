#include "kernels/peak_loops.h"

#include <immintrin.h>

namespace galley::kernels::avx2 {
namespace {

std::uint64_t read(const std::byte* data, std::int64_t n_bytes) {
  __m256i all[4] = {};
  for (std::int64_t i = 0; i < n_bytes; i += 128) {
    for (std::int64_t j = 0; j < 4; ++j) {
      const __m256i v = _mm256_load_si256(reinterpret_cast<const __m256i*>(data + i + 32 * j));
      all[j] = _mm256_or_si256(all[j], v);
    }
  }
  all[0] = _mm256_or_si256(_mm256_or_si256(all[0], all[1]), _mm256_or_si256(all[2], all[3]));
  return static_cast<std::uint64_t>(_mm_cvtsi128_si64(_mm256_castsi256_si128(all[0])));
}

// The loops are written in assembly, so that no compiler computes in advance, takes equal sums for
// one, or keeps sums in memory. There are enough sums that none waits for its own last step: two
// units, each with a latency of 4 or 5 cycles.

// X("0") ... X("9")
#define GALLEY_TIMES_5(X) X("0") X("1") X("2") X("3") X("4")
#define GALLEY_TIMES_10(X) GALLEY_TIMES_5(X) X("5") X("6") X("7") X("8") X("9")
#define GALLEY_CLEAR(i) "vpxor %%ymm" i ", %%ymm" i ", %%ymm" i "\n\t"
#define GALLEY_CLOBBERED \
  "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "cc"

void run_f32(std::int64_t n_rounds) {
#define GALLEY_STEP(i) "vfmadd231ps %1, %2, %%ymm" i "\n\t"
  __asm__ volatile(GALLEY_TIMES_10(GALLEY_CLEAR)
                   "1:\n\t"
                   GALLEY_TIMES_10(GALLEY_STEP)
                   "dec %0\n\t"
                   "jnz 1b"
                   : "+r"(n_rounds)
                   : "x"(_mm256_set1_ps(0.5f)), "x"(_mm256_set1_ps(0.25f))
                   : GALLEY_CLOBBERED);
#undef GALLEY_STEP
}

// Three instructions for 32 products: added in pairs to 16 bits, in fours to 32, and to the sum.
void run_int8(std::int64_t n_rounds) {
#define GALLEY_STEP(i)                \
  "vpmaddubsw %1, %2, %%ymm10\n\t"    \
  "vpmaddwd %%ymm10, %3, %%ymm10\n\t" \
  "vpaddd %%ymm10, %%ymm" i ", %%ymm" i "\n\t"
  __asm__ volatile(GALLEY_TIMES_10(GALLEY_CLEAR)
                   "1:\n\t"
                   GALLEY_TIMES_10(GALLEY_STEP)
                   "dec %0\n\t"
                   "jnz 1b"
                   : "+r"(n_rounds)
                   : "x"(_mm256_set1_epi8(3)), "x"(_mm256_set1_epi8(100)), "x"(_mm256_set1_epi16(1))
                   : GALLEY_CLOBBERED);
#undef GALLEY_STEP
}

// Two instructions for 32 products of small codes, summed in 16 bits (ymm0 .. ymm4); after every
// eighth step two more to add those to sums in 32 bits (ymm5 .. ymm9).
void run_int4(std::int64_t n_rounds) {
#define GALLEY_STEP(i)             \
  "vpmaddubsw %1, %2, %%ymm10\n\t" \
  "vpaddw %%ymm10, %%ymm" i ", %%ymm" i "\n\t"
#define GALLEY_WIDEN(narrow, wide) \
  "vpmaddwd %%ymm" narrow          \
  ", %3, %%ymm10\n\t"              \
  "vpaddd %%ymm10, %%ymm" wide ", %%ymm" wide "\n\t"
  // clang-format off
  __asm__ volatile(GALLEY_TIMES_10(GALLEY_CLEAR)
                   "1:\n\t"
                   GALLEY_TIMES_5(GALLEY_CLEAR)
                   GALLEY_TIMES_5(GALLEY_STEP) GALLEY_TIMES_5(GALLEY_STEP)
                   GALLEY_TIMES_5(GALLEY_STEP) GALLEY_TIMES_5(GALLEY_STEP)
                   GALLEY_TIMES_5(GALLEY_STEP) GALLEY_TIMES_5(GALLEY_STEP)
                   GALLEY_TIMES_5(GALLEY_STEP) GALLEY_TIMES_5(GALLEY_STEP)
                   GALLEY_WIDEN("0", "5") GALLEY_WIDEN("1", "6") GALLEY_WIDEN("2", "7")
                   GALLEY_WIDEN("3", "8") GALLEY_WIDEN("4", "9")
                   "dec %0\n\t"
                   "jnz 1b"
                   : "+r"(n_rounds)
                   : "x"(_mm256_set1_epi8(3)), "x"(_mm256_set1_epi8(15)), "x"(_mm256_set1_epi16(1))
                   : GALLEY_CLOBBERED);
  // clang-format on
#undef GALLEY_STEP
#undef GALLEY_WIDEN
}

}  // namespace

PeakLoops peak_loops() {
  return {.read = read,
          .f32 = {run_f32, 10 * 8},
          .int8 = {run_int8, 10 * 32},
          .int4 = {run_int4, 5 * 8 * 32}};
}

}  // namespace galley::kernels::avx2
