// The blocks of the IQ1, IQ2 and IQ3 types, byte by byte: weights that are looked up in a codebook
// (tensor/grids.h), several at a time. Structs only; tensor/blocks.h has the other types.
//
// All are super-blocks of 256 weights in 8 groups of 32; group g holds w[32 g .. 32 g + 31], and
// entry l of a group its l-th 8 weights (IQ3: two entries of 4 weights each, 2 l and 2 l + 1).
//   IQ2, IQ3: w[i] = d * (scale + 1/2) * c * level(i) with a sign of its own, c a constant
//   IQ1:      w[i] = d * (2 scale + 1) * (level(i) +- 1/8)
// "Seven signs": bits 0 to 6 are the signs of the first seven weights of an entry (1: minus); the
// eighth is chosen so that the number of minuses is even.
#pragma once

#include <cstdint>

namespace galley {

// 256 weights in 66 bytes, c = 1/4
//   0..1  d (f16)
//   2..65 qs: 8 bytes for each group: four entry numbers of 8 bits, then 32 bits (little endian)
//         of which bits 7 l to 7 l + 6 are the seven signs of entry l, bits 28 to 31 the scale
struct BlockIQ2_XXS {
  std::uint16_t d;
  std::uint8_t qs[64];
};
static_assert(sizeof(BlockIQ2_XXS) == 66);

// 256 weights in 74 bytes, c = 1/4
//   0..1   d (f16)
//   2..65  qs[4 g + l]: bits 0 to 8 the entry, bits 9 to 15 its seven signs
//   66..73 scales[g]: low nibble for entries 0 and 1, high nibble for 2 and 3
struct BlockIQ2_XS {
  std::uint16_t d;
  std::uint16_t qs[32];
  std::uint8_t scales[8];
};
static_assert(sizeof(BlockIQ2_XS) == 74);

// 256 weights in 82 bytes, c = 1/4
//   0..1   d (f16)
//   2..33  qs[4 g + l]: the low 8 bits of the entry
//   34..65 signs[4 g + l]: eight signs
//   66..73 qh[g]: bits 2 l and 2 l + 1 are the upper two of entry l
//   74..81 scales, as in IQ2_XS
struct BlockIQ2_S {
  std::uint16_t d;
  std::uint8_t qs[32];
  std::uint8_t signs[32];
  std::uint8_t qh[8];
  std::uint8_t scales[8];
};
static_assert(sizeof(BlockIQ2_S) == 82);

// 256 weights in 98 bytes, c = 1/2
//   0..1   d (f16)
//   2..65  qs[8 g + m]: entry m (of eight, with four weights each)
//   66..97 signs: 32 bits (little endian) for each group, as in IQ2_XXS
struct BlockIQ3_XXS {
  std::uint16_t d;
  std::uint8_t qs[64];
  std::uint8_t signs[32];
};
static_assert(sizeof(BlockIQ3_XXS) == 98);

// 256 weights in 110 bytes, c = 2
//   0..1     d (f16)
//   2..65    qs[8 g + m]: the low 8 bits of entry m
//   66..73   qh[g]: bit m is the upper bit of entry m
//   74..105  signs[4 g + l]: eight signs
//   106..109 scales[g / 2]: low (g even) or high nibble
struct BlockIQ3_S {
  std::uint16_t d;
  std::uint8_t qs[64];
  std::uint8_t qh[8];
  std::uint8_t signs[32];
  std::uint8_t scales[4];
};
static_assert(sizeof(BlockIQ3_S) == 110);

// 256 weights in 50 bytes
//   0..1   d (f16)
//   2..33  qs[4 g + l]: the low 8 bits of entry l
//   34..49 qh[g]: bits 3 l to 3 l + 2 are the upper three of entry l, bits 12 to 14 the scale,
//          bit 15 says that 1/8 is taken off instead of added
struct BlockIQ1_S {
  std::uint16_t d;
  std::uint8_t qs[32];
  std::uint16_t qh[8];
};
static_assert(sizeof(BlockIQ1_S) == 50);

// 256 weights in 56 bytes
//   0..31  qs[4 g + l]: the low 8 bits of entry l
//   32..47 qh[2 g + l / 2]: the low (l even) or high nibble: three upper bits of entry l, and a bit
//          that says that 1/8 is taken off instead of added
//   48..55 scales (four halfwords, little endian): of scales[g / 2] bits 6 (g % 2) to + 2 are the
//          scale of entries 0 and 1, the next three that of 2 and 3; bits 12 to 15 of the four
//          are the four nibbles of d (f16), the lowest first
struct BlockIQ1_M {
  std::uint8_t qs[32];
  std::uint8_t qh[16];
  std::uint16_t scales[4];
};
static_assert(sizeof(BlockIQ1_M) == 56);

}  // namespace galley
