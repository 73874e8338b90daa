// RMSNorm and LayerNorm, as written in docs/norms-and-activations.md.
#include "kernels/scalar/norms.h"
#include "kernels/kernels.h"
#include "kernels/share.h"

namespace galley::kernels::scalar {
namespace {

void rms_norm_vector(const RmsNormArgs& args, const float* x, float* y) {
  const float inverse = inverse_root(mean_square(x, args.width), args.eps);
  for (std::int64_t i = 0; i < args.width; ++i) {
    y[i] = rms_normed(x[i], inverse, args.weight ? args.weight + i : nullptr);
  }
}

void layer_norm_vector(const LayerNormArgs& args, const float* x, const float* weight,
                       const float* bias, float* y) {
  const float m = mean(x, args.width);
  const float inverse = inverse_root(variance(x, args.width, m), args.eps);
  for (std::int64_t i = 0; i < args.width; ++i) {
    y[i] = layer_normed(x[i], m, inverse, weight ? weight + i : nullptr, bias ? bias + i : nullptr);
  }
}

}  // namespace

void rms_norm(const RmsNormArgs& args, Part part) {
  const Range vectors = share(args.tokens * args.groups, part);
  for (std::int64_t i = vectors.begin; i < vectors.end; ++i) {
    const std::int64_t token = i / args.groups;
    const std::int64_t offset = i % args.groups * args.width;
    rms_norm_vector(args, args.x + token * args.x_stride + offset,
                    args.y + token * args.y_stride + offset);
  }
}

void layer_norm(const LayerNormArgs& args, Part part) {
  const Range vectors = share(args.tokens * args.groups, part);
  for (std::int64_t i = vectors.begin; i < vectors.end; ++i) {
    const std::int64_t token = i / args.groups;
    const std::int64_t group = i % args.groups;
    const std::int64_t offset = group * args.width;
    const std::int64_t weight_offset = group * args.weight_stride;
    layer_norm_vector(args, args.x + token * args.x_stride + offset,
                      args.weight ? args.weight + weight_offset : nullptr,
                      args.bias ? args.bias + weight_offset : nullptr,
                      args.y + token * args.y_stride + offset);
  }
}

}  // namespace galley::kernels::scalar
