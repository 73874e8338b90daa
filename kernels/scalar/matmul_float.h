// Products with F32, F16 and BF16 weights.
#pragma once

#include <cstdint>

#include "kernels/args.h"
#include "kernels/scalar/partials.h"

namespace galley::kernels::scalar {

// kernels::matmul for these three types; args.x holds the activations.
void matmul_float(const MatmulArgs& args, Part part);

// The nearest BF16, as a float: what BF16 weights are multiplied with if args.rounds_to_bf16.
float rounded_to_bf16(float x);

// The product of w[n] and x[n], both BF16 values, in pairs of columns: partial sum i takes pairs i,
// i + 16, ..., of each the odd column first; a missing last one counts as zero, and so do floats
// too small to be normal. (docs/exactness.md)
struct PairProduct {
  Partials partials;
  float total = 0;
};
PairProduct dot_pairs(const float* w, const float* x, std::int64_t n);

}  // namespace galley::kernels::scalar
