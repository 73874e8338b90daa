// scalar/math.h on 8 floats (4 doubles) at a time: the same operations in the same order.
//
// Where it sits: the AVX2 kernels call these. The explanations are in scalar/math.h.
// _mm256_min_ps and _mm256_max_ps return their second operand if either is a NaN, hence the
// order of their operands here.
// Each lane by itself, errors as in docs/exactness.md; nothing throws.
#pragma once

#include <immintrin.h>

#include <cstddef>

#include "kernels/coefficients.h"

namespace galley::kernels::avx2 {

template <std::size_t n>
__m256 polynomial(const float (&coefficients)[n], __m256 x) {
  __m256 sum = _mm256_set1_ps(coefficients[0]);
  for (std::size_t i = 1; i < n; ++i) {
    sum = _mm256_fmadd_ps(sum, x, _mm256_set1_ps(coefficients[i]));
  }
  return sum;
}

template <std::size_t n>
__m256d polynomial(const double (&coefficients)[n], __m256d x) {
  __m256d sum = _mm256_set1_pd(coefficients[0]);
  for (std::size_t i = 1; i < n; ++i) {
    sum = _mm256_fmadd_pd(sum, x, _mm256_set1_pd(coefficients[i]));
  }
  return sum;
}

inline __m256 sign_bits() { return _mm256_set1_ps(-0.0f); }
inline __m256 absolute(__m256 x) { return _mm256_andnot_ps(sign_bits(), x); }

inline __m256 pow2(__m256i n) {
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(n, _mm256_set1_epi32(127)), 23));
}

inline __m256 exp(__m256 x) {
  x = _mm256_max_ps(_mm256_set1_ps(kExpLowest), x);
  x = _mm256_min_ps(_mm256_set1_ps(kExpHighest), x);
  const __m256 round_to_int = _mm256_set1_ps(kRoundToInt);
  const __m256 shifted = _mm256_fmadd_ps(x, _mm256_set1_ps(kLog2E), round_to_int);
  const __m256 n = _mm256_sub_ps(shifted, round_to_int);
  const __m256 high = _mm256_fnmadd_ps(n, _mm256_set1_ps(kLn2High), x);
  const __m256 r = _mm256_fnmadd_ps(n, _mm256_set1_ps(kLn2Low), high);
  const __m256 power = polynomial(kExpPolynomial, r);
  const __m256i n_int =
      _mm256_sub_epi32(_mm256_castps_si256(shifted), _mm256_castps_si256(round_to_int));
  const __m256i half = _mm256_srai_epi32(n_int, 1);
  return _mm256_mul_ps(_mm256_mul_ps(power, pow2(half)), pow2(_mm256_sub_epi32(n_int, half)));
}

inline __m256 sigmoid(__m256 x) {
  const __m256 one = _mm256_set1_ps(1.0f);
  const __m256 e = exp(_mm256_or_ps(x, sign_bits()));
  const __m256 negative = _mm256_cmp_ps(x, _mm256_setzero_ps(), _CMP_LT_OQ);
  return _mm256_div_ps(_mm256_blendv_ps(one, e, negative), _mm256_add_ps(one, e));
}

inline __m256 tanh(__m256 x) {
  const __m256 one = _mm256_set1_ps(1.0f);
  const __m256 a = absolute(x);
  const __m256 square = _mm256_mul_ps(a, a);
  const __m256 small =
      _mm256_fmadd_ps(_mm256_mul_ps(a, square), polynomial(kTanhPolynomial, square), a);
  const __m256 e = exp(_mm256_add_ps(a, a));
  const __m256 large =
      _mm256_sub_ps(one, _mm256_div_ps(_mm256_set1_ps(2.0f), _mm256_add_ps(e, one)));
  const __m256 is_small = _mm256_cmp_ps(a, _mm256_set1_ps(kTanhSmall), _CMP_LT_OQ);
  return _mm256_or_ps(_mm256_blendv_ps(large, small, is_small), _mm256_and_ps(x, sign_bits()));
}

inline __m256 normal_cdf(__m256 x) {
  const __m256 one = _mm256_set1_ps(1.0f);
  const __m256 minus_half = _mm256_set1_ps(-0.5f);
  const __m256 a = _mm256_min_ps(_mm256_set1_ps(kCdfLargest), absolute(x));
  const __m256 square = _mm256_mul_ps(a, a);
  const __m256 lost = _mm256_fmsub_ps(a, a, square);
  const __m256 e = exp(_mm256_mul_ps(minus_half, square));
  const __m256 density = _mm256_fmadd_ps(_mm256_mul_ps(minus_half, lost), e, e);
  const __m256 t = _mm256_div_ps(one, _mm256_fmadd_ps(a, _mm256_set1_ps(kCdfSlope), one));
  const __m256 tail = _mm256_mul_ps(density, _mm256_mul_ps(t, polynomial(kCdfPolynomial, t)));
  const __m256 negative = _mm256_cmp_ps(x, _mm256_setzero_ps(), _CMP_LT_OQ);
  return _mm256_blendv_ps(_mm256_sub_ps(one, tail), tail, negative);
}

inline __m256 silu(__m256 x) { return _mm256_mul_ps(x, sigmoid(x)); }

inline __m256 gelu_tanh(__m256 x) {
  const __m256 slope =
      _mm256_fmadd_ps(_mm256_mul_ps(x, x), _mm256_set1_ps(kGeluCubic), _mm256_set1_ps(kGeluLinear));
  return _mm256_mul_ps(x, sigmoid(_mm256_mul_ps(x, slope)));
}

inline __m256 gelu_erf(__m256 x) { return _mm256_mul_ps(x, normal_cdf(x)); }

struct SinCos {
  __m256d sin;
  __m256d cos;
};

inline SinCos sincos(__m256d angle) {
  const __m256d round_to_int = _mm256_set1_pd(kRoundToIntDouble);
  const __m256d shifted = _mm256_fmadd_pd(angle, _mm256_set1_pd(kTwoOverPi), round_to_int);
  const __m256d n = _mm256_sub_pd(shifted, round_to_int);
  const __m256d high = _mm256_fnmadd_pd(n, _mm256_set1_pd(kHalfPiHigh), angle);
  const __m256d r = _mm256_fnmadd_pd(n, _mm256_set1_pd(kHalfPiLow), high);
  const __m256d square = _mm256_mul_pd(r, r);
  const __m256d s =
      _mm256_fmadd_pd(_mm256_mul_pd(r, square), polynomial(kSinPolynomial, square), r);
  const __m256d c = polynomial(kCosPolynomial, square);
  const __m256i quarter = _mm256_castpd_si256(shifted);
  // Bit 0 of the quarter turns swaps sine and cosine (blendv looks at the sign bit); bit 1
  // becomes the sign bit of the sine, bit 1 of the next quarter that of the cosine.
  const __m256d swap = _mm256_castsi256_pd(_mm256_slli_epi64(quarter, 63));
  const __m256i bit1 = _mm256_set1_epi64x(2);
  const __m256i next = _mm256_add_epi64(quarter, _mm256_set1_epi64x(1));
  const __m256i sin_sign = _mm256_slli_epi64(_mm256_and_si256(quarter, bit1), 62);
  const __m256i cos_sign = _mm256_slli_epi64(_mm256_and_si256(next, bit1), 62);
  return {_mm256_xor_pd(_mm256_blendv_pd(s, c, swap), _mm256_castsi256_pd(sin_sign)),
          _mm256_xor_pd(_mm256_blendv_pd(c, s, swap), _mm256_castsi256_pd(cos_sign))};
}

}  // namespace galley::kernels::avx2
