#include "kernels/avx2/matmul_float.h"

#include "kernels/avx2/float_isa.h"
#include "tensor/dtype_enum.h"

namespace galley::kernels::avx2 {

void matmul_float(const MatmulArgs& args, Part part) {
  switch (args.type) {
    case DType::kF16:
      return FloatMatmul<FloatIsa, F16>::run(args, part);
    case DType::kBF16:
      if (args.rounds_to_bf16) return FloatMatmul<FloatIsa, BF16Pair>::run(args, part);
      return FloatMatmul<FloatIsa, BF16>::run(args, part);
    default:
      return FloatMatmul<FloatIsa, float>::run(args, part);
  }
}

}  // namespace galley::kernels::avx2
