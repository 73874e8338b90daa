// The numbers in the polynomials of scalar/math.h, avx2/math.h and avx512/math.h.
//
// Where it sits: under the math.h of each instruction set, which evaluate them by Horner's rule
// in the order given here, the highest power first. Constants only. Minimax polynomials (found
// by the Remez exchange, rounded to float) unless a comment says otherwise; their errors are in
// docs/exactness.md.
#pragma once

namespace galley::kernels {

// Added to a float of magnitude below 2^22, it leaves no bits for a fraction: the sum is
// rounded to an integer, ties to even, which then stands in its low bits. Likewise for double.
inline constexpr float kRoundToInt = 0x1.8p23f;
inline constexpr double kRoundToIntDouble = 0x1.8p52;

// e^r on [-ln 2 / 2, ln 2 / 2]: relative error 3e-9.
inline constexpr float kExpPolynomial[] = {
    0.0013814539415761828f,
    0.00836874544620514f,
    0.04166838899254799f,
    0.1666652113199234f,
    0.4999999403953552f,
    1.0f,
    1.0f,
};
inline constexpr float kLog2E = 0x1.715476p0f;
// ln 2 in two pieces; the first has 15 bits, so an exponent times it is exact.
inline constexpr float kLn2High = 0x1.62e4p-1f;
inline constexpr float kLn2Low = 0x1.7f7d1cp-20f;
// Beyond these e^x is 0 and infinity.
inline constexpr float kExpLowest = -104.0f;
inline constexpr float kExpHighest = 89.0f;

// (tanh(x) - x) / x^3 in powers of x^2, for |x| < kTanhSmall: relative error of tanh 4e-9.
inline constexpr float kTanhPolynomial[] = {
    -0.005717046093195677f, 0.02065058797597885f, -0.053743500262498856f,
    0.13331490755081177f,   -0.3333328366279602f,
};
inline constexpr float kTanhSmall = 0.625f;

// e^(a^2 / 2) times the normal distribution function at -a, 0 <= a <= kCdfLargest, in powers of
// t = 1 / (1 + 0.3 a), without the power 0: relative error 4e-9.
inline constexpr float kCdfPolynomial[] = {
    -0.020623337477445602f, 0.11243493854999542f, -0.22821210324764252f, 0.19178266823291779f,
    -0.07942204922437668f,  0.09615612030029297f, 0.07838987559080124f,  0.11023537814617157f,
    0.11957181990146637f,   0.11968669295310974f,
};
inline constexpr float kCdfSlope = 0.3f;
inline constexpr float kCdfLargest = 15.0f;  // e^(-15^2 / 2) rounds to 0

// 2 sqrt(2 / pi) and that times 0.044715: twice the argument of tanh in GELU.
inline constexpr float kGeluLinear = 1.5957691216057308f;
inline constexpr float kGeluCubic = 0.071354816272600250f;

// Sine and cosine of r in [-pi/4, pi/4] in powers of r^2: the Taylor series, to 1e-13.
// (sin(r) - r) / r^3:
inline constexpr double kSinPolynomial[] = {
    1.0 / 6227020800.0, -1.0 / 39916800.0, 1.0 / 362880.0, -1.0 / 5040.0, 1.0 / 120.0, -1.0 / 6.0,
};
// cos(r):
inline constexpr double kCosPolynomial[] = {
    -1.0 / 87178291200.0,
    1.0 / 479001600.0,
    -1.0 / 3628800.0,
    1.0 / 40320.0,
    -1.0 / 720.0,
    1.0 / 24.0,
    -0.5,
    1.0,
};
inline constexpr double kTwoOverPi = 0x1.45f306dc9c883p-1;
// pi/2 in two pieces, together exact to 2^-107.
inline constexpr double kHalfPiHigh = 0x1.921fb54442d18p0;
inline constexpr double kHalfPiLow = 0x1.1a62633145c07p-54;

}  // namespace galley::kernels
