// Q3_K and Q6_K: super-blocks of 16 groups of 16, a scale for each group and no offset.
#include "tensor/k_scales.h"
#include "tensor/quantize_block.h"
#include "tensor/quantize_groups.h"
#include "tensor/quantize_search.h"

namespace galley {
namespace {

struct SuperBlock {
  GroupScales groups;
  int levels[256];  // lo .. hi
};

// w = d * scale * level, levels lo..hi.
SuperBlock quantize_evenly(const float* values, int lo, int hi, int scale_lo, int scale_hi) {
  using Group = std::span<const float>;
  const auto fit = [=](Group group) { return fit_scale(group, lo, hi); };
  const auto error = [=](Group group, float scale) {
    return squared_error(group, scale, 0.0f, lo, hi);
  };
  SuperBlock block;
  block.groups = choose_group_scales({values, 256}, {16, scale_lo, scale_hi, fit, error});
  const float d = half_to_float(block.groups.d);
  for (int i = 0; i < 256; ++i) {
    const int group = i / 16;
    const float scale = d * static_cast<float>(block.groups.scales[group]);
    block.levels[i] = round_to_range(values[i] * inverse(scale), lo, hi);
  }
  return block;
}

}  // namespace

void quantize_block(const float* values, BlockQ3_K& out) {
  const SuperBlock block = quantize_evenly(values, -4, 3, -32, 31);
  out = {};
  out.d = block.groups.d;
  for (int g = 0; g < 16; ++g) pack_q3_scale(out.scales, g, block.groups.scales[g] + 32);
  for (int i = 0; i < 256; ++i) {
    const int q = block.levels[i] + 4;
    std::uint8_t& low = out.qs[i / 128 * 32 + i % 32];
    std::uint8_t& high = out.hmask[i % 32];
    low = static_cast<std::uint8_t>(low | (q & 3) << (i % 128 / 32 * 2));
    high = static_cast<std::uint8_t>(high | (q >> 2) << (i / 32));
  }
}

void quantize_block(const float* values, BlockQ6_K& out) {
  const SuperBlock block = quantize_evenly(values, -32, 31, -128, 127);
  out = {};
  out.d = block.groups.d;
  for (int g = 0; g < 16; ++g) out.scales[g] = static_cast<std::int8_t>(block.groups.scales[g]);
  for (int i = 0; i < 256; ++i) {
    const int q = block.levels[i] + 32;
    const int half = i / 128;
    const int quarter = i % 128 / 32;
    std::uint8_t& low = out.ql[64 * half + 32 * (quarter % 2) + i % 32];
    std::uint8_t& high = out.qh[32 * half + i % 32];
    low = static_cast<std::uint8_t>(low | (q & 15) << (quarter / 2 * 4));
    high = static_cast<std::uint8_t>(high | (q >> 4) << (2 * quarter));
  }
}

}  // namespace galley
