#include "kernels/peak_loops.h"

#include <immintrin.h>

namespace galley::kernels::avx512 {
namespace {

std::uint64_t read(const std::byte* data, std::int64_t n_bytes) {
  __m512i all[4] = {};
  for (std::int64_t i = 0; i < n_bytes; i += 256) {
    for (std::int64_t j = 0; j < 4; ++j) {
      all[j] = _mm512_or_si512(all[j], _mm512_load_si512(data + i + 64 * j));
    }
  }
  all[0] = _mm512_or_si512(_mm512_or_si512(all[0], all[1]), _mm512_or_si512(all[2], all[3]));
  return static_cast<std::uint64_t>(_mm_cvtsi128_si64(_mm512_castsi512_si128(all[0])));
}

// The loops are written in assembly, so that no compiler computes in advance, takes equal sums for
// one, or keeps sums in memory. There are enough sums that none waits for its own last step: two
// units, each with a latency of 4 or 5 cycles.

#define GALLEY_TIMES_16(X)                                                                       \
  X("0")                                                                                         \
  X("1") X("2") X("3") X("4") X("5") X("6") X("7") X("8") X("9") X("10") X("11") X("12") X("13") \
      X("14") X("15")
#define GALLEY_CLEAR(i) "vpxord %%zmm" i ", %%zmm" i ", %%zmm" i "\n\t"
#define GALLEY_CLOBBERED                                                                   \
  "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", \
      "xmm11", "xmm12", "xmm13", "xmm14", "xmm15", "cc"

void run_f32(std::int64_t n_rounds) {
#define GALLEY_STEP(i) "vfmadd231ps %1, %2, %%zmm" i "\n\t"
  __asm__ volatile(GALLEY_TIMES_16(GALLEY_CLEAR)
                   "1:\n\t"
                   GALLEY_TIMES_16(GALLEY_STEP)
                   "dec %0\n\t"
                   "jnz 1b"
                   : "+r"(n_rounds)
                   : "v"(_mm512_set1_ps(0.5f)), "v"(_mm512_set1_ps(0.25f))
                   : GALLEY_CLOBBERED);
#undef GALLEY_STEP
}

// One instruction (VNNI) for 64 products, of codes with any number of bits.
void run_int8(std::int64_t n_rounds) {
#define GALLEY_STEP(i) "vpdpbusd %1, %2, %%zmm" i "\n\t"
  __asm__ volatile(GALLEY_TIMES_16(GALLEY_CLEAR)
                   "1:\n\t"
                   GALLEY_TIMES_16(GALLEY_STEP)
                   "dec %0\n\t"
                   "jnz 1b"
                   : "+r"(n_rounds)
                   : "v"(_mm512_set1_epi8(3)), "v"(_mm512_set1_epi8(100))
                   : GALLEY_CLOBBERED);
#undef GALLEY_STEP
}

}  // namespace

PeakLoops peak_loops() {
  return {.read = read,
          .f32 = {run_f32, 16 * 16},
          .int8 = {run_int8, 16 * 64},
          .int4 = {run_int8, 16 * 64}};
}

}  // namespace galley::kernels::avx512
