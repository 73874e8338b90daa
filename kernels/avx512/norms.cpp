// scalar/norms.cpp with the 16 partial sums in the lanes of a register.
#include <immintrin.h>

#include "kernels/args.h"
#include "kernels/avx512/lanes.h"
#include "kernels/share.h"

namespace galley::kernels::avx512 {
namespace {

// 1 / sqrt(mean of squares + eps), from the 16 partial sums of the squares.
float inverse_root(float sum, std::int64_t width, float eps) {
  const __m128 shifted = _mm_set_ss(sum / static_cast<float>(width) + eps);
  return 1.0f / _mm_cvtss_f32(_mm_sqrt_ss(shifted));
}

void rms_norm_vector(const RmsNormArgs& args, const float* x, float* y) {
  __m512 squares = _mm512_setzero_ps();
  for_lanes(0, args.width, [&](std::int64_t i, auto lanes) {
    const __m512 value = lanes.load(x + i);
    squares = _mm512_fmadd_ps(value, value, squares);
  });
  const __m512 inverse = _mm512_set1_ps(inverse_root(total(squares), args.width, args.eps));
  for_lanes(0, args.width, [&](std::int64_t i, auto lanes) {
    const __m512 normed = _mm512_mul_ps(lanes.load(x + i), inverse);
    lanes.store(y + i, args.weight ? _mm512_mul_ps(normed, lanes.load(args.weight + i)) : normed);
  });
}

void layer_norm_vector(const LayerNormArgs& args, const float* x, const float* weight,
                       const float* bias, float* y) {
  __m512 sum = _mm512_setzero_ps();
  for_lanes(0, args.width,
            [&](std::int64_t i, auto lanes) { sum = _mm512_add_ps(sum, lanes.load(x + i)); });
  const __m512 mean = _mm512_set1_ps(total(sum) / static_cast<float>(args.width));
  __m512 squares = _mm512_setzero_ps();
  for_lanes(0, args.width, [&](std::int64_t i, auto lanes) {
    const __m512 centered = lanes.keep(_mm512_sub_ps(lanes.load(x + i), mean));
    squares = _mm512_fmadd_ps(centered, centered, squares);
  });
  const __m512 inverse = _mm512_set1_ps(inverse_root(total(squares), args.width, args.eps));
  for_lanes(0, args.width, [&](std::int64_t i, auto lanes) {
    const __m512 normed = _mm512_mul_ps(_mm512_sub_ps(lanes.load(x + i), mean), inverse);
    const __m512 factor = weight ? lanes.load(weight + i) : _mm512_set1_ps(1.0f);
    lanes.store(y + i, bias ? _mm512_fmadd_ps(normed, factor, lanes.load(bias + i))
                            : _mm512_mul_ps(normed, factor));
  });
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

}  // namespace galley::kernels::avx512
