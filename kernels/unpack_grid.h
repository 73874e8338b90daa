// Unpacking weights, continued: the types with codebooks (IQ1, IQ2, IQ3).
//
// Where it sits: as unpack32.h. A look-up in a codebook does not go well with one row per lane. So
// super-blocks are looked up one or two rows at a time, as for one token (row_unpack_grid.h), put
// into memory that stays in the first-level cache, and turned from there.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/row_unpack_grid.h"
#include "kernels/unpack32.h"

namespace galley::kernels {

// A super-block of each row that has a lane, looked up.
template <class V>
struct LookedUp {
  alignas(64) std::byte codes[V::kLanes][256];
  // Of each block, in the order of kBlockOfLane.
  alignas(64) float d[V::kLanes][8];
  alignas(64) std::int32_t scales[V::kLanes][8];  // of its halves, a byte each, if there are any
};

// Looks up as many rows as a register has blocks for (one or two), from `row` on.
template <class V, class Block>
GALLEY_INLINE inline void look_up_rows(const Block* type, const std::byte* block,
                                       std::int64_t stride, int row, LookedUp<V>& out) {
  const RowGroup<V> group = unpack_row_group<V>(type, block, stride);
  for (int i = 0; i < 8; ++i) {  // halves of blocks 2 j and 2 j + 1
    std::byte* to = out.codes[row] + i / 2 * 64 + i % 2 * 16;
    group.codes[i].store_pair(to, to + 32, sizeof(out.codes[0]));
  }
  group.scales.d.store(out.d[row]);
  if constexpr (WeightTraits<Block>::kHasScales) {
    (group.scales.scale[0] | (group.scales.scale[1] << Index<8>{})).store(out.scales[row]);
  }
}

template <class V, class Block, class Sink>
requires(kHasCodebook<Block>) GALLEY_INLINE
    inline void unpack_group(const Block* type, const std::byte* rows, std::int64_t stride,
                             Sink& sink) {
  constexpr int kRowsAtOnce = V::kLanes / 8;
  LookedUp<V> all;
  for (int row = 0; row < V::kLanes; row += kRowsAtOnce) {
    look_up_rows<V>(type, rows + row * stride, stride, row, all);
  }
  const auto eight_of_each = [](const auto& rows_of_eight, V(&out)[8]) GALLEY_INLINE {
    load_dwords<32>(reinterpret_cast<const std::byte*>(rows_of_eight), 32, out);
  };
  V d[8];
  V both_scales[8];
  eight_of_each(all.d, d);
  if constexpr (WeightTraits<Block>::kHasScales) eight_of_each(all.scales, both_scales);
  unroll<8>([&](auto i) GALLEY_INLINE {
    constexpr int g = decltype(i)::value;
    constexpr int lane = lane_of_block(g);
    V codes[8];
    load_dwords<32>(all.codes[0] + 32 * g, sizeof(all.codes[0]), codes);
    Scales<V> scales = {.d = as_floats(d[lane])};
    if constexpr (WeightTraits<Block>::kHasScales) {
      scales.scale[0] = both_scales[lane] & V::splat(255);
      scales.scale[1] = both_scales[lane] >> Index<8>{};
    }
    sink.block(g, codes, scales);
  });
}

}  // namespace galley::kernels
