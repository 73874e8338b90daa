// Eight weights of a codebook type (IQ1, IQ2, IQ3), looked up in memory.
//
// Where it sits: row_unpack_grid.h puts rows together from these; where registers can hold the
// codebook, avx512/grid_codes.h does it without. tensor/blocks_grid.h draws the blocks,
// tensor/grid_codes.cpp reads them weight by weight; that is the one to read first. Nothing here
// throws; every pattern of bytes means something.
#pragma once

#include <cstdint>

#include "kernels/codebooks.h"
#include "kernels/unroll.h"
#include "tensor/blocks_grid.h"

namespace galley::kernels {

// entry(block, g, l): the eight weights of entry l (0 .. 3; of IQ3 those of two entries) of block g
// of 32 columns, a byte each: 64 + level. Signs are not looked at yet; those of IQ1 are there.

GALLEY_INLINE inline std::uint64_t entry(const BlockIQ2_XXS& block, int g, int l) {
  return kCodebooks.iq2_xxs[block.qs[8 * g + l]];
}

GALLEY_INLINE inline std::uint64_t entry(const BlockIQ2_XS& block, int g, int l) {
  return kCodebooks.iq2_xs[block.qs[4 * g + l] & 511u];
}

GALLEY_INLINE inline std::uint64_t entry(const BlockIQ2_S& block, int g, int l) {
  return kCodebooks.iq2_s[block.qs[4 * g + l] | (block.qh[g] << (8 - 2 * l) & 0x300u)];
}

GALLEY_INLINE inline std::uint64_t entry(const BlockIQ3_XXS& block, int g, int l) {
  const std::uint8_t* qs = block.qs + 8 * g + 2 * l;
  return kCodebooks.iq3_xxs[qs[0]] | std::uint64_t{kCodebooks.iq3_xxs[qs[1]]} << 32;
}

GALLEY_INLINE inline std::uint64_t entry(const BlockIQ3_S& block, int g, int l) {
  const std::uint8_t* qs = block.qs + 8 * g + 2 * l;
  const unsigned upper = block.qh[g];
  return kCodebooks.iq3_s[qs[0] | (upper << (8 - 2 * l) & 0x100u)] |
         std::uint64_t{kCodebooks.iq3_s[qs[1] | (upper << (7 - 2 * l) & 0x100u)]} << 32;
}

// IQ1: the level counts eight times, and an eighth is added to all of an entry, or taken off.

GALLEY_INLINE inline std::uint64_t iq1_codes(unsigned number, bool is_minus) {
  constexpr std::uint64_t kOnes = 0x0101010101010101u;
  return kCodebooks.iq1[number] + (is_minus ? ~kOnes + 1 : kOnes);
}

GALLEY_INLINE inline std::uint64_t entry(const BlockIQ1_S& block, int g, int l) {
  const unsigned bits = block.qh[g];
  return iq1_codes(block.qs[4 * g + l] | (bits << 8 >> (3 * l) & 0x700u), (bits >> 15) != 0);
}

GALLEY_INLINE inline std::uint64_t entry(const BlockIQ1_M& block, int g, int l) {
  const unsigned nibble = block.qh[2 * g + l / 2] << 8 >> (4 * (l % 2));  // in bits 8 to 11
  return iq1_codes(block.qs[4 * g + l] | (nibble & 0x700u), (nibble & 0x800u) != 0);
}

}  // namespace galley::kernels
