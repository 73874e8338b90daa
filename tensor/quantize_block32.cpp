// The types with blocks of 32 and evenly spaced levels: fit the scale, round it to F16 as the
// file stores it, then take the nearest level for each value.
#include <cmath>
#include <limits>

#include "tensor/quantize_block.h"
#include "tensor/quantize_search.h"

namespace galley {
namespace {

constexpr float kAnyOffset = std::numeric_limits<float>::infinity();

// Packs level i (0..15) and level i + 16 into byte i.
void pack_nibbles(const int (&levels)[32], std::uint8_t (&qs)[16]) {
  for (int j = 0; j < 16; ++j) {
    qs[j] = static_cast<std::uint8_t>((levels[j] & 15) | (levels[j + 16] & 15) << 4);
  }
}

// Packs the fifth bit of each level.
void pack_fifth_bits(const int (&levels)[32], std::uint8_t (&qh)[4]) {
  for (int byte = 0; byte < 4; ++byte) {
    int bits = 0;
    for (int i = 0; i < 8; ++i) bits |= ((levels[8 * byte + i] >> 4) & 1) << i;
    qh[byte] = static_cast<std::uint8_t>(bits);
  }
}

// Levels 0 .. 2 * zero - 1 for w = d * (level - zero); returns d.
std::uint16_t quantize_symmetric(const float* values, int zero, int (&levels)[32]) {
  const std::uint16_t d = to_finite_half(fit_scale({values, 32}, -zero, zero - 1));
  const float inverse_scale = inverse(half_to_float(d));
  for (int i = 0; i < 32; ++i) {
    levels[i] = zero + round_to_range(values[i] * inverse_scale, -zero, zero - 1);
  }
  return d;
}

// Levels 0 .. q_max for w = d * level + m.
void quantize_with_offset(const float* values, int q_max, int (&levels)[32], std::uint16_t& d,
                          std::uint16_t& m) {
  const ScaleAndOffset fit = fit_scale_and_offset({values, 32}, q_max, kAnyOffset);
  d = to_finite_half(fit.scale);
  m = to_finite_half(fit.offset);
  const float inverse_scale = inverse(half_to_float(d));
  const float offset = half_to_float(m);
  for (int i = 0; i < 32; ++i) {
    levels[i] = round_to_range((values[i] - offset) * inverse_scale, 0, q_max);
  }
}

}  // namespace

void quantize_block(const float* values, BlockQ4_0& out) {
  int levels[32];
  out.d = quantize_symmetric(values, 8, levels);
  pack_nibbles(levels, out.qs);
}

void quantize_block(const float* values, BlockQ5_0& out) {
  int levels[32];
  out.d = quantize_symmetric(values, 16, levels);
  pack_nibbles(levels, out.qs);
  pack_fifth_bits(levels, out.qh);
}

void quantize_block(const float* values, BlockQ4_1& out) {
  int levels[32];
  quantize_with_offset(values, 15, levels, out.d, out.m);
  pack_nibbles(levels, out.qs);
}

void quantize_block(const float* values, BlockQ5_1& out) {
  int levels[32];
  quantize_with_offset(values, 31, levels, out.d, out.m);
  pack_nibbles(levels, out.qs);
  pack_fifth_bits(levels, out.qh);
}

// With 255 levels there is nothing to gain from a search: the largest value gets the last one.
void quantize_block(const float* values, BlockQ8_0& out) {
  float largest = 0.0f;
  for (int i = 0; i < 32; ++i) largest = std::max(largest, std::fabs(values[i]));
  out.d = to_finite_half(largest / 127.0f);
  const float inverse_scale = inverse(half_to_float(out.d));
  for (int i = 0; i < 32; ++i) {
    out.qs[i] = static_cast<std::int8_t>(round_to_range(values[i] * inverse_scale, -127, 127));
  }
}

}  // namespace galley
