// Products with quantized weights: which of the two ways to go.
//
// Where it sits: the vector matmuls, and grid_matmul.h. Each way checks its own sizes;
// nothing here throws.
#pragma once

#include "kernels/block_matmul.h"
#include "kernels/row_matmul.h"

namespace galley::kernels {

// One token goes row by row (row_matmul.h), unless rows are too short for it; several go with rows
// in lanes (block_matmul.h). Shapes as in MatmulArgs; both ways give the same bits.
template <class BlockIsa, class RowIsa, class Block>
void quantized_matmul(const MatmulArgs& args, Part part) {
  if (args.tokens == 1 && args.cols >= kGroupColumns) {
    RowMatmul<RowIsa, Block>::run(args, part);
  } else {
    BlockMatmul<BlockIsa, Block>::run(args, part);
  }
}

}  // namespace galley::kernels
