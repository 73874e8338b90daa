// From a weight type known at run time to its block struct, known at compile time.
#pragma once

#include "kernels/matmul_types.h"
#include "tensor/blocks.h"
#include "tensor/blocks_grid.h"

namespace galley::kernels::scalar {

// f(Block{}) for the block struct of `type`. Aborts for types that have none.
template <class F>
decltype(auto) with_block_type(DType type, F f) {
  switch (type) {
    case DType::kQ4_0:
      return f(BlockQ4_0{});
    case DType::kQ4_1:
      return f(BlockQ4_1{});
    case DType::kQ5_0:
      return f(BlockQ5_0{});
    case DType::kQ5_1:
      return f(BlockQ5_1{});
    case DType::kQ8_0:
      return f(BlockQ8_0{});
    case DType::kQ2_K:
      return f(BlockQ2_K{});
    case DType::kQ3_K:
      return f(BlockQ3_K{});
    case DType::kQ4_K:
      return f(BlockQ4_K{});
    case DType::kQ5_K:
      return f(BlockQ5_K{});
    case DType::kQ6_K:
      return f(BlockQ6_K{});
    case DType::kIQ4_NL:
      return f(BlockIQ4_NL{});
    case DType::kIQ4_XS:
      return f(BlockIQ4_XS{});
    case DType::kTQ1_0:
      return f(BlockTQ1_0{});
    case DType::kTQ2_0:
      return f(BlockTQ2_0{});
    case DType::kIQ2_XXS:
      return f(BlockIQ2_XXS{});
    case DType::kIQ2_XS:
      return f(BlockIQ2_XS{});
    case DType::kIQ2_S:
      return f(BlockIQ2_S{});
    case DType::kIQ3_XXS:
      return f(BlockIQ3_XXS{});
    case DType::kIQ3_S:
      return f(BlockIQ3_S{});
    case DType::kIQ1_S:
      return f(BlockIQ1_S{});
    case DType::kIQ1_M:
      return f(BlockIQ1_M{});
    default:
      no_matmul_for(type);
  }
}

}  // namespace galley::kernels::scalar
