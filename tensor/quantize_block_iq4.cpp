// IQ4_NL and IQ4_XS: 16 levels at uneven distances (kIq4Values).
#include <array>
#include <cmath>
#include <span>

#include "tensor/quantize_block.h"
#include "tensor/quantize_groups.h"
#include "tensor/quantize_search.h"

namespace galley {
namespace {

// floor(2 * v) + kTableZero -> the level nearest to v. Exact, as the middle between two levels
// is always a multiple of 1/2.
constexpr int kTableZero = 256;
constexpr std::array<std::uint8_t, 2 * kTableZero> make_nearest_level() {
  std::array<std::uint8_t, 2 * kTableZero> table{};
  std::uint8_t level = 0;
  for (int i = 0; i < 2 * kTableZero; ++i) {
    while (level < 15 && i - kTableZero >= kIq4Values[level] + kIq4Values[level + 1]) ++level;
    table[static_cast<std::size_t>(i)] = level;
  }
  return table;
}
constexpr auto kNearestLevel = make_nearest_level();

std::uint8_t nearest_level(float value) {
  const float clamped = std::min(std::max(-127.0f, value), 127.0f);
  // The shift makes the number positive, where conversion is floor.
  return kNearestLevel[static_cast<std::size_t>(2.0f * clamped + static_cast<float>(kTableZero))];
}

// The scale for w = scale * kIq4Values[level] that loses least.
float fit_iq4_scale(std::span<const float> values) {
  float extreme = 0.0f;
  for (const float w : values) {
    if (std::fabs(w) > std::fabs(extreme)) extreme = w;
  }
  if (std::fabs(extreme) < 1e-30f) return 0.0f;
  float best_gain = 0.0f;
  float best_scale = 0.0f;
  const auto consider = [&](float inverse_scale) {
    float sum_wl = 0.0f;
    float sum_ll = 0.0f;
    for (const float w : values) {
      const auto l = static_cast<float>(kIq4Values[nearest_level(w * inverse_scale)]);
      sum_wl += w * l;
      sum_ll += l * l;
    }
    const float gain = sum_wl * sum_wl / sum_ll;  // no level is 0
    if (gain <= best_gain) return false;
    best_gain = gain;
    best_scale = sum_wl / sum_ll;
    return true;
  };
  // The levels reach further below zero (-127) than above (113): both ends are tried.
  for (int level = -137; level <= -99; level += 2) consider(static_cast<float>(level) / extreme);
  for (int level = 99; level <= 121; level += 2) consider(static_cast<float>(level) / extreme);
  for (int round = 0; round < 4 && consider(inverse(best_scale)); ++round) {
  }
  return best_scale;
}

// The squared error of taking the nearest of the levels times `scale`.
float iq4_error(std::span<const float> values, float scale) {
  const float inverse_scale = inverse(scale);
  float error = 0.0f;
  for (const float w : values) {
    const auto level = static_cast<float>(kIq4Values[nearest_level(w * inverse_scale)]);
    error += (w - scale * level) * (w - scale * level);
  }
  return error;
}

void pack_levels(const float* values, float scale, std::uint8_t* qs) {
  const float inverse_scale = inverse(scale);
  for (int j = 0; j < 16; ++j) {
    qs[j] = static_cast<std::uint8_t>(nearest_level(values[j] * inverse_scale) |
                                      nearest_level(values[j + 16] * inverse_scale) << 4);
  }
}

}  // namespace

void quantize_block(const float* values, BlockIQ4_NL& out) {
  out.d = to_finite_half(fit_iq4_scale({values, 32}));
  pack_levels(values, half_to_float(out.d), out.qs);
}

void quantize_block(const float* values, BlockIQ4_XS& out) {
  const GroupScales groups =
      choose_group_scales({values, 256}, {8, -32, 31, fit_iq4_scale, iq4_error});
  out = {};
  out.d = groups.d;
  for (int g = 0; g < 8; ++g) {
    const int bits = groups.scales[g] + 32;
    const int low = (bits & 15) << (g % 2 * 4);
    out.scales_l[g / 2] = static_cast<std::uint8_t>(out.scales_l[g / 2] | low);
    out.scales_h = static_cast<std::uint16_t>(out.scales_h | (bits >> 4) << (2 * g));
    const float scale = half_to_float(groups.d) * static_cast<float>(groups.scales[g]);
    pack_levels(values + 32 * g, scale, out.qs + 16 * g);
  }
}

}  // namespace galley
