// The matmul of an instruction set: from the type of the weights to the code for it.
//
// Where it sits: matmul() of each vector instruction set calls this. Nothing here throws; shapes as
// in MatmulArgs.
#pragma once

#include "kernels/matmul_types.h"
#include "kernels/quantized_matmul.h"
#include "tensor/dtype_enum.h"

namespace galley::kernels {

// BlockIsa and RowIsa supply the arithmetic of quantized weights (block_matmul.h, row_matmul.h),
// matmul_float does the others. Aborts for a type without a kernel.
template <class BlockIsa, class RowIsa>
void matmul_of_type(const MatmulArgs& args, Part part,
                    void (*matmul_float)(const MatmulArgs& args, Part part)) {
  switch (args.type) {
    case DType::kQ4_0:
      return quantized_matmul<BlockIsa, RowIsa, BlockQ4_0>(args, part);
    case DType::kQ4_1:
      return quantized_matmul<BlockIsa, RowIsa, BlockQ4_1>(args, part);
    case DType::kQ5_0:
      return quantized_matmul<BlockIsa, RowIsa, BlockQ5_0>(args, part);
    case DType::kQ5_1:
      return quantized_matmul<BlockIsa, RowIsa, BlockQ5_1>(args, part);
    case DType::kQ8_0:
      return quantized_matmul<BlockIsa, RowIsa, BlockQ8_0>(args, part);
    case DType::kIQ4_NL:
      return quantized_matmul<BlockIsa, RowIsa, BlockIQ4_NL>(args, part);
    case DType::kQ2_K:
      return quantized_matmul<BlockIsa, RowIsa, BlockQ2_K>(args, part);
    case DType::kQ3_K:
      return quantized_matmul<BlockIsa, RowIsa, BlockQ3_K>(args, part);
    case DType::kQ4_K:
      return quantized_matmul<BlockIsa, RowIsa, BlockQ4_K>(args, part);
    case DType::kQ5_K:
      return quantized_matmul<BlockIsa, RowIsa, BlockQ5_K>(args, part);
    case DType::kQ6_K:
      return quantized_matmul<BlockIsa, RowIsa, BlockQ6_K>(args, part);
    case DType::kIQ4_XS:
      return quantized_matmul<BlockIsa, RowIsa, BlockIQ4_XS>(args, part);
    case DType::kTQ1_0:
      return quantized_matmul<BlockIsa, RowIsa, BlockTQ1_0>(args, part);
    case DType::kTQ2_0:
      return quantized_matmul<BlockIsa, RowIsa, BlockTQ2_0>(args, part);
    case DType::kIQ2_XXS:
      return quantized_matmul<BlockIsa, RowIsa, BlockIQ2_XXS>(args, part);
    case DType::kIQ2_XS:
      return quantized_matmul<BlockIsa, RowIsa, BlockIQ2_XS>(args, part);
    case DType::kIQ2_S:
      return quantized_matmul<BlockIsa, RowIsa, BlockIQ2_S>(args, part);
    case DType::kIQ3_XXS:
      return quantized_matmul<BlockIsa, RowIsa, BlockIQ3_XXS>(args, part);
    case DType::kIQ3_S:
      return quantized_matmul<BlockIsa, RowIsa, BlockIQ3_S>(args, part);
    case DType::kIQ1_S:
      return quantized_matmul<BlockIsa, RowIsa, BlockIQ1_S>(args, part);
    case DType::kIQ1_M:
      return quantized_matmul<BlockIsa, RowIsa, BlockIQ1_M>(args, part);
    case DType::kF32:
    case DType::kF16:
    case DType::kBF16:
      return matmul_float(args, part);
    default:
      no_matmul_for(args.type);
  }
}

}  // namespace galley::kernels
