// scalar/softmax.cpp, 16 elements at a time.
#include <immintrin.h>

#include "kernels/args.h"
#include "kernels/avx512/lanes.h"
#include "kernels/avx512/math.h"
#include "kernels/share.h"

namespace galley::kernels::avx512 {
namespace {

// The largest of x[0 .. n - 1] that is a number, or -inf.
float largest(const float* x, std::int64_t n) {
  const __m512 lowest = _mm512_set1_ps(-__builtin_inff());
  __m512 max = lowest;
  for_lanes(0, n, [&](std::int64_t i, auto lanes) {
    const __m512 value = _mm512_mask_mov_ps(lowest, first_lanes(lanes.count), lanes.load(x + i));
    max = _mm512_max_ps(value, max);  // the second operand if the first is a NaN
  });
  return _mm512_reduce_max_ps(max);
}

}  // namespace

void softmax(const SoftmaxArgs& args, Part part) {
  const Range tokens = share(args.tokens, part);
  for (std::int64_t token = tokens.begin; token < tokens.end; ++token) {
    const float* x = args.x + token * args.x_stride;
    float* y = args.y + token * args.y_stride;
    const __m512 max = _mm512_set1_ps(largest(x, args.width));
    __m512 sum = _mm512_setzero_ps();
    for_lanes(0, args.width, [&](std::int64_t i, auto lanes) {
      const __m512 power = exp(_mm512_sub_ps(lanes.load(x + i), max));
      lanes.store(y + i, power);
      sum = _mm512_add_ps(sum, lanes.keep(power));
    });
    const __m512 divisor = _mm512_set1_ps(total(sum));
    for_lanes(0, args.width, [&](std::int64_t i, auto lanes) {
      lanes.store(y + i, _mm512_div_ps(lanes.load(y + i), divisor));
    });
  }
}

}  // namespace galley::kernels::avx512
