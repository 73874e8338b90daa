// The steps of attention for one token and one head: scores, the softmax of a block, merging.
//
// Where it sits: scalar/attention.cpp is made of these; explanations of single numbers
// (tools/glass/) use the same ones.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include "kernels/args.h"
#include "kernels/scalar/block_products.h"
#include "kernels/scalar/math.h"
#include "kernels/scalar/partials.h"
#include "kernels/unroll.h"
#include "tensor/blocks.h"
#include "tensor/half.h"

namespace galley::kernels::scalar {

inline constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();

// q . k for vectors of n values. The products are added one after another: the fast kernels
// compute many positions at once, a column at a time.
inline float score_product(const float* q, const float* k, std::int64_t n) {
  float dot = 0.0f;
  for (std::int64_t i = 0; i < n; ++i) dot = std::fma(q[i], k[i], dot);
  return dot;
}

// The same where the cache has keys as Q8_0, n_blocks of 32 values: the query is rounded too, and
// the products are sums of integers (exact), each scaled once.
inline float score_product(const QuantizedBlock* q, const BlockQ8_0* k, std::int64_t n_blocks) {
  float dot = 0.0f;
  for (std::int64_t b = 0; b < n_blocks; ++b) {
    std::int32_t sum = 0;
    for (int i = 0; i < 32; ++i) sum += q[b].q[i] * k[b].qs[i];
    dot = std::fma(static_cast<float>(sum), q[b].d * half_to_float(k[b].d), dot);
  }
  return dot;
}

// The score of q . k = product: scaled, and soft-capped if softcap > 0.
inline float attention_score(float product, float scale, float softcap) {
  const float scaled = product * scale;
  return softcap > 0.0f ? softcap * tanh(scaled / softcap) : scaled;
}

// What is subtracted from scores: their maximum, unless all of them are -inf, whose weights are
// then e^-inf = 0.
inline float score_offset(float max) { return max == kMinusInfinity ? 0.0f : max; }

// For values that are integers too (Q8_0), weights become integers of 16 bits: w = p * d *
// to_integers rounded, where d is the scale of the position's value block. A weight of 1 at the
// largest scale becomes kLargestWeight; 64 products with codes up to 128 stay below 2^31. The sum
// of products times `scale` is the sum of weighted values.
inline constexpr float kLargestWeight = 32767.0f;

struct WeightScale {
  float to_integers = 0.0f;
  float scale = 0.0f;
};

// `bits`: those of the largest d. (Bits of floats that are not negative are ordered as the floats
// are; infinities and NaN come above, and so do negative numbers, which only a broken cache has.
// All of these make the scale NaN, so that they surface in the output.)
GALLEY_INLINE inline WeightScale weight_scale(std::uint32_t bits) {
  if (bits == 0) return {};
  if (bits >= 0x7f800000u) return {0.0f, std::numeric_limits<float>::quiet_NaN()};
  const float largest = std::bit_cast<float>(bits);
  return {kLargestWeight / largest, largest * (1.0f / kLargestWeight)};
}

// The scales d[n] as factors of weights, in place. Returns what the integers are worth.
inline float weight_factors(float* d, std::int64_t n) {
  std::uint32_t largest = 0;
  for (std::int64_t j = 0; j < n; ++j)
    largest = std::max(largest, std::bit_cast<std::uint32_t>(d[j]));
  const WeightScale scale = weight_scale(largest);
  for (std::int64_t j = 0; j < n; ++j) d[j] *= scale.to_integers;
  return scale.scale;
}

// A weight p as an integer. What is no number becomes 0, as it makes the sum of weights NaN anyway.
inline std::int16_t integer_weight(float p, float factor) {
  const float w = std::nearbyint(p * factor);
  return w == w ? static_cast<std::int16_t>(w) : std::int16_t{0};
}

// The softmax over some positions so far: m is the largest score, l the sum of e^(score - m).
struct SoftmaxState {
  float m = kMinusInfinity;
  float l = 0.0f;
};

// What the numbers so far and those of a new block are multiplied by to be added.
struct MergeFactors {
  float keep;
  float take;
};

// Brings `all` and `block` to the larger maximum and adds them.
inline MergeFactors merge(SoftmaxState& all, const SoftmaxState& block) {
  const float max = block.m > all.m ? block.m : all.m;
  const MergeFactors factors{exp(all.m - score_offset(max)), exp(block.m - score_offset(max))};
  all.m = max;
  all.l = std::fma(all.l, factors.keep, block.l * factors.take);
  return factors;
}

// One value of the weighted sum, merged likewise.
inline float merge_value(float all, float block, MergeFactors factors) {
  return std::fma(all, factors.keep, block * factors.take);
}

}  // namespace galley::kernels::scalar
