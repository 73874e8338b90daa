// The functions of the model's formulas, as polynomials of our own.
//
// Where it sits: the scalar kernels call these; avx2/math.h and avx512/math.h are the same
// operations in the same order on 8 and 16 values at once, so that every instruction set gives
// the same bits. Errors are stated in docs/exactness.md and tested over the whole range in
// tests/kernels/math.cpp. The coefficients are minimax polynomials (Remez exchange), rounded
// to float; those of sine and cosine are the Taylor series.
// A NaN gives a NaN everywhere.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

namespace galley::kernels::scalar {

// Added to a number of magnitude below 2^22, it leaves no bits for a fraction: the sum is
// rounded to an integer, ties to even, which then stands in its low bits.
inline constexpr float kRoundToInt = 0x1.8p23f;

// 2^n for n in [-126, 127]: the bits of a float with that exponent.
inline float pow2(std::int32_t n) {
  return std::bit_cast<float>((static_cast<std::uint32_t>(n) + 127u) << 23);
}

// e^x. x = n ln 2 + r with |r| <= ln 2 / 2, so e^x = 2^n e^r. Results below the smallest normal
// number lose bits gradually; e^-inf = 0, e^inf = inf.
inline float exp(float x) {
  x = x < -104.0f ? -104.0f : x;  // e^-104 rounds to 0
  x = x > 89.0f ? 89.0f : x;      // e^89 overflows to inf
  const float shifted = std::fma(x, 0x1.715476p0f, kRoundToInt);
  const float n = shifted - kRoundToInt;
  float r = std::fma(n, -0x1.62e4p-1f, x);  // ln 2 in two pieces: n times the first is exact
  r = std::fma(n, -0x1.7f7d1cp-20f, r);
  float p = 0.0013814539415761828f;
  p = std::fma(p, r, 0.00836874544620514f);
  p = std::fma(p, r, 0.04166838899254799f);
  p = std::fma(p, r, 0.1666652113199234f);
  p = std::fma(p, r, 0.4999999403953552f);
  p = std::fma(p, r, 1.0f);
  p = std::fma(p, r, 1.0f);
  // In two steps, since 2^n itself may be too small or too large for a float.
  const std::int32_t n_int =
      std::bit_cast<std::int32_t>(shifted) - std::bit_cast<std::int32_t>(kRoundToInt);
  const std::int32_t half = n_int >> 1;
  return p * pow2(half) * pow2(n_int - half);
}

// 1 / (1 + e^-x), from e^-|x|, which cannot overflow: accurate at both ends.
inline float sigmoid(float x) {
  const float e = exp(-std::fabs(x));
  return (x < 0.0f ? e : 1.0f) / (1.0f + e);
}

// tanh x: an odd polynomial near 0, where 1 - 2 / (e^2x + 1) would cancel.
inline float tanh(float x) {
  const float a = std::fabs(x);
  const float z = a * a;
  float p = -0.005717046093195677f;
  p = std::fma(p, z, 0.02065058797597885f);
  p = std::fma(p, z, -0.053743500262498856f);
  p = std::fma(p, z, 0.13331490755081177f);
  p = std::fma(p, z, -0.3333328366279602f);
  const float small = std::fma(a * z, p, a);
  const float large = 1.0f - 2.0f / (exp(a + a) + 1.0f);
  return std::copysign(a < 0.625f ? small : large, x);
}

// The standard normal distribution function, (1 + erf(x / sqrt 2)) / 2, which is what GELU
// needs. Below 0 it is e^(-x^2 / 2) times a slowly falling factor, a polynomial in
// t = 1 / (1 + 0.3 |x|) (the form of Abramowitz & Stegun 7.1.26): nothing cancels, so its
// relative error is small on the negative side too.
inline float normal_cdf(float x) {
  float a = std::fabs(x);
  a = a > 15.0f ? 15.0f : a;  // e^(-15^2 / 2) rounds to 0
  const float square = a * a;
  const float rest = std::fma(a, a, -square);  // what rounding the square lost
  float e = exp(-0.5f * square);
  e = std::fma(-0.5f * rest, e, e);
  const float t = 1.0f / std::fma(a, 0.3f, 1.0f);
  float p = -0.020623337477445602f;
  p = std::fma(p, t, 0.11243493854999542f);
  p = std::fma(p, t, -0.22821210324764252f);
  p = std::fma(p, t, 0.19178266823291779f);
  p = std::fma(p, t, -0.07942204922437668f);
  p = std::fma(p, t, 0.09615612030029297f);
  p = std::fma(p, t, 0.07838987559080124f);
  p = std::fma(p, t, 0.11023537814617157f);
  p = std::fma(p, t, 0.11957181990146637f);
  p = std::fma(p, t, 0.11968669295310974f);
  const float tail = e * (p * t);
  return x < 0.0f ? tail : 1.0f - tail;
}

struct SinCos {
  double sin;
  double cos;
};

// sin and cos of an angle in radians, |angle| < 2^31. angle = n pi/2 + r with |r| <= pi/4; the
// Taylor series of r; the quarter turns n pick the function and the sign.
inline SinCos sincos(double angle) {
  constexpr double round_to_int = 0x1.8p52;
  const double shifted = std::fma(angle, 0x1.45f306dc9c883p-1, round_to_int);
  const double n = shifted - round_to_int;
  double r = std::fma(n, -0x1.921fb54442d18p0, angle);  // pi/2 in two pieces
  r = std::fma(n, -0x1.1a62633145c07p-54, r);
  const double z = r * r;
  double s = 1.0 / 6227020800.0;  // 1/13!
  s = std::fma(s, z, -1.0 / 39916800.0);
  s = std::fma(s, z, 1.0 / 362880.0);
  s = std::fma(s, z, -1.0 / 5040.0);
  s = std::fma(s, z, 1.0 / 120.0);
  s = std::fma(s, z, -1.0 / 6.0);
  s = std::fma(s, z * r, r);
  double c = -1.0 / 87178291200.0;  // 1/14!
  c = std::fma(c, z, 1.0 / 479001600.0);
  c = std::fma(c, z, -1.0 / 3628800.0);
  c = std::fma(c, z, 1.0 / 40320.0);
  c = std::fma(c, z, -1.0 / 720.0);
  c = std::fma(c, z, 1.0 / 24.0);
  c = std::fma(c, z, -0.5);
  c = std::fma(c, z, 1.0);
  const auto quarter = std::bit_cast<std::uint64_t>(shifted);
  const double sin = quarter & 1 ? c : s;
  const double cos = quarter & 1 ? s : c;
  return {quarter & 2 ? -sin : sin, (quarter + 1) & 2 ? -cos : cos};
}

}  // namespace galley::kernels::scalar
