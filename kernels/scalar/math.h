// The functions of the model's formulas, as polynomials of our own.
//
// Where it sits: the scalar kernels call these; avx2/math.h and avx512/math.h are the same
// operations in the same order on 8 and 16 values at once, so that every instruction set gives
// the same bits. Errors are stated in docs/exactness.md and tested over the whole range in
// tests/kernels/math.cpp. A NaN gives a NaN everywhere.
#pragma once

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "kernels/coefficients.h"

namespace galley::kernels::scalar {

// Horner's rule; the highest power comes first.
template <typename T, std::size_t n>
T polynomial(const T (&coefficients)[n], T x) {
  T sum = coefficients[0];
  for (std::size_t i = 1; i < n; ++i) sum = std::fma(sum, x, coefficients[i]);
  return sum;
}

// 2^n for n in [-126, 127]: the bits of a float with that exponent.
inline float pow2(std::int32_t n) {
  return std::bit_cast<float>((static_cast<std::uint32_t>(n) + 127u) << 23);
}

// e^x. x = n ln 2 + r with |r| <= ln 2 / 2, so e^x = 2^n e^r. Results below the smallest normal
// number lose bits gradually; e^-inf = 0, e^inf = inf.
inline float exp(float x) {
  x = x < kExpLowest ? kExpLowest : x;
  x = x > kExpHighest ? kExpHighest : x;
  const float shifted = std::fma(x, kLog2E, kRoundToInt);
  const float n = shifted - kRoundToInt;
  const float r = std::fma(n, -kLn2Low, std::fma(n, -kLn2High, x));
  const float power = polynomial(kExpPolynomial, r);
  // In two steps, since 2^n itself may be too small or too large for a float.
  const std::int32_t n_int =
      std::bit_cast<std::int32_t>(shifted) - std::bit_cast<std::int32_t>(kRoundToInt);
  const std::int32_t half = n_int >> 1;
  return power * pow2(half) * pow2(n_int - half);
}

// 1 / (1 + e^-x), from e^-|x|, which cannot overflow: accurate at both ends.
inline float sigmoid(float x) {
  const float e = exp(-std::fabs(x));
  return (x < 0.0f ? e : 1.0f) / (1.0f + e);
}

// tanh x: an odd polynomial near 0, where 1 - 2 / (e^2x + 1) would cancel.
inline float tanh(float x) {
  const float a = std::fabs(x);
  const float square = a * a;
  const float small = std::fma(a * square, polynomial(kTanhPolynomial, square), a);
  const float large = 1.0f - 2.0f / (exp(a + a) + 1.0f);
  return std::copysign(a < kTanhSmall ? small : large, x);
}

// The standard normal distribution function, (1 + erf(x / sqrt 2)) / 2, which is what GELU
// needs. Below 0 it is e^(-x^2 / 2) times a slowly falling factor, a polynomial in
// t = 1 / (1 + 0.3 |x|) (the form of Abramowitz & Stegun 7.1.26): nothing cancels, so its
// relative error is small on the negative side too.
inline float normal_cdf(float x) {
  float a = std::fabs(x);
  a = a > kCdfLargest ? kCdfLargest : a;
  const float square = a * a;
  const float lost = std::fma(a, a, -square);  // by rounding the square
  const float e = exp(-0.5f * square);
  const float density = std::fma(-0.5f * lost, e, e);
  const float t = 1.0f / std::fma(a, kCdfSlope, 1.0f);
  const float tail = density * (t * polynomial(kCdfPolynomial, t));
  return x < 0.0f ? tail : 1.0f - tail;
}

// x * sigmoid(x).
inline float silu(float x) { return x * sigmoid(x); }

// x (1 + tanh(u)) / 2 with u = sqrt(2 / pi) (x + 0.044715 x^3). (1 + tanh u) / 2 is
// sigmoid(2 u), which does not cancel where x is negative.
inline float gelu_tanh(float x) {
  return x * sigmoid(x * std::fma(x * x, kGeluCubic, kGeluLinear));
}

// x (1 + erf(x / sqrt 2)) / 2.
inline float gelu_erf(float x) { return x * normal_cdf(x); }

struct SinCos {
  double sin;
  double cos;
};

// sin and cos of an angle in radians, |angle| < 2^31. angle = n pi/2 + r with |r| <= pi/4; the
// Taylor series of r; the quarter turns n pick the function and the sign.
inline SinCos sincos(double angle) {
  const double shifted = std::fma(angle, kTwoOverPi, kRoundToIntDouble);
  const double n = shifted - kRoundToIntDouble;
  const double r = std::fma(n, -kHalfPiLow, std::fma(n, -kHalfPiHigh, angle));
  const double square = r * r;
  const double s = std::fma(r * square, polynomial(kSinPolynomial, square), r);
  const double c = polynomial(kCosPolynomial, square);
  const auto quarter = std::bit_cast<std::uint64_t>(shifted);
  const double sin = quarter & 1 ? c : s;
  const double cos = quarter & 1 ? s : c;
  return {quarter & 2 ? -sin : sin, (quarter + 1) & 2 ? -cos : cos};
}

}  // namespace galley::kernels::scalar
