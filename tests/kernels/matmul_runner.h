// Runs quantize_rows and matmul of one instruction set on plain vectors, divided into parts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "kernels/kernels.h"
#include "tests/kernels/kernel_test.h"

namespace galley::test {

// A matrix of weights as a file has it.
struct Weights {
  DType type{};
  std::int64_t rows = 0;
  std::int64_t cols = 0;
  std::vector<std::byte> bytes;
};

// Random bytes, but with scales and minimums that are ordinary numbers.
Weights random_weights(DType type, std::int64_t rows, std::int64_t cols, Random& random);

// Replaces the F16 scales and minimums of all blocks (or the weights, if they are floats).
void set_scales(Weights& w, const std::function<float()>& next);

using QuantizeRowsKernel = void (*)(const kernels::QuantizeRowsArgs&, kernels::Part);
using MatmulKernel = void (*)(const kernels::MatmulArgs&, kernels::Part);

// y[tokens, rows] = x[tokens, cols] times the weights, transposed; the activations are quantized
// where the type wants that. Each of `n_parts` parts runs after the other.
inline std::vector<float> run_matmul(QuantizeRowsKernel quantize_rows, MatmulKernel matmul,
                                     const Weights& w, std::span<const float> x,
                                     std::int64_t tokens, int n_parts) {
  const bool is_quantized = kernels::uses_quantized_rows(w.type);
  AlignedBuffer quantized(is_quantized ? kernels::quantized_rows_bytes(tokens, w.cols) : 0);
  AlignedBuffer scratch(kernels::matmul_scratch_bytes(w.type, w.rows, w.cols, tokens));
  std::vector<float> y(static_cast<std::size_t>(tokens * w.rows), -12345.0f);
  kernels::MatmulArgs args;
  args.type = w.type;
  args.weights = w.bytes.data();
  args.rows = w.rows;
  args.cols = w.cols;
  args.tokens = tokens;
  args.y = y.data();
  args.y_stride = w.rows;
  args.scratch = scratch.data();
  if (is_quantized) {
    args.xq = {quantized.data(), tokens};
    const kernels::QuantizeRowsArgs quantize = {x.data(), w.cols, tokens, w.cols, args.xq, 0};
    for (int part = 0; part < n_parts; ++part) quantize_rows(quantize, {part, n_parts});
  } else {
    args.x = x.data();
    args.x_stride = w.cols;
  }
  for (int part = 0; part < n_parts; ++part) matmul(args, {part, n_parts});
  return y;
}

}  // namespace galley::test
