// Products with quantized weights: which of the two ways to go.
//
// Where it sits: the vector matmuls. Each way checks its own sizes; nothing here throws.
#pragma once

#include "kernels/block_matmul.h"
#include "kernels/row_matmul.h"

namespace galley::kernels {

// Up to this many tokens go row by row: one; or as many as a tile has, where unpacking a row takes
// so long that all of them had better share it.
template <class Block>
inline constexpr int kTokensByRow = kHasCodebook<Block> ? kTileTokens : 1;

// A token goes row by row (row_matmul.h), unless rows are too short for it; several go with rows in
// lanes (block_matmul.h). Shapes as in MatmulArgs; both ways give the same bits.
template <class BlockIsa, class RowIsa, class Block>
void quantized_matmul(const MatmulArgs& args, Part part) {
  if (args.cols < kGroupColumns) {
    BlockMatmul<BlockIsa, Block>::run(args, part);
  } else if (args.tokens == 1) {
    RowMatmul<RowIsa, Block, 1>::run(args, part);
  } else if (args.tokens <= kTokensByRow<Block>) {
    RowMatmul<RowIsa, Block, kTokensByRow<Block>>::run(args, part);
  } else {
    BlockMatmul<BlockIsa, Block>::run(args, part);
  }
}

}  // namespace galley::kernels
