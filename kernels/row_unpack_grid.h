// Unpacking weights for one token, continued: the types with codebooks (IQ1, IQ2, IQ3), looked up
// on the way (grid_entries.h).
#pragma once

#include "kernels/grid_entries.h"
#include "kernels/row_unpack256.h"

namespace galley::kernels {

template <class V, class Block>
requires requires(const Block& block) { entry(block, 0, 0); }
GALLEY_INLINE inline RowGroup<V> unpack_row_group(const Block* /*type*/, const std::byte* group,
                                                  std::int64_t stride) {
  constexpr bool kHasMinus = requires(const Block& b) { minus(b, 0, 0); };
  constexpr bool kHasSigns = requires(const Block& b) { signs(b, 0); };
  const auto block_of = [&](int row) GALLEY_INLINE -> const Block& {
    return *reinterpret_cast<const Block*>(group + row * stride);
  };
  RowGroup<V> out;
  unroll<4>([&](auto pair) GALLEY_INLINE {
    constexpr int j = decltype(pair)::value;
    unroll<2>([&](auto index) GALLEY_INLINE {
      constexpr int half = decltype(index)::value;
      V codes = V::of_eights([&](int row, int odd, int i) GALLEY_INLINE {
        return entry(block_of(row), 2 * j + odd, 2 * half + i);
      });
      if constexpr (kHasMinus) {
        const V negative = V::of_eights([&](int row, int odd, int i) GALLEY_INLINE {
          return minus(block_of(row), 2 * j + odd, 2 * half + i);
        });
        codes = with_signs(codes, negative);
      } else if constexpr (kHasSigns) {
        codes = V::with_signs(codes, [&](int row, int odd) GALLEY_INLINE {
          return signs(block_of(row), 2 * j + odd) >> (16 * half) & 0xffffu;
        });
      }
      out.codes[2 * j + half] = codes;
    });
  });
  unroll<2>([&](auto index) GALLEY_INLINE {
    constexpr int half = decltype(index)::value;
    out.scales.scale[half] = V::of_ints([&](int row, int lane) GALLEY_INLINE {
      return 2 * scale(block_of(row), kBlockOfLane[lane], half) + 1;
    });
  });
  const auto d = half_to_float(V::of_ints([&](int row, int /*lane*/) GALLEY_INLINE {
    return static_cast<int>(half_d(block_of(row)));
  }));
  out.scales.d = d * as_floats(V::splat(__builtin_bit_cast(std::uint32_t, kGridFactor<Block>)));
  return out;
}

}  // namespace galley::kernels
