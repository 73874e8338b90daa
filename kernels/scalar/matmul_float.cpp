#include "kernels/scalar/matmul_float.h"

#include <span>

#include "kernels/flush_denormals.h"
#include "kernels/share.h"
#include "tensor/dequantize.h"
#include "tensor/half.h"

namespace galley::kernels::scalar {
namespace {

// (Not inlined: no arithmetic may move to where denormals are not flushed.)
[[gnu::noinline]] PairProduct multiply_pairs(const float* w, const float* x, std::int64_t n) {
  Partials sum;
  for (std::int64_t pair = 0; 2 * pair < n; ++pair) {
    const std::int64_t even = 2 * pair;
    const std::int64_t odd = even + 1;
    sum.add_product(pair, odd < n ? w[odd] : 0.0f, odd < n ? x[odd] : 0.0f);
    sum.add_product(pair, w[even], x[even]);
  }
  return {sum, sum.total()};
}

}  // namespace

float rounded_to_bf16(float x) { return bf16_to_float(float_to_bf16(x)); }

PairProduct dot_pairs(const float* w, const float* x, std::int64_t n) {
  const FlushDenormals flush;
  return multiply_pairs(w, x, n);
}

void matmul_float(const MatmulArgs& args, Part part) {
  const std::int64_t n_row_bytes = row_bytes(args.type, args.cols);
  const auto cols = static_cast<std::size_t>(args.cols);
  const std::span<float> w(reinterpret_cast<float*>(args.scratch), cols);  // one row
  const std::span<float> rounded(w.data() + cols, cols);                   // one token
  const Range rows = share(args.rows, part);
  for (std::int64_t r = rows.begin; r < rows.end; ++r) {
    dequantize_row(args.type, args.weights + r * n_row_bytes, w);
    for (std::int64_t t = 0; t < args.tokens; ++t) {
      const float* x = args.x + t * args.x_stride;
      float& y = args.y[t * args.y_stride + r];
      if (args.rounds_to_bf16) {
        for (std::size_t c = 0; c < cols; ++c) rounded[c] = rounded_to_bf16(x[c]);
        y = dot_pairs(w.data(), rounded.data(), args.cols).total;
      } else {
        y = dot(w.data(), x, args.cols);
      }
    }
  }
}

}  // namespace galley::kernels::scalar
