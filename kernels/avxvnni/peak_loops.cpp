#include "kernels/peak_loops.h"

#include <immintrin.h>

namespace galley::kernels::avxvnni {
namespace {

// One instruction for 32 products. As in avx2/peak_loops.cpp: enough sums that none waits.
void run_int8(std::int64_t n_rounds) {
#define GALLEY_TIMES_10(X) X("0") X("1") X("2") X("3") X("4") X("5") X("6") X("7") X("8") X("9")
#define GALLEY_CLEAR(i) "vpxor %%ymm" i ", %%ymm" i ", %%ymm" i "\n\t"
#define GALLEY_STEP(i) "%{vex%} vpdpbusd %1, %2, %%ymm" i "\n\t"
  __asm__ volatile(GALLEY_TIMES_10(GALLEY_CLEAR)
                   "1:\n\t"
                   GALLEY_TIMES_10(GALLEY_STEP)
                   "dec %0\n\t"
                   "jnz 1b"
                   : "+r"(n_rounds)
                   : "x"(_mm256_set1_epi8(3)), "x"(_mm256_set1_epi8(100))
                   : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8",
                     "xmm9", "cc");
#undef GALLEY_STEP
#undef GALLEY_CLEAR
#undef GALLEY_TIMES_10
}

}  // namespace

PeakLoops peak_loops() {
  PeakLoops loops = avx2::peak_loops();
  loops.int8 = loops.int4 = {run_int8, 10 * 32};
  return loops;
}

}  // namespace galley::kernels::avxvnni
