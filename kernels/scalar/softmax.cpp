// y = e^(x - max x), divided by its sum.
#include <limits>

#include "kernels/kernels.h"
#include "kernels/scalar/math.h"
#include "kernels/scalar/partials.h"
#include "kernels/share.h"

namespace galley::kernels::scalar {

void softmax(const SoftmaxArgs& args, Part part) {
  const Range tokens = share(args.tokens, part);
  for (std::int64_t token = tokens.begin; token < tokens.end; ++token) {
    const float* x = args.x + token * args.x_stride;
    float* y = args.y + token * args.y_stride;
    float max = -std::numeric_limits<float>::infinity();
    for (std::int64_t i = 0; i < args.width; ++i) max = x[i] > max ? x[i] : max;
    Partials sum;
    for (std::int64_t i = 0; i < args.width; ++i) {
      y[i] = exp(x[i] - max);
      sum.add(i, y[i]);
    }
    const float total = sum.total();
    for (std::int64_t i = 0; i < args.width; ++i) y[i] /= total;
  }
}

}  // namespace galley::kernels::scalar
