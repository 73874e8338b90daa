#include "tensor/quantize_groups.h"

#include <algorithm>
#include <cmath>

#include "tensor/quantize_search.h"

namespace galley {
namespace {

// How many values of d are tried.
constexpr int kTrials = 8;

std::span<const float> group_of(std::span<const float> values, const GroupType& type, int g) {
  const std::size_t n = values.size() / static_cast<std::size_t>(type.n_groups);
  return values.subspan(static_cast<std::size_t>(g) * n, n);
}

// The integer scales for a given d, each the best of the three nearest to the wanted one;
// returns the squared error of all groups.
float choose_for_d(std::span<const float> values, const GroupType& type, const float (&wanted)[16],
                   float d, int (&scales)[16]) {
  float total = 0.0f;
  for (int g = 0; g < type.n_groups; ++g) {
    const int middle = round_to_range(wanted[g] * inverse(d), type.scale_lo, type.scale_hi);
    const int first = std::max(middle - 1, type.scale_lo);
    const int last = std::min(middle + 1, type.scale_hi);
    float best = INFINITY;
    for (int scale = first; scale <= last; ++scale) {
      const float error = type.error(group_of(values, type, g), d * static_cast<float>(scale));
      if (error < best) {
        best = error;
        scales[g] = scale;
      }
    }
    total += best;
  }
  return total;
}

}  // namespace

GroupScales choose_group_scales(std::span<const float> values, const GroupType& type) {
  float wanted[16] = {};
  float extreme = 0.0f;
  for (int g = 0; g < type.n_groups; ++g) {
    wanted[g] = type.fit(group_of(values, type, g));
    if (std::fabs(wanted[g]) > std::fabs(extreme)) extreme = wanted[g];
  }
  GroupScales best;
  float best_error = INFINITY;
  // The largest scale becomes the lowest integer, or one a little above.
  for (int trial = 0; trial < kTrials; ++trial) {
    GroupScales candidate;
    candidate.d = to_finite_half(extreme / static_cast<float>(type.scale_lo + trial));
    const float error =
        choose_for_d(values, type, wanted, half_to_float(candidate.d), candidate.scales);
    if (error >= best_error) continue;
    best_error = error;
    best = candidate;
  }
  return best;
}

}  // namespace galley
