// Unpacking weights for one token, continued: the types with codebooks (IQ1, IQ2, IQ3), looked up
// on the way. Offsets are those of the drawings in tensor/blocks_grid.h.
//
// Where it sits: as row_unpack32.h. With many tokens rows are looked up by this, too
// (unpack_grid.h). `group` is a super-block of the first row, `stride` the bytes to the second
// one's, if there are two. Every pattern of bytes means something; nothing here throws.
#pragma once

#include "kernels/grid_entries.h"
#include "kernels/row_unpack256.h"

namespace galley::kernels {

// ---- Signs: in the lane of each block, bit i is set if weight i of the 32 is negative ---------

// Seven signs in the low bits of each byte: the eighth makes their number even.
template <class V>
GALLEY_INLINE inline V with_eighth_sign(V sevens) {
  constexpr std::int8_t b = -128;  // bit 7, for an odd number of bits in four
  static constexpr std::int8_t kOdd[16] = {0, b, b, 0, b, 0, 0, b, b, 0, 0, b, 0, b, b, 0};
  const V low = sevens & V::splat(0x0f0f0f0f);
  const V high = (sevens >> Index<4>{}) & V::splat(0x07070707);
  return sevens | (lookup(kOdd, low) ^ lookup(kOdd, high));
}

// From 28 bits, seven for each entry.
template <class V>
GALLEY_INLINE inline V signs_of_28_bits(V bits) {
  return with_eighth_sign((bits & V::splat(0x7f)) |                      //
                          ((bits << Index<1>{}) & V::splat(0x7f00)) |    //
                          ((bits << Index<2>{}) & V::splat(0x7f0000)) |  //
                          ((bits << Index<3>{}) & V::splat(0x7f000000)));
}

template <class V>
GALLEY_INLINE inline V row_signs(const BlockIQ2_XXS* /*type*/, const std::byte* group,
                                 std::int64_t stride) {
  V dwords[2];
  V::load_alternating(group + 2, stride, dwords);
  return signs_of_28_bits(dwords[1]);
}
template <class V>
GALLEY_INLINE inline V row_signs(const BlockIQ2_XS* /*type*/, const std::byte* group,
                                 std::int64_t stride) {
  V entries[2];
  V::load_alternating(group + 2, stride, entries);
  return with_eighth_sign(((entries[0] >> Index<9>{}) & V::splat(0x7f)) |
                          ((entries[0] >> Index<17>{}) & V::splat(0x7f00)) |
                          ((entries[1] << Index<7>{}) & V::splat(0x7f0000)) |
                          ((entries[1] >> Index<1>{}) & V::splat(0x7f000000)));
}
template <class V>
GALLEY_INLINE inline V row_signs(const BlockIQ2_S* /*type*/, const std::byte* group,
                                 std::int64_t stride) {
  return V::load_blocks(group + 34, stride);
}
template <class V>
GALLEY_INLINE inline V row_signs(const BlockIQ3_XXS* /*type*/, const std::byte* group,
                                 std::int64_t stride) {
  return signs_of_28_bits(V::load_blocks(group + 66, stride));
}
template <class V>
GALLEY_INLINE inline V row_signs(const BlockIQ3_S* /*type*/, const std::byte* group,
                                 std::int64_t stride) {
  return V::load_blocks(group + 74, stride);
}

// 128 - code where a weight is negative.
template <class V>
GALLEY_INLINE inline void apply_signs(V signs, V (&codes)[8]) {
  const V bit = V::of_bytes(kBitOfColumn);
  unroll<8>([&](auto index) GALLEY_INLINE {
    constexpr int i = decltype(index)::value;
    static constexpr ByteOfColumn kBytes = byte_of_column(i / 2, i % 2);
    codes[i] = negate_where(codes[i], shuffle_bytes(signs, V::of_bytes(kBytes.of)), bit);
  });
}

// ---- Scales: n of each block, or of both halves of each; they are scaled by 2 n + 1 -------------

template <class V>
GALLEY_INLINE inline V row_scale(const BlockIQ2_XXS* /*type*/, const std::byte* group,
                                 std::int64_t stride) {
  V dwords[2];
  V::load_alternating(group + 2, stride, dwords);
  return dwords[1] >> Index<28>{};
}

template <class V>
GALLEY_INLINE inline V row_scale(const BlockIQ3_XXS* /*type*/, const std::byte* group,
                                 std::int64_t stride) {
  return V::load_blocks(group + 66, stride) >> Index<28>{};
}

template <class V>
GALLEY_INLINE inline V row_scale(const BlockIQ3_S* /*type*/, const std::byte* group,
                                 std::int64_t stride) {
  constexpr std::int8_t z = -1;
  static constexpr std::int8_t kIndex[32] = {12, z, z, z, 13, z, z, z, 14, z, z, z, 15, z, z, z,
                                             12, z, z, z, 13, z, z, z, 14, z, z, z, 15, z, z, z};
  static constexpr std::int32_t kShift[8] = {0, 0, 0, 0, 4, 4, 4, 4};
  const V bytes = shuffle_bytes(V::load_twice(group + 94, stride), V::of_bytes(kIndex));
  return shift_right(bytes, V::of_blocks(kShift)) & V::splat(15);
}

template <class V>
GALLEY_INLINE inline V row_scale(const BlockIQ1_S* /*type*/, const std::byte* group,
                                 std::int64_t stride) {
  constexpr std::int8_t z = -1;
  // The upper byte of each block's halfword.
  static constexpr std::int8_t kIndex[32] = {1, z, z, z, 5, z, z, z, 9,  z, z, z, 13, z, z, z,
                                             3, z, z, z, 7, z, z, z, 11, z, z, z, 15, z, z, z};
  const V bytes = shuffle_bytes(V::load_twice(group + 34, stride), V::of_bytes(kIndex));
  return (bytes >> Index<4>{}) & V::splat(7);
}

// A byte for each block, the last eight of the 16 at `bytes`: a nibble for each half.
template <class V>
GALLEY_INLINE inline void nibble_scales(V bytes, V (&scale)[2]) {
  constexpr std::int8_t z = -1;
  static constexpr std::int8_t kIndex[32] = {8, z, z, z, 10, z, z, z, 12, z, z, z, 14, z, z, z,
                                             9, z, z, z, 11, z, z, z, 13, z, z, z, 15, z, z, z};
  const V both = shuffle_bytes(bytes, V::of_bytes(kIndex));
  scale[0] = both & V::splat(15);
  scale[1] = both >> Index<4>{};
}

template <class V>
GALLEY_INLINE inline void row_scales(const BlockIQ2_XS* /*type*/, const std::byte* group,
                                     std::int64_t stride, V (&scale)[2]) {
  nibble_scales(V::load_twice(group + 58, stride), scale);
}

template <class V>
GALLEY_INLINE inline void row_scales(const BlockIQ2_S* /*type*/, const std::byte* group,
                                     std::int64_t stride, V (&scale)[2]) {
  nibble_scales(V::load_twice(group + 66, stride), scale);
}

template <class V>
GALLEY_INLINE inline void row_scales(const BlockIQ1_M* /*type*/, const std::byte* group,
                                     std::int64_t stride, V (&scale)[2]) {
  constexpr std::int8_t z = -1;
  static constexpr std::int8_t kIndex[32] = {8, 9, z, z, 10, 11, z, z, 12, 13, z, z, 14, 15, z, z,
                                             8, 9, z, z, 10, 11, z, z, 12, 13, z, z, 14, 15, z, z};
  static constexpr std::int32_t kShift[8] = {0, 0, 0, 0, 6, 6, 6, 6};
  const V words = shuffle_bytes(V::load_twice(group + 40, stride), V::of_bytes(kIndex));
  const V both = shift_right(words, V::of_blocks(kShift));
  scale[0] = both & V::splat(7);
  scale[1] = (both >> Index<3>{}) & V::splat(7);
}

// ---- d, and the constant that goes with it -----------------------------------------------------

template <class Block>
inline constexpr float kGridFactor = 0.125f;
template <>
inline constexpr float kGridFactor<BlockIQ3_XXS> = 0.25f;
template <>
inline constexpr float kGridFactor<BlockIQ3_S> = 1.0f;

template <class V, class Block>
GALLEY_INLINE inline typename V::Floats row_d(const Block* /*type*/, const std::byte* group,
                                              std::int64_t stride) {
  typename V::Floats d[2];
  V::load_two_halves(group, stride, d);
  return d[0];
}

// The upper nibbles of four halfwords, the lowest first.
template <class V>
GALLEY_INLINE inline typename V::Floats row_d(const BlockIQ1_M* /*type*/, const std::byte* group,
                                              std::int64_t stride) {
  static constexpr std::int8_t kIndex[32] = {9,  11, 13, 15, 9,  11, 13, 15, 9,  11, 13,
                                             15, 9,  11, 13, 15, 9,  11, 13, 15, 9,  11,
                                             13, 15, 9,  11, 13, 15, 9,  11, 13, 15};
  const V upper = shuffle_bytes(V::load_twice(group + 40, stride), V::of_bytes(kIndex));
  return half_to_float(
      ((upper >> Index<4>{}) & V::splat(0x000f)) | ((upper >> Index<8>{}) & V::splat(0x00f0)) |
      ((upper >> Index<12>{}) & V::splat(0x0f00)) | ((upper >> Index<16>{}) & V::splat(0xf000)));
}

// ---- All together ------------------------------------------------------------------------------

// Codes without their signs, from memory. (avx512/grid_codes.h has another way.)
template <class V, class Block>
GALLEY_INLINE inline void look_up_codes(const Block* /*type*/, const std::byte* group,
                                        std::int64_t stride, V (&codes)[8]) {
  unroll<8>([&](auto index) GALLEY_INLINE {
    constexpr int k = decltype(index)::value;
    codes[k] = V::of_eights([&](int row, int odd, int i) GALLEY_INLINE {
      return entry(*reinterpret_cast<const Block*>(group + row * stride), k / 2 * 2 + odd,
                   k % 2 * 2 + i);
    });
  });
}

template <class V, class Block>
requires(kHasCodebook<Block>) GALLEY_INLINE
    inline RowGroup<V> unpack_row_group(const Block* type, const std::byte* group,
                                        std::int64_t stride) {
  RowGroup<V> out;
  look_up_codes(type, group, stride, out.codes);
  if constexpr (requires { row_signs<V>(type, group, stride); }) {
    apply_signs(row_signs<V>(type, group, stride), out.codes);
  }
  const auto factor = as_floats(V::splat(__builtin_bit_cast(std::uint32_t, kGridFactor<Block>)));
  const auto d = row_d<V>(type, group, stride) * factor;
  const auto odd = [](V n) GALLEY_INLINE { return (n << Index<1>{}) | V::splat(1); };
  if constexpr (WeightTraits<Block>::kHasScales) {
    row_scales(type, group, stride, out.scales.scale);
    for (V& n : out.scales.scale) n = odd(n);
    out.scales.d = d;
  } else {
    out.scales.d = scaled(d, odd(row_scale<V>(type, group, stride)));
  }
  return out;
}

}  // namespace galley::kernels
