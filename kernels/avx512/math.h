// scalar/math.h on 16 floats (8 doubles) at a time: the same operations in the same order.
//
// Where it sits: the AVX-512 kernels call these. The explanations are in scalar/math.h.
// _mm512_min_ps and _mm512_max_ps return their second operand if either is a NaN, hence the
// order of their operands here.
// Each lane by itself, errors as in docs/exactness.md; nothing throws.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <iterator>

#include "kernels/coefficients.h"
#include "kernels/unroll.h"

namespace galley::kernels::avx512 {

template <std::size_t n>
__m512 polynomial(const float (&coefficients)[n], __m512 x) {
  __m512 sum = _mm512_set1_ps(coefficients[0]);
  for (std::size_t i = 1; i < n; ++i) {
    sum = _mm512_fmadd_ps(sum, x, _mm512_set1_ps(coefficients[i]));
  }
  return sum;
}

template <std::size_t n>
__m512d polynomial(const double (&coefficients)[n], __m512d x) {
  __m512d sum = _mm512_set1_pd(coefficients[0]);
  for (std::size_t i = 1; i < n; ++i) {
    sum = _mm512_fmadd_pd(sum, x, _mm512_set1_pd(coefficients[i]));
  }
  return sum;
}

inline __m512 sign_bits() { return _mm512_set1_ps(-0.0f); }
inline __m512 absolute(__m512 x) { return _mm512_andnot_ps(sign_bits(), x); }
inline __mmask16 is_negative(__m512 x) {
  return _mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_LT_OQ);
}

// e^x for n registers, each step for all of them before the next: a CPU looks only so far ahead for
// something to do while one register's long chain of steps waits for itself.
template <int n>
GALLEY_INLINE inline void exp_of_each(__m512 (&x)[n]) {
  const __m512 round_to_int = _mm512_set1_ps(kRoundToInt);
  __m512 exponent[n];
  __m512 power[n];
  unroll<n>([&](auto i) GALLEY_INLINE {
    x[i.value] = _mm512_max_ps(_mm512_set1_ps(kExpLowest), x[i.value]);
    x[i.value] = _mm512_min_ps(_mm512_set1_ps(kExpHighest), x[i.value]);
  });
  unroll<n>([&](auto i) GALLEY_INLINE {
    const __m512 shifted = _mm512_fmadd_ps(x[i.value], _mm512_set1_ps(kLog2E), round_to_int);
    exponent[i.value] = _mm512_sub_ps(shifted, round_to_int);
  });
  unroll<n>([&](auto i) GALLEY_INLINE {  // what is left of x
    x[i.value] = _mm512_fnmadd_ps(exponent[i.value], _mm512_set1_ps(kLn2High), x[i.value]);
    power[i.value] = _mm512_set1_ps(kExpPolynomial[0]);
  });
  unroll<n>([&](auto i) GALLEY_INLINE {
    x[i.value] = _mm512_fnmadd_ps(exponent[i.value], _mm512_set1_ps(kLn2Low), x[i.value]);
  });
  unroll<std::size(kExpPolynomial) - 1>([&](auto term) GALLEY_INLINE {
    unroll<n>([&](auto i) GALLEY_INLINE {
      power[i.value] = _mm512_fmadd_ps(power[i.value], x[i.value],
                                       _mm512_set1_ps(kExpPolynomial[term.value + 1]));
    });
  });
  // power * 2^exponent, rounded once, as the two steps of the scalar code do.
  unroll<n>([&](auto i) GALLEY_INLINE {
    x[i.value] = _mm512_scalef_ps(power[i.value], exponent[i.value]);
  });
}

inline __m512 exp(__m512 x) {
  __m512 one[1] = {x};
  exp_of_each(one);
  return one[0];
}

inline __m512 sigmoid(__m512 x) {
  const __m512 one = _mm512_set1_ps(1.0f);
  const __m512 e = exp(_mm512_or_ps(x, sign_bits()));
  return _mm512_div_ps(_mm512_mask_mov_ps(one, is_negative(x), e), _mm512_add_ps(one, e));
}

