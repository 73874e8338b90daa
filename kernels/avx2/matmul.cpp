#include "kernels/avx2/block_isa.h"
#include "kernels/avx2/matmul_float.h"
#include "kernels/block_matmul.h"
#include "kernels/grid_matmul.h"
#include "kernels/matmul_types.h"
#include "tensor/dtype_enum.h"

namespace galley::kernels::avx2 {

void matmul(const MatmulArgs& args, Part part) {
  switch (args.type) {
    case DType::kQ4_0:
      return BlockMatmul<BlockIsa, BlockQ4_0>::run(args, part);
    case DType::kQ4_1:
      return BlockMatmul<BlockIsa, BlockQ4_1>::run(args, part);
    case DType::kQ5_0:
      return BlockMatmul<BlockIsa, BlockQ5_0>::run(args, part);
    case DType::kQ5_1:
      return BlockMatmul<BlockIsa, BlockQ5_1>::run(args, part);
    case DType::kQ8_0:
      return BlockMatmul<BlockIsa, BlockQ8_0>::run(args, part);
    case DType::kIQ4_NL:
      return BlockMatmul<BlockIsa, BlockIQ4_NL>::run(args, part);
    case DType::kQ2_K:
      return BlockMatmul<BlockIsa, BlockQ2_K>::run(args, part);
    case DType::kQ3_K:
      return BlockMatmul<BlockIsa, BlockQ3_K>::run(args, part);
    case DType::kQ4_K:
      return BlockMatmul<BlockIsa, BlockQ4_K>::run(args, part);
    case DType::kQ5_K:
      return BlockMatmul<BlockIsa, BlockQ5_K>::run(args, part);
    case DType::kQ6_K:
      return BlockMatmul<BlockIsa, BlockQ6_K>::run(args, part);
    case DType::kIQ4_XS:
      return BlockMatmul<BlockIsa, BlockIQ4_XS>::run(args, part);
    case DType::kTQ1_0:
      return BlockMatmul<BlockIsa, BlockTQ1_0>::run(args, part);
    case DType::kTQ2_0:
      return BlockMatmul<BlockIsa, BlockTQ2_0>::run(args, part);
    case DType::kF32:
    case DType::kF16:
    case DType::kBF16:
      return matmul_float(args, part);
    case DType::kIQ2_XXS:
    case DType::kIQ2_XS:
    case DType::kIQ2_S:
    case DType::kIQ3_XXS:
    case DType::kIQ3_S:
    case DType::kIQ1_S:
    case DType::kIQ1_M:
      return grid_matmul<BlockIsa>(args, part);
    default:
      no_matmul_for(args.type);
  }
}

}  // namespace galley::kernels::avx2
