// RMSNorm and LayerNorm: every instruction set gives the scalar bits; the scalar ones are near
// float64.
#include "tests/kernels/kernel_test.h"

namespace galley::test {
namespace {

class Norms : public IsaTest {};
GALLEY_FOR_EACH_ISA(Norms);

constexpr std::int64_t kWidths[] = {1, 2, 7, 8, 13, 16, 17, 24, 31, 33, 64, 80, 100, 257, 2048};

struct Shape {
  std::int64_t tokens;
  std::int64_t groups;
  std::int64_t width;
  std::int64_t stride;  // of x; y has one more, so that a mix-up shows
};

kernels::RmsNormArgs rms_args(const Shape& shape, const std::vector<float>& x,
                              const std::vector<float>* weight, std::vector<float>& y) {
  y.assign(static_cast<std::size_t>(shape.tokens * (shape.stride + 1)), 42.0f);
  kernels::RmsNormArgs args;
  args.x = x.data();
  args.x_stride = shape.stride;
  args.tokens = shape.tokens;
  args.groups = shape.groups;
  args.width = shape.width;
  args.weight = weight ? weight->data() : nullptr;
  args.eps = 1e-5f;
  args.y = y.data();
  args.y_stride = shape.stride + 1;
  return args;
}

Shape random_shape(Random& random, std::int64_t width) {
  const std::int64_t groups = random.integer(1, 3);
  return {random.integer(1, 5), groups, width, groups * width + random.integer(0, 3)};
}

TEST_P(Norms, RmsNormIsTheScalarOne) {
  Random random(1);
  for (const std::int64_t width : kWidths) {
    for (const bool extreme : {false, true}) {
      const Shape shape = random_shape(random, width);
      std::vector<float> x = random.floats(shape.tokens * shape.stride, 3.0f);
      if (extreme) random.spoil(x, 50);
      const std::vector<float> weight = random.floats(width);
      for (const auto* maybe_weight : {&weight, static_cast<const std::vector<float>*>(nullptr)}) {
        std::vector<float> expected, actual;
        scalar().rms_norm(rms_args(shape, x, maybe_weight, expected), Part{});
        for (const int n_parts : kPartCounts) {
          run_parts(kernels().rms_norm, rms_args(shape, x, maybe_weight, actual), n_parts);
          EXPECT_TRUE(same_bits(expected, actual, shape.stride + 1)) << width << " x " << n_parts;
        }
      }
    }
  }
}

kernels::LayerNormArgs layer_args(const Shape& shape, const std::vector<float>& x,
                                  const float* weight, const float* bias,
                                  std::int64_t weight_stride, std::vector<float>& y) {
  y.assign(static_cast<std::size_t>(shape.tokens * (shape.stride + 1)), 42.0f);
  kernels::LayerNormArgs args;
  args.x = x.data();
  args.x_stride = shape.stride;
  args.tokens = shape.tokens;
  args.groups = shape.groups;
  args.width = shape.width;
  args.weight = weight;
  args.bias = bias;
  args.weight_stride = weight_stride;
  args.eps = 1e-5f;
  args.y = y.data();
  args.y_stride = shape.stride + 1;
  return args;
}

TEST_P(Norms, LayerNormIsTheScalarOne) {
  Random random(2);
  for (const std::int64_t width : kWidths) {
    for (int variant = 0; variant < 8; ++variant) {
      const Shape shape = random_shape(random, width);
      std::vector<float> x = random.floats(shape.tokens * shape.stride, 3.0f);
      if (variant >= 4) random.spoil(x, 50);
      const std::vector<float> weight = random.floats(width * shape.groups);
      const std::vector<float> bias = random.floats(width * shape.groups);
      const float* w = variant & 1 ? weight.data() : nullptr;
      const float* b = variant & 2 ? bias.data() : nullptr;
      for (const std::int64_t weight_stride : {std::int64_t{0}, width}) {
        std::vector<float> expected, actual;
        scalar().layer_norm(layer_args(shape, x, w, b, weight_stride, expected), Part{});
        for (const int n_parts : kPartCounts) {
          run_parts(kernels().layer_norm, layer_args(shape, x, w, b, weight_stride, actual),
                    n_parts);
          EXPECT_TRUE(same_bits(expected, actual, shape.stride + 1)) << width << " x " << n_parts;
        }
      }
    }
  }
}

TEST_P(Norms, InPlace) {
  const Shape shape = {2, 1, 37, 37};
  std::vector<float> x = Random(3).floats(2 * 37);
  std::vector<float> expected;
  kernels::RmsNormArgs args = rms_args(shape, x, nullptr, expected);
  args.y_stride = 37;
  expected.resize(x.size());
  args.y = expected.data();
  kernels().rms_norm(args, Part{});
  args.y = x.data();
  kernels().rms_norm(args, Part{});
  EXPECT_TRUE(same_bits(expected, x));
}

// mean(x^2): width / 16 + 6 roundings at most in each partial sum and the tree, halved by the
// square root; three more for root, quotient and product, one for the weight.
TEST(NormsScalar, RmsNormIsNearFloat64) {
  Random random(4);
  for (const std::int64_t width : kWidths) {
    const Shape shape = {1, 1, width, width};
    const std::vector<float> x = random.floats(width, 5.0f);
    const std::vector<float> weight = random.floats(width);
    std::vector<float> y;
    kernels::scalar::rms_norm(rms_args(shape, x, &weight, y), Part{});
    y.resize(x.size());
    double squares = 0;
    for (const float value : x) squares += double{value} * double{value};
    const double root = std::sqrt(squares / static_cast<double>(width) + double{1e-5f});
    std::vector<double> expected, bounds;
    for (std::size_t i = 0; i < x.size(); ++i) {
      expected.push_back(double{x[i]} / root * double{weight[i]});
      bounds.push_back((static_cast<double>(width) / 32 + 8) * kEpsilon * std::abs(expected[i]));
    }
    EXPECT_TRUE(within(expected, bounds, y)) << width;
  }
}

TEST(NormsScalar, LayerNormIsNearFloat64) {
  Random random(5);
  for (const std::int64_t width : kWidths) {
    if (width < 7) continue;  // the bound below needs a variance of the order of 1
    const Shape shape = {1, 1, width, width};
    std::vector<float> x = random.floats(width);
    for (float& value : x) value += 2.0f;
    const std::vector<float> weight = random.floats(width);
    const std::vector<float> bias = random.floats(width);
    std::vector<float> y;
    kernels::scalar::layer_norm(layer_args(shape, x, weight.data(), bias.data(), 0, y), Part{});
    y.resize(x.size());
    double mean = 0;
    for (const float value : x) mean += double{value} / static_cast<double>(width);
    double variance = 0;
    for (const float value : x) {
      variance += (double{value} - mean) * (double{value} - mean) / static_cast<double>(width);
    }
    const double root = std::sqrt(variance + double{1e-5f});
    std::vector<double> expected, bounds;
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double normed = (double{x[i]} - mean) / root;
      expected.push_back(normed * double{weight[i]} + double{bias[i]});
      // The error of the mean (n roundings of values near 3) moves every element alike.
      const double n = static_cast<double>(width) / 16 + 6;
      bounds.push_back(4 * n * kEpsilon *
                       (std::abs(double{weight[i]}) * (std::abs(normed) + 3 / root) +
                        std::abs(double{bias[i]})));
    }
    EXPECT_TRUE(within(expected, bounds, y)) << width;
  }
}

// A zero vector is divided by sqrt(eps), not by zero; a NaN spreads over its vector only.
TEST_P(Norms, ZerosAndNaNs) {
  const Shape shape = {2, 1, 20, 20};
  std::vector<float> x(40, 0.0f);
  x[25] = kNaN;
  std::vector<float> y;
  kernels().rms_norm(rms_args(shape, x, nullptr, y), Part{});
  for (std::size_t i = 0; i < 20; ++i) {
    EXPECT_EQ(y[i], 0.0f);
    EXPECT_TRUE(std::isnan(y[21 + i]));
  }
}

}  // namespace
}  // namespace galley::test
