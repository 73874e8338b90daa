// Q2_K, Q4_K and Q5_K: super-blocks whose groups have a scale and a minimum each.
#include <cmath>

#include "tensor/k_scales.h"
#include "tensor/quantize_block.h"
#include "tensor/quantize_search.h"

namespace galley {
namespace {

// How many pairs of d and dmin are tried.
constexpr int kTrials = 4;

// What a type stores: w = d * scale * level - dmin * min.
struct Layout {
  int n_groups;
  int level_max;  // levels are 0..level_max
  int scale_max;  // scales and minima are 0..scale_max
};

struct SuperBlock {
  std::uint16_t d = 0;
  std::uint16_t dmin = 0;
  ScaleAndMin groups[16] = {};
  int levels[256] = {};
};

std::span<const float> group_of(const float* values, const Layout& layout, int g) {
  const int n = 256 / layout.n_groups;
  return {values + n * g, static_cast<std::size_t>(n)};
}

// The scales and minima to store for a given d and dmin, each pair the best of the nine nearest
// to `wanted`; returns the squared error of the super-block.
float choose_groups(const float* values, const ScaleAndOffset (&wanted)[16], float d, float dmin,
                    const Layout& layout, ScaleAndMin (&groups)[16]) {
  float total = 0.0f;
  for (int g = 0; g < layout.n_groups; ++g) {
    const int scale = round_to_range(wanted[g].scale * inverse(d), 0, layout.scale_max);
    const int min = round_to_range(-wanted[g].offset * inverse(dmin), 0, layout.scale_max);
    float best = INFINITY;
    for (int s = std::max(scale - 1, 0); s <= std::min(scale + 1, layout.scale_max); ++s) {
      for (int m = std::max(min - 1, 0); m <= std::min(min + 1, layout.scale_max); ++m) {
        const float error = squared_error(group_of(values, layout, g), d * static_cast<float>(s),
                                          -dmin * static_cast<float>(m), 0, layout.level_max);
        if (error < best) {
          best = error;
          groups[g] = {s, m};
        }
      }
    }
    total += best;
  }
  return total;
}

SuperBlock quantize_groups(const float* values, const Layout& layout) {
  ScaleAndOffset wanted[16];
  float max_scale = 0.0f;
  float max_min = 0.0f;
  for (int g = 0; g < layout.n_groups; ++g) {
    // Minima are stored without a sign, so that the offset cannot be positive.
    wanted[g] = fit_scale_and_offset(group_of(values, layout, g), layout.level_max, 0.0f);
    max_scale = std::max(max_scale, wanted[g].scale);
    max_min = std::max(max_min, -wanted[g].offset);
  }
  SuperBlock block;
  float best = INFINITY;
  // The largest scale and minimum become the largest stored ones, or a little less.
  for (int trial = 0; trial < kTrials; ++trial) {
    const auto stored_max = static_cast<float>(layout.scale_max - trial);
    const std::uint16_t d = to_finite_half(max_scale / stored_max);
    const std::uint16_t dmin = to_finite_half(max_min / stored_max);
    ScaleAndMin groups[16];
    const float error =
        choose_groups(values, wanted, half_to_float(d), half_to_float(dmin), layout, groups);
    if (error >= best) continue;
    best = error;
    block.d = d;
    block.dmin = dmin;
    std::copy(std::begin(groups), std::end(groups), block.groups);
  }
  for (int i = 0; i < 256; ++i) {
    const ScaleAndMin group = block.groups[i * layout.n_groups / 256];
    const float scale = half_to_float(block.d) * static_cast<float>(group.scale);
    const float min = half_to_float(block.dmin) * static_cast<float>(group.min);
    block.levels[i] = round_to_range((values[i] + min) * inverse(scale), 0, layout.level_max);
  }
  return block;
}

}  // namespace

void quantize_block(const float* values, BlockQ2_K& out) {
  const SuperBlock block = quantize_groups(values, {16, 3, 15});
  out = {};
  out.d = block.d;
  out.dmin = block.dmin;
  for (int g = 0; g < 16; ++g) {
    out.scales[g] = static_cast<std::uint8_t>(block.groups[g].scale | block.groups[g].min << 4);
  }
  for (int i = 0; i < 256; ++i) {
    std::uint8_t& byte = out.qs[i / 128 * 32 + i % 32];
    byte = static_cast<std::uint8_t>(byte | block.levels[i] << (i % 128 / 32 * 2));
  }
}

void quantize_block(const float* values, BlockQ4_K& out) {
  const SuperBlock block = quantize_groups(values, {8, 15, 63});
  out = {};
  out.d = block.d;
  out.dmin = block.dmin;
  for (int g = 0; g < 8; ++g) pack_scale_and_min(out.scales, g, block.groups[g]);
  for (int i = 0; i < 256; ++i) {
    std::uint8_t& byte = out.qs[i / 64 * 32 + i % 32];
    byte = static_cast<std::uint8_t>(byte | block.levels[i] << (i % 64 / 32 * 4));
  }
}

void quantize_block(const float* values, BlockQ5_K& out) {
  const SuperBlock block = quantize_groups(values, {8, 31, 63});
  out = {};
  out.d = block.d;
  out.dmin = block.dmin;
  for (int g = 0; g < 8; ++g) pack_scale_and_min(out.scales, g, block.groups[g]);
  for (int i = 0; i < 256; ++i) {
    const int q = block.levels[i];
    std::uint8_t& low = out.qs[i / 64 * 32 + i % 32];
    std::uint8_t& high = out.qh[i % 32];
    low = static_cast<std::uint8_t>(low | (q & 15) << (i % 64 / 32 * 4));
    high = static_cast<std::uint8_t>(high | (q >> 4) << (i / 32));
  }
}

}  // namespace galley
