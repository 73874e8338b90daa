// The twelve bytes of 6-bit scales and minima that Q4_K and Q5_K blocks share.
//
// Inline, for scalar code only (see tensor/half.h).
#pragma once

#include <cstdint>

namespace galley {

struct ScaleAndMin {
  int scale;  // 0..63
  int min;    // 0..63
};

// Scale and minimum of group `g` (0..7) of a Q4_K or Q5_K block; BlockQ4_K draws the bytes.
constexpr ScaleAndMin unpack_scale_and_min(const std::uint8_t (&scales)[12], int g) {
  if (g < 4) return {scales[g] & 63, scales[g + 4] & 63};
  return {(scales[g + 4] & 15) | (scales[g - 4] >> 6) << 4, (scales[g + 4] >> 4) | (scales[g] >> 6)
                                                                                       << 4};
}

// The reverse. REQUIRES: `scales` all zero before the first group is packed, groups packed in
// any order but once each, values in 0..63.
constexpr void pack_scale_and_min(std::uint8_t (&scales)[12], int g, ScaleAndMin value) {
  const auto add = [](std::uint8_t& byte, int bits) {
    byte = static_cast<std::uint8_t>(byte | bits);
  };
  if (g < 4) {
    add(scales[g], value.scale);
    add(scales[g + 4], value.min);
  } else {
    add(scales[g + 4], (value.scale & 15) | (value.min & 15) << 4);
    add(scales[g - 4], (value.scale >> 4) << 6);
    add(scales[g], (value.min >> 4) << 6);
  }
}

// Scale of group `g` (0..15) of a Q3_K block, still with 32 added: 0..63.
constexpr int unpack_q3_scale(const std::uint8_t (&scales)[12], int g) {
  const int low = (scales[g % 8] >> (g < 8 ? 0 : 4)) & 15;
  const int high = (scales[8 + g % 4] >> (2 * (g / 4))) & 3;
  return low | high << 4;
}

// The reverse, under the same conditions as pack_scale_and_min.
constexpr void pack_q3_scale(std::uint8_t (&scales)[12], int g, int scale) {
  std::uint8_t& low = scales[g % 8];
  std::uint8_t& high = scales[8 + g % 4];
  low = static_cast<std::uint8_t>(low | (scale & 15) << (g < 8 ? 0 : 4));
  high = static_cast<std::uint8_t>(high | (scale >> 4) << (2 * (g / 4)));
}

}  // namespace galley
