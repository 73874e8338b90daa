// Unpacking weights for one token: a group of 256 columns of a row, one block in each lane.
//
// Where it sits: row_matmul.h calls unpack_row_group() of a type, and multiplies what comes out at
// once. unpack32.h is the same for many tokens, with rows in lanes, where turning the bytes around
// costs more but is done only once.
//
// V is the vector type of an instruction set (avx2/dword_lanes.h: one row, avx512/dword_lanes.h:
// two rows, `stride` bytes apart). All code here is templates over V, so the files of each set
// instantiate their own.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/unpack32.h"
#include "kernels/unroll.h"
#include "kernels/weight_traits.h"

namespace galley::kernels {

// The eight blocks of a group. The codes are laid out like the activations of TokenGroup: codes[2
// j] has the first 16 columns of blocks 2 j and 2 j + 1, codes[2 j + 1] the last 16. The scales
// have one block per lane (kBlockOfLane).
template <class V>
struct RowGroup {
  V codes[8];
  Scales<V> scales;
};

// The 16 bytes at `offset` of blocks 2 j and 2 j + 1.
template <class Block, int offset, class V>
GALLEY_INLINE inline V load_from_pair(const std::byte* group, std::int64_t stride, int j) {
  const std::byte* even = group + 2 * j * static_cast<int>(sizeof(Block)) + offset;
  return V::load_pair(even, even + sizeof(Block), stride);
}

// Codes whose nibbles lie in the last 16 bytes of each block: low nibbles are columns 0 .. 15.
template <class Block, class V>
GALLEY_INLINE inline void row_nibbles(const std::byte* group, std::int64_t stride, V (&codes)[8]) {
  const V low = V::splat(0x0f0f0f0f);
  for (int j = 0; j < 4; ++j) {
    const V q = load_from_pair<Block, sizeof(Block) - 16, V>(group, stride, j);
    codes[2 * j] = q & low;
    codes[2 * j + 1] = (q >> Index<4>{}) & low;
  }
}

// Four bytes with a bit for each of the 32 columns of a block, column 0 the lowest: which bit is
// that of each column,
inline constexpr std::int8_t kBitOfColumn[32] = {1,  2,    4,  8,  16,   32, 64, -128, 1,  2,   4,
                                                 8,  16,   32, 64, -128, 1,  2,  4,    8,  16,  32,
                                                 64, -128, 1,  2,  4,    8,  16, 32,   64, -128};
// and in which byte of 16 it is, for columns 16 half .. 16 half + 15, if the four are dword j.
struct ByteOfColumn {
  std::int8_t of[32];  // the same twice, for two blocks
};
constexpr ByteOfColumn byte_of_column(int j, int half) {
  ByteOfColumn out{};
  for (int i = 0; i < 32; ++i) out.of[i] = static_cast<std::int8_t>(4 * j + 2 * half + i % 16 / 8);
  return out;
}

// Adds the fifth bits, which lie in the four bytes before the nibbles: bit i is that of column i.
template <class Block, class V>
GALLEY_INLINE inline void add_row_fifth_bits(const std::byte* group, std::int64_t stride,
                                             V (&codes)[8]) {
  static constexpr ByteOfColumn kFirstBytes = byte_of_column(0, 0);
  static constexpr ByteOfColumn kLastBytes = byte_of_column(0, 1);
  const V bits = V::of_bytes(kBitOfColumn);
  const V fifth = V::splat(0x10101010);
  for (int j = 0; j < 4; ++j) {
    const V qh = load_from_pair<Block, sizeof(Block) - 20, V>(group, stride, j);
    V& first = codes[2 * j];
    V& last = codes[2 * j + 1];
    first = add_where(first, shuffle_bytes(qh, V::of_bytes(kFirstBytes.of)), bits, fifth);
    last = add_where(last, shuffle_bytes(qh, V::of_bytes(kLastBytes.of)), bits, fifth);
  }
}

// d of each block, and its minimum behind it.
template <class Block, class V>
GALLEY_INLINE inline Scales<V> row_scales(const std::byte* group, std::int64_t stride) {
  constexpr int kBytes = sizeof(Block);
  Scales<V> scales = {.d = V::template load_halves<kBytes, 0>(group, stride)};
  if constexpr (WeightTraits<Block>::kMinimums == 1) {
    scales.min[0] = V::template load_halves<kBytes, 2>(group, stride);
  }
  return scales;
}

// ---- Blocks of 32: see the drawings in tensor/blocks.h --------------------------------------

// Q4_0, Q4_1, Q5_0, Q5_1 and IQ4_NL: nibbles, with fifth bits, or to be looked up.
template <class V, class Block>
requires(kBlocksIn<Block> == 1) GALLEY_INLINE
    inline RowGroup<V> unpack_row_group(const Block* /*type*/, const std::byte* group,
                                        std::int64_t stride) {
  constexpr int kBits = WeightTraits<Block>::kBits;
  RowGroup<V> out;
  out.scales = row_scales<Block, V>(group, stride);
  row_nibbles<Block>(group, stride, out.codes);
  if constexpr (kBits == 5) add_row_fifth_bits<Block>(group, stride, out.codes);
  if constexpr (kBits == 8) {
    for (V& codes : out.codes) codes = lookup(kIq4Values, codes);
  }
  return out;
}

template <class V>
GALLEY_INLINE inline RowGroup<V> unpack_row_group(const BlockQ8_0* /*type*/, const std::byte* group,
                                                  std::int64_t stride) {
  RowGroup<V> out;
  out.scales = row_scales<BlockQ8_0, V>(group, stride);
  for (int j = 0; j < 4; ++j) {
    out.codes[2 * j] = load_from_pair<BlockQ8_0, 2, V>(group, stride, j);
    out.codes[2 * j + 1] = load_from_pair<BlockQ8_0, 18, V>(group, stride, j);
  }
  return out;
}

}  // namespace galley::kernels
