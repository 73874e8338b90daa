// The steps of attention for one token and one head: scores, the softmax of a block, merging.
//
// Where it sits: scalar/attention.cpp is made of these; explanations of single numbers
// (tools/glass/) use the same ones.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>

#include "kernels/scalar/block_products.h"
#include "kernels/scalar/math.h"
#include "kernels/scalar/partials.h"
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
