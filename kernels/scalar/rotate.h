// The rotation of one pair of values by an angle, and which values are a pair.
//
// Where it sits: scalar/rope.cpp is made of these; explanations of single numbers
// (tools/glass/) use the same ones.
#pragma once

#include <cmath>
#include <cstdint>

#include "kernels/args.h"

namespace galley::kernels::scalar {

// The places in a head of the two values of pair `i`, of n_pairs.
struct RopePair {
  std::int64_t first;
  std::int64_t second;
};
inline RopePair rope_pair(RopeLayout layout, std::int64_t i, std::int64_t n_pairs) {
  if (layout == RopeLayout::kInterleaved) return {2 * i, 2 * i + 1};
  return {i, i + n_pairs};
}

inline float rotated_first(float a, float b, float cos, float sin) {
  return std::fma(a, cos, -(b * sin));
}
inline float rotated_second(float a, float b, float cos, float sin) {
  return std::fma(b, cos, a * sin);
}

}  // namespace galley::kernels::scalar
