#include "kernels/peak_loops.h"

#include <immintrin.h>

namespace galley::kernels::avx512bf16 {
namespace {

// One instruction for 32 products. As in avx512/peak_loops.cpp: enough sums that none waits.
void run_bf16(std::int64_t n_rounds) {
#define GALLEY_TIMES_16(X)                                                                       \
  X("0")                                                                                         \
  X("1") X("2") X("3") X("4") X("5") X("6") X("7") X("8") X("9") X("10") X("11") X("12") X("13") \
      X("14") X("15")
#define GALLEY_CLEAR(i) "vpxord %%zmm" i ", %%zmm" i ", %%zmm" i "\n\t"
#define GALLEY_STEP(i) "vdpbf16ps %1, %2, %%zmm" i "\n\t"
  __asm__ volatile(GALLEY_TIMES_16(GALLEY_CLEAR)
                   "1:\n\t"
                   GALLEY_TIMES_16(GALLEY_STEP)
                   "dec %0\n\t"
                   "jnz 1b"
                   : "+r"(n_rounds)
                   : "v"(_mm512_set1_epi16(0x3f00)), "v"(_mm512_set1_epi16(0x3e80))  // 0.5, 0.25
                   : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8",
                     "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15", "cc");
#undef GALLEY_STEP
#undef GALLEY_CLEAR
#undef GALLEY_TIMES_16
}

}  // namespace

PeakLoops peak_loops() {
  PeakLoops loops = avx512::peak_loops();
  loops.bf16 = {run_bf16, 16 * 32};
  return loops;
}

}  // namespace galley::kernels::avx512bf16
