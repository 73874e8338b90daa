#include "tensor/grid_codes.h"

#include <bit>

#include "tensor/grids.h"
#include "tensor/half.h"

namespace galley {
namespace {

// The eight signs that seven bits stand for: the number of minuses is even.
unsigned eight_signs(unsigned seven) {
  return seven | (static_cast<unsigned>(std::popcount(seven)) & 1u) << 7;
}

std::int8_t with_sign(int level, unsigned signs, int i) {
  return static_cast<std::int8_t>(signs >> i & 1 ? -level : level);
}

// Entry of an IQ2 codebook to eight codes.
void put_iq2(std::uint16_t entry, unsigned signs, std::int8_t* code) {
  for (int i = 0; i < 8; ++i) code[i] = with_sign(kLevelsIQ2[entry >> (2 * i) & 3], signs, i);
}

// Entry of the IQ1 codebook to eight codes, in eighths: level + 1/8, or level - 1/8.
void put_iq1(unsigned entry, bool is_minus, std::int8_t* code) {
  for (int i = 0; i < 8; ++i) {
    const int level = (kGridIQ1[entry] >> (2 * i) & 3) - 1;
    code[i] = static_cast<std::int8_t>(8 * level + (is_minus ? -1 : 1));
  }
}

std::int8_t odd(unsigned scale) { return static_cast<std::int8_t>(2 * scale + 1); }

unsigned dword(const std::uint8_t* bytes) {
  return bytes[0] | static_cast<unsigned>(bytes[1]) << 8 | static_cast<unsigned>(bytes[2]) << 16 |
         static_cast<unsigned>(bytes[3]) << 24;
}

}  // namespace

// d * (scale + 1/2) / 4 = d/8 * (2 scale + 1)
GridCodes grid_codes(const BlockIQ2_XXS& block, int g) {
  GridCodes out;
  const std::uint8_t* entries = block.qs + 8 * g;
  const unsigned bits = dword(entries + 4);
  for (int l = 0; l < 4; ++l)
    put_iq2(kGridIQ2_XXS[entries[l]], eight_signs(bits >> (7 * l) & 127), out.code + 8 * l);
  out.scale[0] = out.scale[1] = odd(bits >> 28);
  out.d = half_to_float(block.d) * 0.125f;
  return out;
}

GridCodes grid_codes(const BlockIQ2_XS& block, int g) {
  GridCodes out;
  for (int l = 0; l < 4; ++l) {
    const unsigned bits = block.qs[4 * g + l];
    put_iq2(kGridIQ2_XS[bits & 511], eight_signs(bits >> 9), out.code + 8 * l);
  }
  out.scale[0] = odd(block.scales[g] & 15u);
  out.scale[1] = odd(block.scales[g] >> 4);
  out.d = half_to_float(block.d) * 0.125f;
  return out;
}

GridCodes grid_codes(const BlockIQ2_S& block, int g) {
  GridCodes out;
  for (int l = 0; l < 4; ++l) {
    const unsigned upper = block.qh[g] >> (2 * l) & 3u;
    const unsigned entry = block.qs[4 * g + l] | upper << 8;
    put_iq2(kGridIQ2_S[entry], block.signs[4 * g + l], out.code + 8 * l);
  }
  out.scale[0] = odd(block.scales[g] & 15u);
  out.scale[1] = odd(block.scales[g] >> 4);
  out.d = half_to_float(block.d) * 0.125f;
  return out;
}

// d * (scale + 1/2) / 2 = d/4 * (2 scale + 1)
GridCodes grid_codes(const BlockIQ3_XXS& block, int g) {
  GridCodes out;
  const unsigned bits = dword(block.signs + 4 * g);
  for (int i = 0; i < 32; ++i) {
    const unsigned entry = kGridIQ3_XXS[block.qs[8 * g + i / 4]];
    const int level = kLevelsIQ3_XXS[entry >> (3 * (i % 4)) & 7];
    out.code[i] = with_sign(level, eight_signs(bits >> (7 * (i / 8)) & 127), i % 8);
  }
  out.scale[0] = out.scale[1] = odd(bits >> 28);
  out.d = half_to_float(block.d) * 0.25f;
  return out;
}

GridCodes grid_codes(const BlockIQ3_S& block, int g) {
  GridCodes out;
  for (int i = 0; i < 32; ++i) {
    const unsigned upper = block.qh[g] >> (i / 4) & 1u;
    const unsigned entry = kGridIQ3_S[block.qs[8 * g + i / 4] | upper << 8];
    const int level = 2 * (entry >> (3 * (i % 4)) & 7) + 1;
    out.code[i] = with_sign(level, block.signs[4 * g + i / 8], i % 8);
  }
  out.scale[0] = out.scale[1] = odd(block.scales[g / 2] >> (4 * (g % 2)) & 15u);
  out.d = half_to_float(block.d);
  return out;
}

GridCodes grid_codes(const BlockIQ1_S& block, int g) {
  GridCodes out;
  const unsigned bits = block.qh[g];
  for (int l = 0; l < 4; ++l) {
    const unsigned entry = block.qs[4 * g + l] | (bits >> (3 * l) & 7) << 8;
    put_iq1(entry, (bits & 0x8000) != 0, out.code + 8 * l);
  }
  out.scale[0] = out.scale[1] = odd(bits >> 12 & 7);
  out.d = half_to_float(block.d) * 0.125f;
  return out;
}

GridCodes grid_codes(const BlockIQ1_M& block, int g) {
  GridCodes out;
  for (int l = 0; l < 4; ++l) {
    const unsigned nibble = block.qh[2 * g + l / 2] >> (4 * (l % 2)) & 15u;
    put_iq1(block.qs[4 * g + l] | (nibble & 7) << 8, (nibble & 8) != 0, out.code + 8 * l);
  }
  const unsigned scales = block.scales[g / 2] >> (6 * (g % 2));
  out.scale[0] = odd(scales & 7);
  out.scale[1] = odd(scales >> 3 & 7);
  unsigned d = 0;
  for (int i = 0; i < 4; ++i) d |= (block.scales[i] >> 12 & 15u) << (4 * i);
  out.d = half_to_float(static_cast<std::uint16_t>(d)) * 0.125f;
  return out;
}

}  // namespace galley
