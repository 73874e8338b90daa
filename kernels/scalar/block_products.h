// One block of a product with quantized weights.
//
// Where it sits: scalar/matmul.cpp is made of these; explanations of single numbers
// (tools/glass/) use the same ones.
#pragma once

#include <cmath>
#include <cstdint>

#include "kernels/scalar/block_codes.h"

namespace galley::kernels::scalar {

// 32 activations as int8: x[j] ~ d * q[j] (see QuantizedRows in kernels/args.h).
struct QuantizedBlock {
  std::int8_t q[32];
  float d;
  float sum;             // d * (the sum of q)
  std::int16_t sums[2];  // of the first and the last 16 q
};

// Rounds x[32]. A value that is not finite makes d NaN.
QuantizedBlock quantize_block(const float* x);

// What rounding took away from x[32]: x - d q, each value rounded once.
void store_remainder(const float* x, const QuantizedBlock& block, float* remainder);

// The sum of the 32 products of integers. Exact.
inline std::int32_t block_dot(const BlockCodes& w, const QuantizedBlock& x) {
  std::int32_t halves[2] = {0, 0};
  for (int i = 0; i < 32; ++i) halves[i / 16] += w.code[i] * x.q[i];
  return w.scale[0] * halves[0] + w.scale[1] * halves[1];
}

// `partial` plus the products of one block, each term rounded once.
template <int n_minimums>
float add_block(const BlockCodes& w, const QuantizedBlock& x, float partial) {
  partial = std::fma(static_cast<float>(block_dot(w, x)), w.d * x.d, partial);
  if constexpr (n_minimums == 1) {
    partial = std::fma(w.min[0], x.sum, partial);
  } else if constexpr (n_minimums == 2) {
    partial = std::fma(w.min[0], x.d * static_cast<float>(x.sums[0]), partial);
    partial = std::fma(w.min[1], x.d * static_cast<float>(x.sums[1]), partial);
  }
  return partial;
}

// The fixed tree over eight partial sums.
inline float sum_of_eight(const float (&p)[8]) {
  return ((p[0] + p[4]) + (p[2] + p[6])) + ((p[1] + p[5]) + (p[3] + p[7]));
}

}  // namespace galley::kernels::scalar
