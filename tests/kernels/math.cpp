// The polynomials of kernels/scalar/math.h against float64, over the whole range of floats.
// The other instruction sets are held to the scalar bits in elementwise.cpp and softmax.cpp.
#include "kernels/scalar/math.h"

#include <cfloat>
#include <cstdio>

#include "tests/kernels/kernel_test.h"

namespace galley::test {
namespace {

namespace math = kernels::scalar;

// The distance of neighbouring floats at `value`.
double ulp(double value) {
  const double magnitude = std::abs(value);
  if (magnitude < double{FLT_MIN}) return 0x1p-149;
  return std::ldexp(1.0, std::ilogb(magnitude) - 23);
}

struct Worst {
  double ulps = 0;
  float at = 0;
};

// The largest error of `f` against `reference` in ulps of the true result, among about a
// million floats of every sign and exponent between `low` and `high`. Where the true result
// is beyond the largest float, infinity is expected.
template <typename F, typename Reference>
Worst worst_error(F f, Reference reference, float low, float high) {
  constexpr std::uint64_t kStride = 4099;
  Worst worst;
  for (std::uint64_t bits = 0; bits < (std::uint64_t{1} << 32); bits += kStride) {
    const auto x = std::bit_cast<float>(static_cast<std::uint32_t>(bits));
    if (!(x >= low && x <= high)) continue;
    const double exact = reference(double{x});
    const double value = f(x);
    double ulps = std::abs(value - exact) / ulp(exact);
    if (std::abs(exact) > double{FLT_MAX}) {
      ulps = std::isinf(value) ? 0 : kInf;
    } else if (!std::isfinite(value)) {
      // Infinity is a rounding of a result within half an ulp of the end of the range.
      ulps = std::abs(exact) / double{FLT_MAX} > 1 - 0x1p-23 ? 1 : kInf;
    }
    if (!(ulps <= worst.ulps)) worst = {ulps, x};
  }
  return worst;
}

// Checks `worst.ulps <= bound` and keeps the figure for the reader (ctest -V, docs/exactness.md).
void expect_at_most(const char* name, const Worst& worst, double bound) {
  std::printf("%s: at most %.3f ulp, at %.9g\n", name, worst.ulps, double{worst.at});
  EXPECT_LE(worst.ulps, bound) << name << " at " << worst.at;
}

double normal_cdf(double x) { return 0.5 * std::erfc(-x / std::sqrt(2.0)); }

TEST(Math, Exp) {
  const auto reference = [](double x) { return std::exp(x); };
  expect_at_most("exp", worst_error(math::exp, reference, -kInf, kInf), 1.0);
}

TEST(Math, ExpAtTheEnds) {
  EXPECT_EQ(math::exp(0.0f), 1.0f);
  EXPECT_EQ(math::exp(-0.0f), 1.0f);
  EXPECT_EQ(math::exp(kInf), kInf);
  EXPECT_EQ(math::exp(FLT_MAX), kInf);
  EXPECT_TRUE(same_bits(math::exp(-kInf), 0.0f));
  EXPECT_TRUE(same_bits(math::exp(-FLT_MAX), 0.0f));
  EXPECT_EQ(math::exp(-103.9f), 0x1p-149f);  // the smallest denormal
  EXPECT_TRUE(std::isnan(math::exp(kNaN)));
  EXPECT_TRUE(std::isnan(math::exp(-kNaN)));
}

TEST(Math, Sigmoid) {
  const auto reference = [](double x) { return 1.0 / (1.0 + std::exp(-x)); };
  expect_at_most("sigmoid", worst_error(math::sigmoid, reference, -kInf, kInf), 2.5);
  EXPECT_TRUE(same_bits(math::sigmoid(-kInf), 0.0f));
  EXPECT_EQ(math::sigmoid(kInf), 1.0f);
  EXPECT_TRUE(std::isnan(math::sigmoid(kNaN)));
}

TEST(Math, Tanh) {
  const auto reference = [](double x) { return std::tanh(x); };
  expect_at_most("tanh", worst_error(math::tanh, reference, -kInf, kInf), 2.0);
  EXPECT_EQ(math::tanh(-kInf), -1.0f);
  EXPECT_EQ(math::tanh(kInf), 1.0f);
  EXPECT_TRUE(same_bits(math::tanh(-0.0f), -0.0f));
  EXPECT_TRUE(std::isnan(math::tanh(kNaN)));
}

TEST(Math, NormalCdf) {
  expect_at_most("normal_cdf", worst_error(math::normal_cdf, normal_cdf, -kInf, kInf), 8.0);
  EXPECT_TRUE(same_bits(math::normal_cdf(-kInf), 0.0f));
  EXPECT_EQ(math::normal_cdf(kInf), 1.0f);
  EXPECT_EQ(math::normal_cdf(0.0f), 0.5f);
  EXPECT_TRUE(std::isnan(math::normal_cdf(kNaN)));
}

TEST(Math, Silu) {
  const auto reference = [](double x) { return x / (1.0 + std::exp(-x)); };
  expect_at_most("silu", worst_error(math::silu, reference, -87.0f, FLT_MAX), 3.5);
}

TEST(Math, GeluErf) {
  const auto reference = [](double x) { return x * normal_cdf(x); };
  expect_at_most("gelu_erf", worst_error(math::gelu_erf, reference, -13.0f, FLT_MAX), 9.0);
}

// The argument of the exponential is rounded to float, so for very negative x, where the
// result is next to nothing, the relative error grows with |x|.
TEST(Math, GeluTanh) {
  const auto reference = [](double x) {
    const double u = std::sqrt(2 / std::acos(-1.0)) * (x + 0.044715 * x * x * x);
    return x / (1.0 + std::exp(-2 * u));
  };
  expect_at_most("gelu_tanh (x >= -3)", worst_error(math::gelu_tanh, reference, -3.0f, FLT_MAX),
                 16.0);
  expect_at_most("gelu_tanh", worst_error(math::gelu_tanh, reference, -9.5f, FLT_MAX), 128.0);
}

// Angles of a random position and frequency, and small ones.
TEST(Math, SinCos) {
  double worst = 0;
  Random random(7);
  for (int i = 0; i < 1000000; ++i) {
    const double frequency = std::pow(10.0, -static_cast<double>(random.integer(0, 8000)) / 1000);
    const double angle = static_cast<double>(random.integer(-1000, 2000000)) * frequency;
    const math::SinCos turn = math::sincos(angle);
    worst =
        std::max(worst, std::abs(static_cast<double>(turn.sin - std::sin((long double){angle}))));
    worst =
        std::max(worst, std::abs(static_cast<double>(turn.cos - std::cos((long double){angle}))));
  }
  std::printf("sin, cos: at most %.3g\n", worst);
  EXPECT_LE(worst, 1e-13);
}

TEST(Math, SinCosOfQuarterTurns) {
  const math::SinCos zero = math::sincos(0.0);
  EXPECT_EQ(zero.sin, 0.0);
  EXPECT_EQ(zero.cos, 1.0);
  for (int quarter = -8; quarter <= 8; ++quarter) {
    const double angle = quarter * std::acos(0.0);
    EXPECT_NEAR(math::sincos(angle).sin, std::sin(angle), 1e-15) << quarter;
    EXPECT_NEAR(math::sincos(angle).cos, std::cos(angle), 1e-15) << quarter;
  }
  EXPECT_TRUE(std::isnan(math::sincos(double{kInf}).sin));
  EXPECT_TRUE(std::isnan(math::sincos(double{kNaN}).cos));
}

// The measure itself notices a polynomial that lost its last coefficient.
TEST(Math, WorstErrorNoticesMutants) {
  const auto reference = [](double x) { return std::exp(x); };
  const auto off_by_one_ulp = [](float x) { return std::nextafter(math::exp(x), kInf); };
  EXPECT_GT(worst_error(off_by_one_ulp, reference, -10.0f, 10.0f).ulps, 1.4);
  const auto no_overflow = [](float x) { return std::min(math::exp(x), FLT_MAX); };
  EXPECT_GT(worst_error(no_overflow, reference, -kInf, kInf).ulps, 1e6);
}

}  // namespace
}  // namespace galley::test
