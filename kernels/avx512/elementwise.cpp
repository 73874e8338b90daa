// scalar/elementwise.cpp, 16 elements at a time.
#include <immintrin.h>

#include "kernels/args.h"
#include "kernels/avx512/lanes.h"
#include "kernels/avx512/math.h"
#include "kernels/share.h"

namespace galley::kernels::avx512 {
namespace {

// y = f(x), or f(x) * up where `up` is not null, for the columns of this part.
template <typename F>
void activate_with(const ActivateArgs& args, Part part, F f) {
  for (std::int64_t token = 0; token < args.tokens; ++token) {
    const Range columns = share_columns(args.tokens, args.width, token, part);
    const float* x = args.x + token * args.x_stride;
    const float* up = args.up ? args.up + token * args.up_stride : nullptr;
    float* y = args.y + token * args.y_stride;
    for_lanes(columns.begin, columns.end, [&](std::int64_t i, auto lanes) {
      const __m512 value = f(lanes.load(x + i));
      lanes.store(y + i, up ? _mm512_mul_ps(value, lanes.load(up + i)) : value);
    });
  }
}

__m512 relu(__m512 x) { return _mm512_max_ps(_mm512_setzero_ps(), x); }

}  // namespace

void add(const AddArgs& args, Part part) {
  for (std::int64_t token = 0; token < args.tokens; ++token) {
    const Range columns = share_columns(args.tokens, args.width, token, part);
    const float* a = args.a + token * args.a_stride;
    const float* b = args.b + token * args.b_stride;
    float* y = args.y + token * args.y_stride;
    for_lanes(columns.begin, columns.end, [&](std::int64_t i, auto lanes) {
      lanes.store(y + i, _mm512_add_ps(lanes.load(a + i), lanes.load(b + i)));
    });
  }
}

void scale(const ScaleArgs& args, Part part) {
  const __m512 factor = _mm512_set1_ps(args.factor);
  for (std::int64_t token = 0; token < args.tokens; ++token) {
    const Range columns = share_columns(args.tokens, args.width, token, part);
    const float* x = args.x + token * args.x_stride;
    float* y = args.y + token * args.y_stride;
    for_lanes(columns.begin, columns.end, [&](std::int64_t i, auto lanes) {
      lanes.store(y + i, _mm512_mul_ps(lanes.load(x + i), factor));
    });
  }
}

void softcap(const SoftcapArgs& args, Part part) {
  const __m512 cap = _mm512_set1_ps(args.cap);
  for (std::int64_t token = 0; token < args.tokens; ++token) {
    const Range columns = share_columns(args.tokens, args.width, token, part);
    const float* x = args.x + token * args.x_stride;
    float* y = args.y + token * args.y_stride;
    for_lanes(columns.begin, columns.end, [&](std::int64_t i, auto lanes) {
      const __m512 ratio = _mm512_div_ps(lanes.load(x + i), cap);
      lanes.store(y + i, _mm512_mul_ps(cap, tanh(ratio)));
    });
  }
}

void activate(const ActivateArgs& args, Part part) {
  switch (args.f) {
    case Activation::kSilu:
      return activate_with(args, part, [](__m512 x) { return silu(x); });
    case Activation::kGeluTanh:
      return activate_with(args, part, [](__m512 x) { return gelu_tanh(x); });
    case Activation::kGeluErf:
      return activate_with(args, part, [](__m512 x) { return gelu_erf(x); });
    case Activation::kRelu:
      return activate_with(args, part, [](__m512 x) { return relu(x); });
    case Activation::kReluSquared:
      return activate_with(args, part, [](__m512 x) { return _mm512_mul_ps(relu(x), relu(x)); });
    case Activation::kSigmoid:
      return activate_with(args, part, [](__m512 x) { return sigmoid(x); });
  }
}

}  // namespace galley::kernels::avx512