inline __m512 tanh(__m512 x) {
  const __m512 one = _mm512_set1_ps(1.0f);
  const __m512 a = absolute(x);
  const __m512 square = _mm512_mul_ps(a, a);
  const __m512 small =
      _mm512_fmadd_ps(_mm512_mul_ps(a, square), polynomial(kTanhPolynomial, square), a);
  const __m512 e = exp(_mm512_add_ps(a, a));
  const __m512 large =
      _mm512_sub_ps(one, _mm512_div_ps(_mm512_set1_ps(2.0f), _mm512_add_ps(e, one)));
  const __mmask16 is_small = _mm512_cmp_ps_mask(a, _mm512_set1_ps(kTanhSmall), _CMP_LT_OQ);
  return _mm512_or_ps(_mm512_mask_mov_ps(large, is_small, small), _mm512_and_ps(x, sign_bits()));
}

inline __m512 normal_cdf(__m512 x) {
  const __m512 one = _mm512_set1_ps(1.0f);
  const __m512 minus_half = _mm512_set1_ps(-0.5f);
  const __m512 a = _mm512_min_ps(_mm512_set1_ps(kCdfLargest), absolute(x));
  const __m512 square = _mm512_mul_ps(a, a);
  const __m512 lost = _mm512_fmsub_ps(a, a, square);
  const __m512 e = exp(_mm512_mul_ps(minus_half, square));
  const __m512 density = _mm512_fmadd_ps(_mm512_mul_ps(minus_half, lost), e, e);
  const __m512 t = _mm512_div_ps(one, _mm512_fmadd_ps(a, _mm512_set1_ps(kCdfSlope), one));
  const __m512 tail = _mm512_mul_ps(density, _mm512_mul_ps(t, polynomial(kCdfPolynomial, t)));
  return _mm512_mask_mov_ps(_mm512_sub_ps(one, tail), is_negative(x), tail);
}

inline __m512 silu(__m512 x) { return _mm512_mul_ps(x, sigmoid(x)); }

inline __m512 gelu_tanh(__m512 x) {
  const __m512 slope =
      _mm512_fmadd_ps(_mm512_mul_ps(x, x), _mm512_set1_ps(kGeluCubic), _mm512_set1_ps(kGeluLinear));
  return _mm512_mul_ps(x, sigmoid(_mm512_mul_ps(x, slope)));
}

inline __m512 gelu_erf(__m512 x) { return _mm512_mul_ps(x, normal_cdf(x)); }

struct SinCos {
  __m512d sin;
  __m512d cos;
};

inline SinCos sincos(__m512d angle) {
  const __m512d round_to_int = _mm512_set1_pd(kRoundToIntDouble);
  const __m512d shifted = _mm512_fmadd_pd(angle, _mm512_set1_pd(kTwoOverPi), round_to_int);
  const __m512d n = _mm512_sub_pd(shifted, round_to_int);
  const __m512d high = _mm512_fnmadd_pd(n, _mm512_set1_pd(kHalfPiHigh), angle);
  const __m512d r = _mm512_fnmadd_pd(n, _mm512_set1_pd(kHalfPiLow), high);
  const __m512d square = _mm512_mul_pd(r, r);
  const __m512d s =
      _mm512_fmadd_pd(_mm512_mul_pd(r, square), polynomial(kSinPolynomial, square), r);
  const __m512d c = polynomial(kCosPolynomial, square);
  // Bit 0 of the quarter turns swaps sine and cosine; bit 1 becomes the sign bit of the sine,
  // bit 1 of the next quarter that of the cosine.
  const __m512i quarter = _mm512_castpd_si512(shifted);
  const __m512i bit1 = _mm512_set1_epi64(2);
  const __m512i next = _mm512_add_epi64(quarter, _mm512_set1_epi64(1));
  const __m512i sin_sign = _mm512_slli_epi64(_mm512_and_si512(quarter, bit1), 62);
  const __m512i cos_sign = _mm512_slli_epi64(_mm512_and_si512(next, bit1), 62);
  const __mmask8 swap = _mm512_test_epi64_mask(quarter, _mm512_set1_epi64(1));
  return {_mm512_xor_pd(_mm512_mask_mov_pd(s, swap, c), _mm512_castsi512_pd(sin_sign)),
          _mm512_xor_pd(_mm512_mask_mov_pd(c, swap, s), _mm512_castsi512_pd(cos_sign))};
}

}  // namespace galley::kernels::avx512
