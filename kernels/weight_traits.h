// What the matmuls must know of each quantized weight type, as constants.
//
// Where it sits: the unpackers (unpack32.h, unpack256.h) deliver codes and scales of this kind,
// the matmuls of AVX2 and AVX-512 choose their arithmetic by it. Constants only, so that
// instruction-set files may include it.
#pragma once

#include <cstdint>

#include "tensor/blocks.h"
#include "tensor/blocks_grid.h"

namespace galley::kernels {

// The terms of a block's contribution to a product; see Codes.
template <bool has_scales, int minimums>
struct BlockTerms {
  static constexpr bool kHasScales = has_scales;
  static constexpr int kMinimums = minimums;
};

// Weight i of a block of 32 columns is
//   d * scale[i / 16] * (code[i] - kOffset) + min[i / 16]
// where scale is 1 unless kHasScales; there are kMinimums (0, 1 or 2) different minimums.
// Codes have kBits bits and no sign, except that 8 bits are signed (and kOffset is 0).
template <int bits, int offset, int minimums, bool has_scales>
struct Codes {
  static constexpr int kBits = bits;
  static constexpr int kOffset = offset;
  static constexpr int kMinimums = minimums;
  static constexpr bool kHasScales = has_scales;
  // What the arithmetic of products depends on, besides the offset.
  using Terms = BlockTerms<has_scales, minimums>;
};

template <class Block>
struct WeightTraits;
template <>
struct WeightTraits<BlockQ4_0> : Codes<4, 8, 0, false> {};
template <>
struct WeightTraits<BlockQ4_1> : Codes<4, 0, 1, false> {};
template <>
struct WeightTraits<BlockQ5_0> : Codes<5, 16, 0, false> {};
template <>
struct WeightTraits<BlockQ5_1> : Codes<5, 0, 1, false> {};
template <>
struct WeightTraits<BlockQ8_0> : Codes<8, 0, 0, false> {};
template <>
struct WeightTraits<BlockIQ4_NL> : Codes<8, 0, 0, false> {};
template <>
struct WeightTraits<BlockQ2_K> : Codes<2, 0, 2, true> {};
template <>
struct WeightTraits<BlockQ3_K> : Codes<3, 4, 0, true> {};
template <>
struct WeightTraits<BlockQ4_K> : Codes<4, 0, 1, false> {};
template <>
struct WeightTraits<BlockQ5_K> : Codes<5, 0, 1, false> {};
template <>
struct WeightTraits<BlockQ6_K> : Codes<6, 32, 0, true> {};
template <>
struct WeightTraits<BlockIQ4_XS> : Codes<8, 0, 0, false> {};
template <>
struct WeightTraits<BlockTQ1_0> : Codes<2, 1, 0, false> {};
template <>
struct WeightTraits<BlockTQ2_0> : Codes<2, 1, 0, false> {};
// Codebook types, once they are looked up: 64 + level. A scale that both halves of a block have in
// common is part of d.
template <>
struct WeightTraits<BlockIQ2_XXS> : Codes<7, 64, 0, false> {};
template <>
struct WeightTraits<BlockIQ2_XS> : Codes<7, 64, 0, true> {};
template <>
struct WeightTraits<BlockIQ2_S> : Codes<7, 64, 0, true> {};
template <>
struct WeightTraits<BlockIQ3_XXS> : Codes<7, 64, 0, false> {};
template <>
struct WeightTraits<BlockIQ3_S> : Codes<7, 64, 0, false> {};
template <>
struct WeightTraits<BlockIQ1_S> : Codes<7, 64, 0, false> {};
template <>
struct WeightTraits<BlockIQ1_M> : Codes<7, 64, 0, true> {};

// Looking weights up takes longer than multiplying them. (No other codes have 7 bits.)
template <class Block>
inline constexpr bool kHasCodebook = WeightTraits<Block>::kBits == 7;

// Columns of a group: what is unpacked at once. One block of each of the eight partial sums.
inline constexpr std::int64_t kGroupColumns = 256;

// How many blocks of 32 columns a Block has: eight in a super-block.
template <class Block>
inline constexpr int kBlocksIn = 8;
template <>
inline constexpr int kBlocksIn<BlockQ4_0> = 1;
template <>
inline constexpr int kBlocksIn<BlockQ4_1> = 1;
template <>
inline constexpr int kBlocksIn<BlockQ5_0> = 1;
template <>
inline constexpr int kBlocksIn<BlockQ5_1> = 1;
template <>
inline constexpr int kBlocksIn<BlockQ8_0> = 1;
template <>
inline constexpr int kBlocksIn<BlockIQ4_NL> = 1;

// Bytes of a group of one row.
template <class Block>
inline constexpr std::int64_t kGroupBytes = static_cast<std::int64_t>(sizeof(Block)) *
                                            8 / kBlocksIn<Block>;

}  // namespace galley::kernels
