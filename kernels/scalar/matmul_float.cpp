#include "kernels/scalar/matmul_float.h"

#include <cmath>
#include <span>

#include "kernels/share.h"
#include "tensor/dequantize.h"

namespace galley::kernels::scalar {
namespace {

// Sixteen interleaved partial sums (sum i takes elements i, i + 16, ...), then a fixed tree.
float dot(const float* w, const float* x, std::int64_t n) {
  float p[16] = {};
  for (std::int64_t i = 0; i < n; ++i) p[i % 16] = std::fma(w[i], x[i], p[i % 16]);
  for (int i = 0; i < 8; ++i) p[i] += p[i + 8];
  return ((p[0] + p[4]) + (p[2] + p[6])) + ((p[1] + p[5]) + (p[3] + p[7]));
}

}  // namespace

void matmul_float(const MatmulArgs& args, Part part) {
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
