// scalar/softmax.cpp, 8 elements at a time.
#include <immintrin.h>

#include "kernels/args.h"
#include "kernels/avx2/lanes.h"
#include "kernels/avx2/math.h"
#include "kernels/share.h"

namespace galley::kernels::avx2 {
namespace {

// The largest of x[0 .. n - 1] that is a number, or -inf.
float largest(const float* x, std::int64_t n) {
  const __m256 lowest = _mm256_set1_ps(-__builtin_inff());
  __m256 max = lowest;
  for_lanes(0, n, [&](std::int64_t i, auto lanes) {
    const __m256 there = _mm256_castsi256_ps(first_lanes(lanes.count));
    const __m256 value = _mm256_blendv_ps(lowest, lanes.load(x + i), there);
    max = _mm256_max_ps(value, max);  // the second operand if the first is a NaN
  });
  const __m128 four = _mm_max_ps(_mm256_castps256_ps128(max), _mm256_extractf128_ps(max, 1));
  const __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
}

}  // namespace

void softmax(const SoftmaxArgs& args, Part part) {
  const Range tokens = share(args.tokens, part);
  for (std::int64_t token = tokens.begin; token < tokens.end; ++token) {
    const float* x = args.x + token * args.x_stride;
    float* y = args.y + token * args.y_stride;
    const __m256 max = _mm256_set1_ps(largest(x, args.width));
    __m256 sum[2] = {_mm256_setzero_ps(), _mm256_setzero_ps()};
    for_lanes(0, args.width, [&](std::int64_t i, auto lanes) {
      const __m256 power = exp(_mm256_sub_ps(lanes.load(x + i), max));
      lanes.store(y + i, power);
      sum[lanes.half] = _mm256_add_ps(sum[lanes.half], lanes.keep(power));
    });
    const __m256 divisor = _mm256_set1_ps(total(sum));
    for_lanes(0, args.width, [&](std::int64_t i, auto lanes) {
      lanes.store(y + i, _mm256_div_ps(lanes.load(y + i), divisor));
    });
  }
}

}  // namespace galley::kernels::avx2
