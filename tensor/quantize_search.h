// The searches behind quantization: which scale (and offset) loses least.
//
// All minimize the plain squared error. For fixed integers the best scale is a least-squares
// solution; for a fixed scale the best integers are the nearest ones. The searches alternate
// the two from several starting points, since the first may end in a local minimum.
// Internal to tensor/; scalar code only.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <span>

#include "tensor/half.h"

namespace galley {

// The nearest integer, ties to even. REQUIRES: |value| < 2^22.
inline int round_to_int(float value) {
  // 1.5 * 2^23: from here on floats are the integers, so that the sum rounds.
  constexpr float kMagic = 12582912.0f;
  return static_cast<int>(std::bit_cast<std::uint32_t>(value + kMagic)) -
         static_cast<int>(std::bit_cast<std::uint32_t>(kMagic));
}

// The integer in lo..hi nearest to `value`; lo for a NaN.
inline int round_to_range(float value, int lo, int hi) {
  return round_to_int(std::min(std::max(static_cast<float>(lo), value), static_cast<float>(hi)));
}

// 1 / scale, or 0 for a scale of (nearly) 0: then every weight becomes level 0.
inline float inverse(float scale) {
  return std::fabs(scale) < std::numeric_limits<float>::min() ? 0.0f : 1.0f / scale;
}

// As an F16 bit pattern, but never infinity: a block's scale must stay finite.
std::uint16_t to_finite_half(float value);

// The scale (of either sign) for w = scale * q, q in lo..hi with -lo > hi or -lo == hi.
float fit_scale(std::span<const float> values, int lo, int hi);

// The squared error of taking the nearest of the levels scale * (lo..hi) + offset.
float squared_error(std::span<const float> values, float scale, float offset, int lo, int hi);

struct ScaleAndOffset {
  float scale;  // never negative
  float offset;
};

// For w = scale * q + offset, q in 0..q_max; `offset` at most `max_offset`. REQUIRES: at most 32
// values.
ScaleAndOffset fit_scale_and_offset(std::span<const float> values, int q_max, float max_offset);

}  // namespace galley
