// Products of unpacked weights with tiles of tokens (AVX2).
//
// Where it sits: block_isa.h calls them; they depend on the products of a type (block_step.h), not
// on the type. Nothing here throws.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/args.h"
#include "kernels/avx2/dword_lanes.h"
#include "kernels/weight_traits.h"

namespace galley::kernels::avx2 {

// The products of n_units (1 or 2) unpacked units with a tile of n_tokens: y[unit][token].
// Panels hold PanelBlocks in the order of BlockWalk.
template <class Products>
void multiply_panel(const std::byte* const (&panel)[2], std::int64_t n_units, const std::byte* tile,
                    std::int64_t n_tokens, std::int64_t n_blocks, FloatLanes (&y)[2][kTileTokens]);

// Adds the products of a group to partial sums: block i of `group` (PanelBlocks, in the order
// of columns) with the block at tile[i], to partial[i][token], for i < n_blocks.
template <class Products>
void multiply_group(const std::byte* group, const std::byte* const (&tile)[8],
                    std::int64_t n_tokens, int n_blocks, FloatLanes (&partial)[8][kTileTokens]);

}  // namespace galley::kernels::avx2
