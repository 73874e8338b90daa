#include "kernels/scalar/matmul_float.h"

#include <span>

#include "kernels/scalar/partials.h"
#include "kernels/share.h"
#include "tensor/dequantize.h"

namespace galley::kernels::scalar {
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
