#include "kernels/avx2/matmul_float.h"
#include "kernels/avxvnni/block_isa.h"
#include "kernels/avxvnni/row_isa.h"
#include "kernels/grid_matmul.h"
#include "kernels/matmul_types.h"
#include "kernels/quantized_matmul.h"
#include "tensor/dtype_enum.h"

namespace galley::kernels::avxvnni {
namespace {

template <class Block>
void multiply(const MatmulArgs& args, Part part) {
  quantized_matmul<BlockIsa, RowIsa, Block>(args, part);
}

}  // namespace

void matmul(const MatmulArgs& args, Part part) {
  switch (args.type) {
    case DType::kQ4_0:
      return multiply<BlockQ4_0>(args, part);
    case DType::kQ4_1:
      return multiply<BlockQ4_1>(args, part);
    case DType::kQ5_0:
      return multiply<BlockQ5_0>(args, part);
    case DType::kQ5_1:
      return multiply<BlockQ5_1>(args, part);
    case DType::kQ8_0:
      return multiply<BlockQ8_0>(args, part);
    case DType::kIQ4_NL:
      return multiply<BlockIQ4_NL>(args, part);
    case DType::kQ2_K:
      return multiply<BlockQ2_K>(args, part);
    case DType::kQ3_K:
      return multiply<BlockQ3_K>(args, part);
    case DType::kQ4_K:
      return multiply<BlockQ4_K>(args, part);
    case DType::kQ5_K:
      return multiply<BlockQ5_K>(args, part);
    case DType::kQ6_K:
      return multiply<BlockQ6_K>(args, part);
    case DType::kIQ4_XS:
      return multiply<BlockIQ4_XS>(args, part);
    case DType::kTQ1_0:
      return multiply<BlockTQ1_0>(args, part);
    case DType::kTQ2_0:
      return multiply<BlockTQ2_0>(args, part);
    case DType::kF32:
    case DType::kF16:
    case DType::kBF16:
      return avx2::matmul_float(args, part);
    case DType::kIQ2_XXS:
    case DType::kIQ2_XS:
    case DType::kIQ2_S:
    case DType::kIQ3_XXS:
    case DType::kIQ3_S:
    case DType::kIQ1_S:
    case DType::kIQ1_M:
      return grid_matmul<BlockIsa, RowIsa>(args, part);
    default:
      no_matmul_for(args.type);
  }
}

}  // namespace galley::kernels::avxvnni
