// The scalar products against float64, within a derived bound; and the bound is tight enough to
// notice a wrong weight.
#include <cmath>
#include <string>
#include <vector>

#include "tests/kernels/kernel_test.h"
#include "tests/kernels/matmul_runner.h"

namespace galley::test {
namespace {

constexpr std::int64_t kTokens = 3;
constexpr std::int64_t kRows = 12;

std::int64_t columns(DType type) { return dtype_info(type).block_elements == 1 ? 300 : 768; }

const kernels::KernelTable& scalar() { return kernels::table(Isa::kScalar); }

TEST(MatmulExact, ScalarIsWithinTheBound) {
  Random random(21);
  for (const DType type : kMatmulTypes) {
    Weights w = random_weights(type, kRows, columns(type), random);
    const std::vector<float> x = random.floats(kTokens * w.cols, 3.0f);
    for (const bool rounds : roundings(type)) {
      w.rounds_to_bf16 = rounds;
      const ExactProducts exact = exact_products(w, x, kTokens);
      EXPECT_TRUE(within(exact.y, exact.bounds, run_matmul(scalar(), w, x, kTokens)))
          << dtype_info(type).name << (rounds ? ", input rounded to BF16" : "");
    }
  }
}

// The mutants: what a wrong kernel would compute is found to be wrong.
class MatmulMutants : public testing::TestWithParam<DType> {
 protected:
  MatmulMutants()
      : w_(random_weights(GetParam(), kRows, columns(GetParam()), random_)),
        x_(random_.floats(kTokens * w_.cols, 3.0f)),
        exact_(exact_products(w_, x_, kTokens)) {}

  bool is_within(const std::vector<float>& y) { return bool{within(exact_.y, exact_.bounds, y)}; }

  Random random_{22};
  Weights w_;
  std::vector<float> x_;
  ExactProducts exact_;
};

TEST_P(MatmulMutants, TheRightOneLives) {
  EXPECT_TRUE(is_within(run_matmul(scalar(), w_, x_, kTokens)));
}

TEST_P(MatmulMutants, ANegatedOutputDies) {
  std::vector<float> y = run_matmul(scalar(), w_, x_, kTokens);
  for (float& value : y) value = -value;
  EXPECT_FALSE(is_within(y));
}

TEST_P(MatmulMutants, ADroppedLastBlockDies) {
  Weights w = w_;
  const std::int64_t n_row = row_bytes(w.type, w.cols);
  const std::int64_t n_block = dtype_info(w.type).block_bytes;
  for (std::int64_t r = 1; r <= w.rows; ++r) {
    std::fill_n(w.bytes.begin() + r * n_row - n_block, n_block, std::byte{0});
  }
  EXPECT_FALSE(is_within(run_matmul(scalar(), w, x_, kTokens)));
}

TEST_P(MatmulMutants, SwappedNibblesDie) {
  if (!kernels::uses_quantized_rows(GetParam())) GTEST_SKIP() << "floats have no nibbles";
  Weights w = w_;
  // The second half of a block holds codes in every type, no scales of 16 bits.
  const std::int64_t n_block = dtype_info(w.type).block_bytes;
  const bool d_is_last = w.type == DType::kQ2_K || w.type == DType::kQ3_K ||
                         w.type == DType::kQ6_K || w.type == DType::kTQ1_0 ||
                         w.type == DType::kTQ2_0;
  const std::int64_t at = d_is_last ? n_block / 3 : n_block - 2;
  std::byte& byte = w.bytes[static_cast<std::size_t>(5 * row_bytes(w.type, w.cols) + at)];
  byte = std::byte{0x1e};
  const std::vector<float> before = run_matmul(scalar(), w, x_, kTokens);
  exact_ = exact_products(w, x_, kTokens);
  ASSERT_TRUE(is_within(before));
  byte = std::byte{0xe1};
  EXPECT_FALSE(is_within(run_matmul(scalar(), w, x_, kTokens)));
}

TEST_P(MatmulMutants, ExchangedRowsDie) {
  std::vector<float> y = run_matmul(scalar(), w_, x_, kTokens);
  std::swap(y[2], y[3]);
  EXPECT_FALSE(is_within(y));
}

INSTANTIATE_TEST_SUITE_P(Types, MatmulMutants, testing::ValuesIn(kMatmulTypes),
                         [](const auto& test) { return std::string(dtype_info(test.param).name); });

}  // namespace
}  // namespace galley::test
