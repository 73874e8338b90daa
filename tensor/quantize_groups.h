// Super-blocks whose groups have a scale but no offset (Q3_K, Q6_K, IQ4_XS): choosing the
// float scale of the whole and the integer scales of its groups. Internal to tensor/.
#pragma once

#include <cstdint>
#include <functional>
#include <span>

namespace galley {

// What a type's groups can express.
struct GroupType {
  int n_groups;
  int scale_lo, scale_hi;  // the integer scales
  // The float scale that suits a group best.
  std::function<float(std::span<const float> group)> fit;
  // The squared error of a group when its levels are multiplied by `scale`.
  std::function<float(std::span<const float> group, float scale)> error;
};

struct GroupScales {
  std::uint16_t d = 0;  // F16
  int scales[16] = {};  // of group g: multiplies d
};

// REQUIRES: values.size() a multiple of type.n_groups <= 16; -type.scale_lo > type.scale_hi.
GroupScales choose_group_scales(std::span<const float> values, const GroupType& type);

}  // namespace galley
