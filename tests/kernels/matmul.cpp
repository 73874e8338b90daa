// Products with weights: every instruction set gives the scalar bits, whatever the shape, the
// type, the weights' values and the division into parts.
#include <algorithm>
#include <cmath>
#include <span>
#include <string>
#include <vector>

#include "tests/kernels/kernel_test.h"
#include "tests/kernels/matmul_runner.h"

namespace galley::test {
namespace {

// Columns that make `n` blocks, or that many and some for the float types.
std::int64_t columns(DType type, std::int64_t n) {
  const std::int64_t block = dtype_info(type).block_elements;
  return block == 1 ? 23 * n : block * n;
}

std::string describe(const Weights& w, std::int64_t tokens) {
  return std::string(dtype_info(w.type).name) + (w.rounds_to_bf16 ? " pairs [" : " [") +
         std::to_string(w.rows) + ", " + std::to_string(w.cols) + "] times " +
         std::to_string(tokens);
}

class Matmul : public IsaTest {
 protected:
  void expect_scalar_bits(const Weights& w, const std::vector<float>& x, std::int64_t tokens,
                          std::span<const int> part_counts) {
    Weights weights = w;
    for (const bool rounds : roundings(w.type)) {
      weights.rounds_to_bf16 = rounds;
      const std::vector<float> expected = run_matmul(scalar(), weights, x, tokens);
      for (const int n_parts : part_counts) {
        EXPECT_TRUE(same_bits(expected, run_matmul(kernels(), weights, x, tokens, n_parts), w.rows))
            << describe(weights, tokens) << " in " << n_parts << " parts";
      }
    }
  }
  void expect_scalar_bits(const Weights& w, const std::vector<float>& x, std::int64_t tokens,
                          int n_parts) {
    expect_scalar_bits(w, x, tokens, std::span(&n_parts, 1));
  }
};

TEST_P(Matmul, IsTheScalarOneForAllShapes) {
  Random random(7);
  for (const DType type : kMatmulTypes) {
    const bool is_super = dtype_info(type).block_elements == 256;
    for (std::int64_t tokens = 1; tokens <= 40; tokens += tokens < 14 ? 1 : 13) {
      for (const std::int64_t rows : {1, 15, 16, 40, 75}) {
        const std::int64_t cols = columns(type, random.integer(1, is_super ? 4 : 25));
        const Weights w = random_weights(type, rows, cols, random);
        expect_scalar_bits(w, random.floats(tokens * cols), tokens,
                           kPartCounts[random.integer(0, std::ssize(kPartCounts) - 1)]);
      }
    }
  }
}

TEST_P(Matmul, IsTheScalarOneForManyTokens) {
  Random random(8);
  for (const DType type : kMatmulTypes) {
    const std::int64_t cols = columns(type, dtype_info(type).block_elements == 256 ? 2 : 20);
    const Weights w = random_weights(type, 70, cols, random);
    expect_scalar_bits(w, random.floats(300 * cols), 300, kPartCounts);
  }
}

// Panels of float weights that are more than a cache holds.
TEST_P(Matmul, IsTheScalarOneForLongRows) {
  Random random(9);
  for (const DType type : {DType::kF32, DType::kF16, DType::kBF16, DType::kQ4_0, DType::kQ6_K}) {
    for (const std::int64_t cols : {2560, 17 * 1024}) {
      const Weights w = random_weights(type, 21, cols, random);
      expect_scalar_bits(w, random.floats(30 * cols), 30, 2);
      expect_scalar_bits(w, random.floats(8 * cols), 8, 2);
      expect_scalar_bits(w, random.floats(cols), 1, 2);
    }
  }
}

// Sums of integers at the edge of what their registers hold: all codes the largest or the
// smallest there are, all activations +-127, of one sign or of the sign that hurts most.
TEST_P(Matmul, IntegersDoNotSaturate) {
  for (const DType type : kMatmulTypes) {
    if (!kernels::uses_quantized_rows(type)) continue;
    for (const int byte : {0x00, 0xff, 0x7f, 0x80, 0x0f, 0xf0, 0x77, 0x88}) {
      Weights w = constant_weights(type, 33, columns(type, 3), static_cast<std::byte>(byte));
      set_scales(w, [] { return 1.5f; });
      for (const std::int64_t tokens : {1, 5, 8}) {
        for (const int signs : {0, 1, 2}) {
          std::vector<float> x(static_cast<std::size_t>(tokens * w.cols), 1.0f);
          for (std::size_t i = 0; i < x.size(); ++i) {
            if (signs == 1 || (signs == 2 && i % 2 == 1)) x[i] = -1.0f;
          }
          expect_scalar_bits(w, x, tokens, 1);
        }
      }
    }
  }
}

TEST_P(Matmul, ExtremeScalesAreTheScalarOnes) {
  constexpr float kScales[] = {0.0f, -0.0f, 6e-8f, -3e-5f, 65504.0f, -65504.0f, 1.0f};
  Random random(10);
  for (const DType type : kMatmulTypes) {
    Weights w = random_weights(type, 40, columns(type, 9), random);
    set_scales(w, [&] { return kScales[random.integer(0, std::ssize(kScales) - 1)]; });
    for (const std::int64_t tokens : {1, 4, 9, 30}) {
      for (const float size : {1e-38f, 1e-20f, 1.0f, 1e30f}) {
        std::vector<float> x = random.floats(tokens * w.cols, size);
        expect_scalar_bits(w, x, tokens, 2);
      }
    }
  }
}

TEST_P(Matmul, NotANumberStaysInItsRow) {
  Random random(11);
  for (const DType type : kMatmulTypes) {
    const std::int64_t cols = columns(type, 4);
    // In the weights: every output of a row whose scale is NaN or infinite is NaN or infinite,
    // the others are not.
    Weights w = random_weights(type, 20, cols, random);
    Weights bad = random_weights(type, 1, cols, random);
    set_scales(bad, [&] { return random.integer(0, 1) == 0 ? kNaN : kInf; });
    std::copy(bad.bytes.begin(), bad.bytes.end(), w.bytes.begin() + std::ssize(bad.bytes) * 13);
    for (const std::int64_t tokens : {1, 3, 7, 30}) {
      std::vector<float> x = random.floats(tokens * cols);
      const std::vector<float> y = run_matmul(kernels(), w, x, tokens);
      for (std::int64_t i = 0; i < tokens * w.rows; ++i) {
        EXPECT_EQ(std::isfinite(y[static_cast<std::size_t>(i)]), i % w.rows != 13)
            << describe(w, tokens) << ", output " << i;
      }
      // In the activations: the outputs of the token with a NaN are NaN, the others are not.
      w = random_weights(type, 20, cols, random);
      x[static_cast<std::size_t>((tokens - 1) * cols + 5)] = kNaN;
      const std::vector<float> z = run_matmul(kernels(), w, x, tokens);
      for (std::int64_t i = 0; i < tokens * w.rows; ++i) {
        EXPECT_EQ(std::isnan(z[static_cast<std::size_t>(i)]), i / w.rows == tokens - 1)
            << describe(w, tokens) << ", output " << i;
      }
      std::copy(bad.bytes.begin(), bad.bytes.end(), w.bytes.begin() + std::ssize(bad.bytes) * 13);
    }
  }
}

// Each token's products are those it has alone, whatever batch it is in.
TEST_P(Matmul, BatchesDoNotMatter) {
  constexpr std::int64_t kTokens = 30;
  Random random(12);
  for (const DType type : kMatmulTypes) {
    const std::int64_t cols = columns(type, 5);
    Weights w = random_weights(type, 37, cols, random);
    const std::vector<float> x = random.floats(kTokens * cols);
    for (const bool rounds : roundings(type)) {
      w.rounds_to_bf16 = rounds;
      const std::vector<float> together = run_matmul(kernels(), w, x, kTokens);
      for (std::int64_t t = 0; t < kTokens; ++t) {
        const auto first = x.begin() + t * cols;
        const std::vector<float> alone =
            run_matmul(kernels(), w, std::vector<float>(first, first + cols), 1);
        EXPECT_TRUE(same_bits(
            alone, std::span(together).subspan(static_cast<std::size_t>(t * w.rows), alone.size())))
            << describe(w, kTokens) << ", token " << t;
      }
    }
  }
}

// BF16 in pairs: floats of every size in activations and weights, denormals, infinities and NaNs
// among them.
TEST_P(Matmul, PairsOfAnyBitsAreTheScalarOnes) {
  Random random(13);
  for (const std::int64_t tokens : {1, 5, 40}) {
    for (int turn = 0; turn < 20; ++turn) {
      const std::int64_t cols = random.integer(1, 70);
      Weights w = random_weights(DType::kBF16, 33, cols, random);
      const bool is_wild = turn % 2 == 0;
      if (is_wild) {
        for (std::byte& byte : w.bytes) byte = static_cast<std::byte>(random.integer(0, 255));
      }
      std::vector<float> x =
          is_wild ? random.bit_patterns(tokens * cols) : random.floats(tokens * cols, 1e-38f);
      expect_scalar_bits(w, x, tokens, 2);
    }
  }
}

TEST_P(Matmul, NoRowsOrTokensIsNoWork) {
  const Weights none = constant_weights(DType::kQ4_0, 0, 64, std::byte{0});
  EXPECT_TRUE(run_matmul(kernels(), none, std::vector<float>(64), 1).empty());
  const Weights some = constant_weights(DType::kQ4_0, 3, 64, std::byte{0});
  EXPECT_TRUE(run_matmul(kernels(), some, std::vector<float>(0), 0).empty());
}

GALLEY_FOR_EACH_ISA(Matmul);

}  // namespace
}  // namespace galley::test
