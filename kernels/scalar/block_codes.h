// The 32 weights of a block as small integers: what each weight type means to a matmul.
//
// Where it sits: scalar/matmul.cpp unpacks a row of weights with these and takes products of
// integers. The AVX2 and AVX-512 unpackers do the same for 8 or 16 rows at a time. Twin of
// tensor/dequantize_block.h: weight i of a block is d * scale[i / 16] * code[i] + min[i / 16].
#pragma once

#include <cstdint>

#include "tensor/blocks.h"
#include "tensor/blocks_grid.h"

namespace galley::kernels::scalar {

// 32 consecutive weights of a row. Super-blocks of 256 hold eight of these.
//   weight[i] = d * scale[i / 16] * code[i] + min[i / 16]
// REQUIRES of every unpacker: scale * code summed over a block of int8 activations stays below
// 2^24, so that the sum is exact as an integer and as a float.
struct BlockCodes {
  std::int8_t code[32];
  std::int16_t scale[2] = {1, 1};  // of the first and the last 16 weights
  float d = 0;                     // exact: a half, or a half times an integer scale of 6 bits
  float min[2] = {0, 0};           // only where kMinimums says so
};

// How many minimums a block of type Block has: none, one for all 32 weights, or two.
template <class Block>
inline constexpr int kMinimums = 0;
template <>
inline constexpr int kMinimums<BlockQ4_1> = 1;
template <>
inline constexpr int kMinimums<BlockQ5_1> = 1;
template <>
inline constexpr int kMinimums<BlockQ4_K> = 1;
template <>
inline constexpr int kMinimums<BlockQ5_K> = 1;
template <>
inline constexpr int kMinimums<BlockQ2_K> = 2;

// How many groups of 32 weights a Block holds: eight in a super-block.
template <class Block>
inline constexpr int kGroups = 8;
template <>
inline constexpr int kGroups<BlockQ4_0> = 1;
template <>
inline constexpr int kGroups<BlockQ4_1> = 1;
template <>
inline constexpr int kGroups<BlockQ5_0> = 1;
template <>
inline constexpr int kGroups<BlockQ5_1> = 1;
template <>
inline constexpr int kGroups<BlockQ8_0> = 1;
template <>
inline constexpr int kGroups<BlockIQ4_NL> = 1;

// Unpack group `g` (0 .. kGroups - 1) of `block`.
BlockCodes unpack(const BlockQ4_0& block, int g);
BlockCodes unpack(const BlockQ4_1& block, int g);
BlockCodes unpack(const BlockQ5_0& block, int g);
BlockCodes unpack(const BlockQ5_1& block, int g);
BlockCodes unpack(const BlockQ8_0& block, int g);
BlockCodes unpack(const BlockIQ4_NL& block, int g);
BlockCodes unpack(const BlockQ2_K& block, int g);
BlockCodes unpack(const BlockQ3_K& block, int g);
BlockCodes unpack(const BlockQ4_K& block, int g);
BlockCodes unpack(const BlockQ5_K& block, int g);
BlockCodes unpack(const BlockQ6_K& block, int g);
BlockCodes unpack(const BlockIQ4_XS& block, int g);
BlockCodes unpack(const BlockTQ1_0& block, int g);
BlockCodes unpack(const BlockTQ2_0& block, int g);
BlockCodes unpack(const BlockIQ2_XXS& block, int g);
BlockCodes unpack(const BlockIQ2_XS& block, int g);
BlockCodes unpack(const BlockIQ2_S& block, int g);
BlockCodes unpack(const BlockIQ3_XXS& block, int g);
BlockCodes unpack(const BlockIQ3_S& block, int g);
BlockCodes unpack(const BlockIQ1_S& block, int g);
BlockCodes unpack(const BlockIQ1_M& block, int g);

}  // namespace galley::kernels::scalar
