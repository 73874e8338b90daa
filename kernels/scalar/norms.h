// What a norm needs to know of a vector, and what it makes of each value.
//
// Where it sits: scalar/norms.cpp is made of these; explanations of single numbers
// (tools/glass/) use the same ones.
#pragma once

#include <cmath>
#include <cstdint>

#include "kernels/scalar/partials.h"

namespace galley::kernels::scalar {

// 1 / sqrt(mean + eps), where mean is that of the squares, or the variance.
inline float inverse_root(float mean, float eps) { return 1.0f / std::sqrt(mean + eps); }

inline float mean_square(const float* x, std::int64_t width) {
  return dot(x, x, width) / static_cast<float>(width);
}

inline float mean(const float* x, std::int64_t width) {
  Partials sum;
  for (std::int64_t i = 0; i < width; ++i) sum.add(i, x[i]);
  return sum.total() / static_cast<float>(width);
}

inline float variance(const float* x, std::int64_t width, float mean) {
  Partials squares;
  for (std::int64_t i = 0; i < width; ++i) squares.add_product(i, x[i] - mean, x[i] - mean);
  return squares.total() / static_cast<float>(width);
}

// `weight` and `bias` may be null, for 1 and 0.
inline float rms_normed(float x, float inverse, const float* weight) {
  const float normed = x * inverse;
  return weight ? normed * *weight : normed;
}

inline float layer_normed(float x, float mean, float inverse, const float* weight,
                          const float* bias) {
  const float normed = (x - mean) * inverse;
  const float factor = weight ? *weight : 1.0f;
  return bias ? std::fma(normed, factor, *bias) : normed * factor;
}

}  // namespace galley::kernels::scalar
