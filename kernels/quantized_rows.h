// The order in which matmuls walk the blocks of a row.
//
// Where it sits: quantize_rows stores activations in this order, the AVX2 and AVX-512 matmuls
// unpack weights in it, so that both are read straight through. Declarations only, so that
// instruction-set files may include it.
#pragma once

#include <cstdint>

namespace galley::kernels {

// Partial sum i of an output takes the blocks i, i + 8, i + 16, ...; the tree that adds up the
// eight partial sums needs the fewest registers when they are made in the order
// 0, 4, 2, 6, 1, 5, 3, 7. So that is the order of the walk: blocks 0, 8, 16, ..., then 4, 12, ...
struct BlockWalk {
  // Block b is at place start[b % 8] + b / 8 of the walk.
  std::int64_t start[8];
};

// The walk over `n_blocks` blocks (any number from 0 on). Throws nothing.
BlockWalk block_walk(std::int64_t n_blocks);

}  // namespace galley::kernels
