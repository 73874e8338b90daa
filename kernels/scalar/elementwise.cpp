// Sums, factors and activation functions: each output element from its own inputs alone.
#include "kernels/kernels.h"
#include "kernels/scalar/activation.h"
#include "kernels/share.h"

namespace galley::kernels::scalar {
void add(const AddArgs& args, Part part) {
  for (std::int64_t token = 0; token < args.tokens; ++token) {
    const Range columns = share_columns(args.tokens, args.width, token, part);
    const float* a = args.a + token * args.a_stride;
    const float* b = args.b + token * args.b_stride;
    float* y = args.y + token * args.y_stride;
    for (std::int64_t i = columns.begin; i < columns.end; ++i) y[i] = a[i] + b[i];
  }
}

void scale(const ScaleArgs& args, Part part) {
  for (std::int64_t token = 0; token < args.tokens; ++token) {
    const Range columns = share_columns(args.tokens, args.width, token, part);
    const float* x = args.x + token * args.x_stride;
    float* y = args.y + token * args.y_stride;
    for (std::int64_t i = columns.begin; i < columns.end; ++i) y[i] = x[i] * args.factor;
  }
}

void softcap(const SoftcapArgs& args, Part part) {
  for (std::int64_t token = 0; token < args.tokens; ++token) {
    const Range columns = share_columns(args.tokens, args.width, token, part);
    const float* x = args.x + token * args.x_stride;
    float* y = args.y + token * args.y_stride;
    for (std::int64_t i = columns.begin; i < columns.end; ++i) {
      y[i] = softcapped(x[i], args.cap);
    }
  }
}

void activate(const ActivateArgs& args, Part part) {
  for (std::int64_t token = 0; token < args.tokens; ++token) {
    const Range columns = share_columns(args.tokens, args.width, token, part);
    const float* x = args.x + token * args.x_stride;
    const float* up = args.up ? args.up + token * args.up_stride : nullptr;
    float* y = args.y + token * args.y_stride;
    for (std::int64_t i = columns.begin; i < columns.end; ++i) {
      const float value = activation(args.f, x[i]);
      y[i] = up ? value * up[i] : value;
    }
  }
}

}  // namespace galley::kernels::scalar
