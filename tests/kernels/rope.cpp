// RoPE: every instruction set gives the scalar bits; angles are exact at any position; turning
// keeps the length of a pair and depends on the distance of two positions alone.
#include "tests/kernels/kernel_test.h"

namespace galley::test {
namespace {

using kernels::RopeLayout;

class Rope : public IsaTest {};
GALLEY_FOR_EACH_ISA(Rope);

// 10000^(-2 i / n): the usual frequencies.
std::vector<double> frequencies(std::int64_t n_rotated) {
  std::vector<double> result;
  for (std::int64_t i = 0; i < n_rotated / 2; ++i) {
    result.push_back(
        std::pow(10000.0, -2.0 * static_cast<double>(i) / static_cast<double>(n_rotated)));
  }
  return result;
}

std::vector<float> table(void (*kernel)(const kernels::RopeTableArgs&, Part),
                         const std::vector<std::int32_t>& positions, std::int64_t n_rotated,
                         int n_parts = 1) {
  const std::vector<double> frequency = frequencies(n_rotated);
  std::vector<float> result(positions.size() * static_cast<std::size_t>(n_rotated), 42.0f);
  run_parts(kernel,
            kernels::RopeTableArgs{positions.data(), std::ssize(positions), frequency.data(),
                                   n_rotated, 1.0f, result.data()},
            n_parts);
  return result;
}

TEST_P(Rope, TableIsTheScalarOne) {
  const std::vector<std::int32_t> positions = {0, 1, 2, 17, 4095, 100000, 2000000000};
  for (const std::int64_t n_rotated : {2, 6, 8, 10, 14, 16, 18, 32, 64, 96, 128}) {
    const std::vector<float> expected = table(scalar().rope_table, positions, n_rotated);
    for (const int n_parts : kPartCounts) {
      EXPECT_TRUE(same_bits(expected, table(kernels().rope_table, positions, n_rotated, n_parts),
                            n_rotated))
          << n_rotated << " x " << n_parts;
    }
  }
}

TEST_P(Rope, TableIsExactToTheLastBit) {
  const std::vector<std::int32_t> positions = {0, 1, 511, 100000, 1000003};
  const std::vector<float> rows = table(kernels().rope_table, positions, 64);
  const std::vector<double> frequency = frequencies(64);
  for (std::size_t t = 0; t < positions.size(); ++t) {
    for (std::size_t i = 0; i < 32; ++i) {
      const double angle = positions[t] * frequency[i];
      EXPECT_NEAR(rows[64 * t + 2 * i], std::cos(angle), 0.5001 * 0x1p-24) << positions[t];
      EXPECT_NEAR(rows[64 * t + 2 * i + 1], std::sin(angle), 0.5001 * 0x1p-24) << positions[t];
    }
  }
}

TEST_P(Rope, TableIsScaled) {
  const std::int32_t position = 3;
  const double frequency = 0.25;
  float row[2];
  kernels().rope_table(kernels::RopeTableArgs{&position, 1, &frequency, 2, 1.5f, row}, Part{});
  EXPECT_NEAR(row[0], 1.5 * std::cos(0.75), 1e-7);
  EXPECT_NEAR(row[1], 1.5 * std::sin(0.75), 1e-7);
}

struct Shape {
  std::int64_t heads;
  std::int64_t head_size;
  std::int64_t n_rotated;
  RopeLayout layout;
};

std::vector<float> rotate(void (*kernel)(const kernels::RopeArgs&, Part), const Shape& shape,
                          const std::vector<float>& x, const std::vector<float>& turns,
                          int n_parts = 1) {
  const std::int64_t width = shape.heads * shape.head_size;
  const std::int64_t tokens = std::ssize(x) / width;
  std::vector<float> y(static_cast<std::size_t>(tokens * (width + 1)), 42.0f);
  kernels::RopeArgs args;
  args.x = x.data();
  args.x_stride = width;
  args.tokens = tokens;
  args.heads = shape.heads;
  args.head_size = shape.head_size;
  args.n_rotated = shape.n_rotated;
  args.layout = shape.layout;
  args.table = turns.data();
  args.y = y.data();
  args.y_stride = width + 1;
  run_parts(kernel, args, n_parts);
  return y;
}

constexpr RopeLayout kLayouts[] = {RopeLayout::kInterleaved, RopeLayout::kHalfSplit};

TEST_P(Rope, IsTheScalarOne) {
  Random random(1);
  const std::vector<std::int32_t> positions = {5, 0, 70000};
  for (const RopeLayout layout : kLayouts) {
    for (const std::int64_t n_rotated : {2, 6, 8, 10, 16, 18, 30, 32, 34, 64, 80, 128}) {
      for (const std::int64_t rest : {0, 1, 8, 21}) {
        const Shape shape = {random.integer(1, 4), n_rotated + rest, n_rotated, layout};
        std::vector<float> x = random.floats(3 * shape.heads * shape.head_size);
        random.spoil(x, 40);
        const std::vector<float> turns = table(scalar().rope_table, positions, n_rotated);
        const std::vector<float> expected = rotate(scalar().rope, shape, x, turns);
        for (const int n_parts : kPartCounts) {
          EXPECT_TRUE(same_bits(expected, rotate(kernels().rope, shape, x, turns, n_parts),
                                shape.heads * shape.head_size + 1))
              << n_rotated << " of " << shape.head_size << " x " << n_parts;
        }
      }
    }
  }
}

TEST_P(Rope, InPlace) {
  for (const RopeLayout layout : kLayouts) {
    const Shape shape = {1, 50, 44, layout};
    std::vector<float> x = Random(2).floats(50);
    const std::vector<float> turns = table(scalar().rope_table, {77}, 44);
    std::vector<float> expected = rotate(kernels().rope, shape, x, turns);
    expected.resize(50);
    kernels().rope(
        kernels::RopeArgs{x.data(), 50, 1, 1, 50, 44, layout, turns.data(), x.data(), 50}, Part{});
    EXPECT_TRUE(same_bits(expected, x));
  }
}

// A quarter turn by hand: (a, b) becomes (-b, a).
TEST_P(Rope, PairsAreWhereTheLayoutSays) {
  const std::vector<float> quarter = {0.0f, 1.0f, 1.0f, 0.0f};  // pair 0 turns, pair 1 stays
  const std::vector<float> x = {1.0f, 2.0f, 3.0f, 4.0f};
  std::vector<float> y = rotate(kernels().rope, {1, 4, 4, RopeLayout::kInterleaved}, x, quarter);
  EXPECT_EQ(y, (std::vector<float>{-2.0f, 1.0f, 3.0f, 4.0f, 42.0f}));
  y = rotate(kernels().rope, {1, 4, 4, RopeLayout::kHalfSplit}, x, quarter);
  EXPECT_EQ(y, (std::vector<float>{-3.0f, 2.0f, 1.0f, 4.0f, 42.0f}));
}

TEST(RopeScalar, KeepsTheLengthOfPairs) {
  for (const RopeLayout layout : kLayouts) {
    const Shape shape = {1, 64, 64, layout};
    const std::vector<float> x = Random(3).floats(64);
    const std::vector<float> turns = table(kernels::scalar::rope_table, {12345}, 64);
    const std::vector<float> y = rotate(kernels::scalar::rope, shape, x, turns);
    for (std::size_t i = 0; i < 32; ++i) {
      const std::size_t a = layout == RopeLayout::kInterleaved ? 2 * i : i;
      const std::size_t b = layout == RopeLayout::kInterleaved ? 2 * i + 1 : i + 32;
      const double before = std::hypot(double{x[a]}, double{x[b]});
      EXPECT_NEAR(std::hypot(double{y[a]}, double{y[b]}), before, 4 * kEpsilon * before) << i;
    }
  }
}

// q at p + d times k at p is the same for every p: what makes RoPE a relative encoding.
TEST(RopeScalar, DotProductsDependOnTheDistance) {
  const Shape shape = {1, 64, 64, RopeLayout::kInterleaved};
  const std::vector<float> q = Random(4).floats(64);
  const std::vector<float> k = Random(5).floats(64);
  const auto product = [&](std::int32_t q_position, std::int32_t k_position) {
    const auto turned_q = rotate(kernels::scalar::rope, shape, q,
                                 table(kernels::scalar::rope_table, {q_position}, 64));
    const auto turned_k = rotate(kernels::scalar::rope, shape, k,
                                 table(kernels::scalar::rope_table, {k_position}, 64));
    double sum = 0;
    for (std::size_t i = 0; i < 64; ++i) sum += double{turned_q[i]} * double{turned_k[i]};
    return sum;
  };
  EXPECT_NEAR(product(9, 2), product(100007, 100000), 64 * 8 * kEpsilon);
  EXPECT_GT(std::abs(product(9, 2) - product(9, 3)), 1e-3);
}

}  // namespace
}  // namespace galley::test
