// Runs quantize_rows and matmul of one instruction set on plain vectors, divided into parts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "kernels/kernels.h"

namespace galley::test {

// Memory aligned as the kernels require.
class AlignedBytes {
 public:
  explicit AlignedBytes(std::size_t n_bytes)
      : bytes_(n_bytes + 64),
        data_(bytes_.data() + (64 - reinterpret_cast<std::uintptr_t>(bytes_.data()) % 64) % 64) {}

  std::byte* data() { return data_; }

 private:
  std::vector<std::byte> bytes_;
  std::byte* data_;
};

// A matrix of weights as a file has it.
struct Weights {
  DType type{};
  std::int64_t rows = 0;
  std::int64_t cols = 0;
  std::vector<std::byte> bytes;
};

using QuantizeRowsKernel = void (*)(const kernels::QuantizeRowsArgs&, kernels::Part);
using MatmulKernel = void (*)(const kernels::MatmulArgs&, kernels::Part);

// y[tokens, rows] = x[tokens, cols] times the weights, transposed; the activations are quantized
// where the type wants that. Each of `n_parts` parts runs after the other.
inline std::vector<float> run_matmul(QuantizeRowsKernel quantize_rows, MatmulKernel matmul,
                                     const Weights& w, std::span<const float> x,
                                     std::int64_t tokens, int n_parts) {
  AlignedBytes quantized(kernels::quantized_rows_bytes(tokens, w.cols));
  AlignedBytes scratch(kernels::matmul_scratch_bytes(w.type, w.rows, w.cols, tokens));
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
  if (kernels::uses_quantized_rows(w.type)) {
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
