#include "kernels/scalar/matmul_float.h"

#include <span>

#include "kernels/flush_denormals.h"
#include "kernels/scalar/partials.h"
#include "kernels/share.h"
#include "tensor/dequantize.h"
#include "tensor/half.h"

namespace galley::kernels::scalar {
namespace {

// The first n columns of BF16 weights times activations rounded to BF16: pairs of columns, the odd
// one first.
float dot_pairs(const float* w, const float* x, std::int64_t n) {
  Partials sum;
  for (std::int64_t pair = 0; 2 * pair < n; ++pair) {
    const std::int64_t c = 2 * pair;
    const bool has_odd = c + 1 < n;
    sum.add_product(pair, has_odd ? w[c + 1] : 0.0f, has_odd ? x[c + 1] : 0.0f);
    sum.add_product(pair, w[c], x[c]);
  }
  return sum.total();
}

[[gnu::noinline]] void matmul_pairs(const MatmulArgs& args, Part part) {
  const std::int64_t n_row_bytes = row_bytes(args.type, args.cols);
  auto* w = reinterpret_cast<float*>(args.scratch);  // one row
  float* x = w + args.cols;                          // one token
  const Range rows = share(args.rows, part);
  for (std::int64_t t = 0; t < args.tokens; ++t) {
    for (std::int64_t c = 0; c < args.cols; ++c) {
      x[c] = bf16_to_float(float_to_bf16(args.x[t * args.x_stride + c]));
    }
    for (std::int64_t r = rows.begin; r < rows.end; ++r) {
      dequantize_row(args.type, args.weights + r * n_row_bytes,
                     {w, static_cast<std::size_t>(args.cols)});
      args.y[t * args.y_stride + r] = dot_pairs(w, x, args.cols);
    }
  }
}

}  // namespace

void matmul_float(const MatmulArgs& args, Part part) {
  if (args.rounds_to_bf16) {
    const FlushDenormals flush;
    return matmul_pairs(args, part);
  }
  const std::int64_t n_row_bytes = row_bytes(args.type, args.cols);
  const std::span<float> w(reinterpret_cast<float*>(args.scratch),
                           static_cast<std::size_t>(args.cols));  // one row
  const Range rows = share(args.rows, part);
  for (std::int64_t r = rows.begin; r < rows.end; ++r) {
    dequantize_row(args.type, args.weights + r * n_row_bytes, w);
    for (std::int64_t t = 0; t < args.tokens; ++t) {
      args.y[t * args.y_stride + r] = dot(w.data(), args.x + t * args.x_stride, args.cols);
    }
  }
}

}  // namespace galley::kernels::scalar
