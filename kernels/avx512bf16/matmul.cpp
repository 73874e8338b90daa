// The one kernel of this instruction set that is not AVX-512's: BF16 weights times activations
// rounded to BF16, two products of a lane in one instruction (vdpbf16ps).
//
// Where it sits: kernels.cpp chooses it if the CPU has AVX512-BF16. These files are compiled for
// AVX-512 as avx512/ is, so that the two may share code; the instruction is written in assembly.
#include "kernels/avx512/float_isa.h"
#include "kernels/kernels.h"

namespace galley::kernels::avx512bf16 {
namespace {

// Words of two BF16 columns go to the arithmetic as they are.
struct PairIsa : avx512::FloatIsa {
  static constexpr bool kMultipliesPairs = true;

  // sum + w's odd column * x's, rounded, + the same of the even columns, rounded.
  GALLEY_INLINE static __m512 multiply_add(__m512 w, __m512 x, __m512 sum) {
    __asm__("vdpbf16ps %2, %1, %0" : "+v"(sum) : "v"(w), "v"(x));
    return sum;
  }
};

}  // namespace

void matmul(const MatmulArgs& args, Part part) {
  if (args.rounds_to_bf16) return FloatMatmul<PairIsa, BF16Pair>::run(args, part);
  avx512::matmul(args, part);
}

}  // namespace galley::kernels::avx512bf16
