// What the codebook types (IQ1, IQ2, IQ3) look up, and where in their blocks it stands.
//
// Where it sits: the look-ups of many rows (avx2/grid_rows.cpp) and of one row on its way into a
// product (row_unpack_grid.h) are both made of these. tensor/blocks_grid.h draws the blocks,
// tensor/grid_codes.cpp reads them weight by weight; that is the one to read first. Nothing here
// throws; every pattern of bytes means something.
#pragma once

#include <cstdint>

#include "kernels/grid_rows.h"
#include "kernels/unroll.h"
#include "tensor/blocks_grid.h"

namespace galley::kernels {

// Of each type, for a block of 32 columns (g of eight):
//   entry(block, g, l)     eight weights, l in 0 .. 3: their levels, a byte each; of IQ1 their codes
//   minus(block, g, l)     255 in the bytes of those that are negative, or
//   signs(block, g)        a bit for each of the 32 weights that is negative (IQ1 has neither)
//   scale(block, g, half)  n, where half of the block is scaled by 2 n + 1
// The codes are 64 + level or 64 - level.

GALLEY_INLINE inline std::uint32_t dword_at(const std::uint8_t* bytes) {
  std::uint32_t value;
  __builtin_memcpy(&value, bytes, 4);
  return value;
}

// ---- IQ2 ----

GALLEY_INLINE inline std::uint64_t entry(const BlockIQ2_XXS& block, int g, int l) {
  return kCodebooks.iq2_xxs[block.qs[8 * g + l]];
}
GALLEY_INLINE inline std::uint64_t minus(const BlockIQ2_XXS& block, int g, int l) {
  return kCodebooks.seven_signs[dword_at(block.qs + 8 * g + 4) >> (7 * l) & 127u];
}
GALLEY_INLINE inline int scale(const BlockIQ2_XXS& block, int g, int /*half*/) {
  return block.qs[8 * g + 7] >> 4;
}

GALLEY_INLINE inline std::uint64_t entry(const BlockIQ2_XS& block, int g, int l) {
  return kCodebooks.iq2_xs[block.qs[4 * g + l] & 511u];
}
GALLEY_INLINE inline std::uint64_t minus(const BlockIQ2_XS& block, int g, int l) {
  return kCodebooks.seven_signs[block.qs[4 * g + l] >> 9];
}
GALLEY_INLINE inline int scale(const BlockIQ2_XS& block, int g, int half) {
  return block.scales[g] >> (4 * half) & 15;
}

GALLEY_INLINE inline std::uint64_t entry(const BlockIQ2_S& block, int g, int l) {
  return kCodebooks.iq2_s[block.qs[4 * g + l] | (block.qh[g] << (8 - 2 * l) & 0x300u)];
}
GALLEY_INLINE inline std::uint32_t signs(const BlockIQ2_S& block, int g) {
  return dword_at(block.signs + 4 * g);
}
GALLEY_INLINE inline int scale(const BlockIQ2_S& block, int g, int half) {
  return block.scales[g] >> (4 * half) & 15;
}

// ---- IQ3 ----

GALLEY_INLINE inline std::uint64_t entry(const BlockIQ3_XXS& block, int g, int l) {
  const std::uint8_t* qs = block.qs + 8 * g + 2 * l;
  return kCodebooks.iq3_xxs[qs[0]] | std::uint64_t{kCodebooks.iq3_xxs[qs[1]]} << 32;
}
GALLEY_INLINE inline std::uint64_t minus(const BlockIQ3_XXS& block, int g, int l) {
  return kCodebooks.seven_signs[dword_at(block.signs + 4 * g) >> (7 * l) & 127u];
}
GALLEY_INLINE inline int scale(const BlockIQ3_XXS& block, int g, int /*half*/) {
  return block.signs[4 * g + 3] >> 4;
}

GALLEY_INLINE inline std::uint64_t entry(const BlockIQ3_S& block, int g, int l) {
  const std::uint8_t* qs = block.qs + 8 * g + 2 * l;
  const unsigned upper = block.qh[g];
  return kCodebooks.iq3_s[qs[0] | (upper << (8 - 2 * l) & 0x100u)] |
         std::uint64_t{kCodebooks.iq3_s[qs[1] | (upper << (7 - 2 * l) & 0x100u)]} << 32;
}
GALLEY_INLINE inline std::uint32_t signs(const BlockIQ3_S& block, int g) {
  return dword_at(block.signs + 4 * g);
}
GALLEY_INLINE inline int scale(const BlockIQ3_S& block, int g, int /*half*/) {
  return block.scales[g / 2] >> (4 * (g % 2)) & 15;
}

// ---- IQ1: an eighth is added to all levels of an entry, or taken off ----

GALLEY_INLINE inline std::uint64_t iq1_codes(unsigned number, bool is_minus) {
  constexpr std::uint64_t kOnes = 0x0101010101010101u;
  return kCodebooks.iq1[number] + (is_minus ? ~kOnes + 1 : kOnes);
}

GALLEY_INLINE inline std::uint64_t entry(const BlockIQ1_S& block, int g, int l) {
  const unsigned bits = block.qh[g];
  return iq1_codes(block.qs[4 * g + l] | (bits << 8 >> (3 * l) & 0x700u), (bits >> 15) != 0);
}
GALLEY_INLINE inline int scale(const BlockIQ1_S& block, int g, int /*half*/) {
  return block.qh[g] >> 12 & 7;
}

GALLEY_INLINE inline std::uint64_t entry(const BlockIQ1_M& block, int g, int l) {
  const unsigned nibble = block.qh[2 * g + l / 2] << 8 >> (4 * (l % 2));  // in bits 8 to 11
  return iq1_codes(block.qs[4 * g + l] | (nibble & 0x700u), (nibble & 0x800u) != 0);
}
GALLEY_INLINE inline int scale(const BlockIQ1_M& block, int g, int half) {
  return block.scales[g / 2] >> (6 * (g % 2) + 3 * half) & 7;
}

// ---- d, and the constant that goes with it ----

template <class Block>
inline constexpr float kGridFactor = 0.125f;
template <>
inline constexpr float kGridFactor<BlockIQ3_XXS> = 0.25f;
template <>
inline constexpr float kGridFactor<BlockIQ3_S> = 1.0f;

// The bits of d as an F16, in the low half.
template <class Block>
GALLEY_INLINE inline std::uint32_t half_d(const Block& block) {
  return block.d;
}
GALLEY_INLINE inline std::uint32_t half_d(const BlockIQ1_M& block) {
  std::uint32_t d = 0;
  for (int i = 0; i < 4; ++i) d |= (block.scales[i] >> 12 & 15u) << (4 * i);
  return d;
}

}  // namespace galley::kernels
