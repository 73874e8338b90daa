// Sums, factors and activation functions: each output element from its own inputs alone.
#include "kernels/kernels.h"
#include "kernels/scalar/math.h"
#include "kernels/share.h"

namespace galley::kernels::scalar {
namespace {

// Calls row(token, begin, end) for the columns of this part: whole tokens, or pieces of them
// in multiples of 16 columns, so that one token keeps several parts busy.
template <typename Row>
void for_columns(std::int64_t tokens, std::int64_t width, Part part, Row row) {
  const std::int64_t pieces_per_token = (width + 15) / 16;
  const Range pieces = share(tokens * pieces_per_token, part);
  for (std::int64_t i = pieces.begin; i < pieces.end;) {
    const std::int64_t token = i / pieces_per_token;
    const std::int64_t next_token = (token + 1) * pieces_per_token;
    const std::int64_t stop = next_token < pieces.end ? next_token : pieces.end;
    const std::int64_t begin = (i - token * pieces_per_token) * 16;
    const std::int64_t end = (stop - token * pieces_per_token) * 16;
    row(token, begin, end < width ? end : width);
    i = stop;
  }
}

float activation(Activation f, float x) {
  switch (f) {
    case Activation::kSilu:
      return x * sigmoid(x);
    case Activation::kGeluTanh:
      // (1 + tanh u) / 2 is sigmoid(2 u), which does not cancel where x is negative.
      return x * sigmoid(x * std::fma(x * x, 0.071354816f, 1.5957691f));
    case Activation::kGeluErf:
      return x * normal_cdf(x);
    case Activation::kRelu:
      return x < 0.0f ? 0.0f : x;
    case Activation::kReluSquared:
      return x < 0.0f ? 0.0f : x * x;
    case Activation::kSigmoid:
      return sigmoid(x);
  }
  return x;
}

}  // namespace

void add(const AddArgs& args, Part part) {
  for_columns(args.tokens, args.width, part, [&](auto token, auto begin, auto end) {
    const float* a = args.a + token * args.a_stride;
    const float* b = args.b + token * args.b_stride;
    float* y = args.y + token * args.y_stride;
    for (auto i = begin; i < end; ++i) y[i] = a[i] + b[i];
  });
}

void scale(const ScaleArgs& args, Part part) {
  for_columns(args.tokens, args.width, part, [&](auto token, auto begin, auto end) {
    const float* x = args.x + token * args.x_stride;
    float* y = args.y + token * args.y_stride;
    for (auto i = begin; i < end; ++i) y[i] = x[i] * args.factor;
  });
}

void softcap(const SoftcapArgs& args, Part part) {
  for_columns(args.tokens, args.width, part, [&](auto token, auto begin, auto end) {
    const float* x = args.x + token * args.x_stride;
    float* y = args.y + token * args.y_stride;
    for (auto i = begin; i < end; ++i) y[i] = args.cap * tanh(x[i] / args.cap);
  });
}

void activate(const ActivateArgs& args, Part part) {
  for_columns(args.tokens, args.width, part, [&](auto token, auto begin, auto end) {
    const float* x = args.x + token * args.x_stride;
    const float* up = args.up ? args.up + token * args.up_stride : nullptr;
    float* y = args.y + token * args.y_stride;
    for (auto i = begin; i < end; ++i) {
      const float value = activation(args.f, x[i]);
      y[i] = up ? value * up[i] : value;
    }
  });
}

}  // namespace galley::kernels::scalar
