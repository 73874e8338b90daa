// Softmax: every instruction set gives the scalar bits; the scalar one is near float64.
#include "tests/kernels/kernel_test.h"

namespace galley::test {
namespace {

class Softmax : public IsaTest {};
GALLEY_FOR_EACH_ISA(Softmax);

constexpr std::int64_t kWidths[] = {1, 3, 8, 9, 15, 16, 17, 31, 32, 33, 100, 1000};

std::vector<float> run(void (*kernel)(const kernels::SoftmaxArgs&, Part),
                       const std::vector<float>& x, std::int64_t width, int n_parts) {
  const std::int64_t tokens = std::ssize(x) / width;
  std::vector<float> y(x.size());
  run_parts(kernel, kernels::SoftmaxArgs{x.data(), width, tokens, width, y.data(), width}, n_parts);
  return y;
}

TEST_P(Softmax, IsTheScalarOne) {
  Random random(1);
  for (const std::int64_t width : kWidths) {
    for (const float deviation : {1.0f, 30.0f}) {
      const std::vector<float> x = random.floats(4 * width, deviation);
      const std::vector<float> expected = run(scalar().softmax, x, width, 1);
      for (const int n_parts : kPartCounts) {
        EXPECT_TRUE(same_bits(expected, run(kernels().softmax, x, width, n_parts), width))
            << width << " x " << n_parts;
      }
    }
  }
}

TEST_P(Softmax, IsTheScalarOneForExtremeValues) {
  Random random(2);
  for (const std::int64_t width : kWidths) {
    for (int round = 0; round < 20; ++round) {
      std::vector<float> x = random.floats(2 * width);
      if (round % 2 == 0) {
        random.spoil(x, 10);
      } else {
        for (float& value : x) value = random.integer(0, 2) == 0 ? value : -kInf;
      }
      EXPECT_TRUE(
          same_bits(run(scalar().softmax, x, width, 1), run(kernels().softmax, x, width, 1), width))
          << width;
    }
  }
}

TEST_P(Softmax, ValuesByHand) {
  const float ln2 = std::log(2.0f);
  const std::vector<float> y = run(kernels().softmax, {0.0f, ln2, -kInf, ln2 + ln2}, 4, 1);
  EXPECT_NEAR(y[0], 1.0 / 7, 1e-7);
  EXPECT_NEAR(y[1], 2.0 / 7, 1e-7);
  EXPECT_EQ(y[2], 0.0f);
  EXPECT_NEAR(y[3], 4.0 / 7, 1e-7);
}

TEST_P(Softmax, InPlace) {
  std::vector<float> x = Random(3).floats(37);
  const std::vector<float> expected = run(kernels().softmax, x, 37, 1);
  kernels().softmax(kernels::SoftmaxArgs{x.data(), 37, 1, 37, x.data(), 37}, Part{});
  EXPECT_TRUE(same_bits(expected, x));
}

// Rounding x - max costs |x - max| epsilon in the exponent; exp, sum and quotient a few more.
TEST(SoftmaxScalar, IsNearFloat64) {
  Random random(4);
  for (const std::int64_t width : kWidths) {
    const std::vector<float> x = random.floats(width, 5.0f);
    const std::vector<float> y = run(kernels::scalar::softmax, x, width, 1);
    const double max = *std::max_element(x.begin(), x.end());
    double sum = 0;
    for (const float value : x) sum += std::exp(double{value} - max);
    std::vector<double> expected, bounds;
    for (const float value : x) {
      expected.push_back(std::exp(double{value} - max) / sum);
      const double roundings = max - double{value} + static_cast<double>(width) / 16 + 40;
      bounds.push_back(roundings * kEpsilon * expected.back());
    }
    EXPECT_TRUE(within(expected, bounds, y)) << width;
  }
}

}  // namespace
}  // namespace galley::test
