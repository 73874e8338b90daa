// RMSNorm and LayerNorm, as written in docs/norms-and-activations.md.
#include <cmath>

#include "kernels/kernels.h"
#include "kernels/scalar/partials.h"
#include "kernels/share.h"

namespace galley::kernels::scalar {
namespace {

void rms_norm_vector(const RmsNormArgs& args, const float* x, float* y) {
  const std::int64_t width = args.width;
  const float mean_square = dot(x, x, width) / static_cast<float>(width);
  const float inverse = 1.0f / std::sqrt(mean_square + args.eps);
  for (std::int64_t i = 0; i < width; ++i) {
    const float normed = x[i] * inverse;
    y[i] = args.weight ? normed * args.weight[i] : normed;
  }
}

void layer_norm_vector(const LayerNormArgs& args, const float* x, const float* weight,
                       const float* bias, float* y) {
  const std::int64_t width = args.width;
  Partials sum;
  for (std::int64_t i = 0; i < width; ++i) sum.add(i, x[i]);
  const float mean = sum.total() / static_cast<float>(width);
  Partials squares;
  for (std::int64_t i = 0; i < width; ++i) squares.add_product(i, x[i] - mean, x[i] - mean);
  const float variance = squares.total() / static_cast<float>(width);
  const float inverse = 1.0f / std::sqrt(variance + args.eps);
  for (std::int64_t i = 0; i < width; ++i) {
    const float normed = (x[i] - mean) * inverse;
    const float factor = weight ? weight[i] : 1.0f;
    y[i] = bias ? std::fma(normed, factor, bias[i]) : normed * factor;
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
