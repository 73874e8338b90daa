// The steps of attention with a Q8_0 cache: what rounding moves, and what it must not lose.
#include "kernels/scalar/attention_steps.h"

#include "tests/kernels/kernel_test.h"

namespace galley::test {
namespace {

// Keys of Q8_0: the product of the rounded vectors is exact but for one rounding per block, and
// rounding the query moves it by half a step of each code at most.
TEST(AttentionSteps, ProductWithRoundedKeys) {
  Random random(9);
  for (int round = 0; round < 200; ++round) {
    constexpr int kBlocks = 4;
    const std::vector<float> q = random.floats(32 * kBlocks, round % 2 == 0 ? 1.0f : 50.0f);
    kernels::scalar::QuantizedBlock query[kBlocks];
    BlockQ8_0 key[kBlocks];
    double rounded = 0, unrounded = 0, largest_move = 0, size = 0;
    for (int b = 0; b < kBlocks; ++b) {
      query[b] = kernels::scalar::quantize_block(q.data() + 32 * b);
      key[b].d = float_to_half(0.01f * static_cast<float>(random.integer(1, 100)));
      const double d_k = half_to_float(key[b].d);
      for (int i = 0; i < 32; ++i) {
        key[b].qs[i] = static_cast<std::int8_t>(random.integer(-128, 127));
        const double k = d_k * key[b].qs[i];
        const double rounded_q = static_cast<double>(query[b].d) * query[b].q[i];
        rounded += rounded_q * k;
        size += std::abs(rounded_q * k);
        unrounded += static_cast<double>(q[static_cast<std::size_t>(32 * b + i)]) * k;
        largest_move += 0.5001 * static_cast<double>(query[b].d) * std::abs(k);
      }
    }
    const double product = kernels::scalar::score_product(query, key, kBlocks);
    EXPECT_NEAR(product, rounded, 1e-6 * size);
    EXPECT_NEAR(product, unrounded, largest_move + 1e-6 * size);
  }
}

// Values of Q8_0: each weight moves by half an integer at most, and sums of integers are exact.
TEST(AttentionSteps, WeightsAsIntegers) {
  Random random(10);
  for (int round = 0; round < 200; ++round) {
    const auto n = static_cast<std::size_t>(random.integer(1, 64));
    std::vector<float> p(n), d(n);
    for (std::size_t j = 0; j < n; ++j) {
      p[j] = static_cast<float>(random.integer(0, 1000)) / 1000.0f;
      d[j] = half_to_float(float_to_half(0.01f * static_cast<float>(random.integer(0, 100))));
    }
    std::vector<float> factors = d;
    const float scale =
        kernels::scalar::weight_factors(factors.data(), static_cast<std::int64_t>(n));
    double exact = 0, size = 0, largest_move = 0;
    std::int64_t sum = 0;
    for (std::size_t j = 0; j < n; ++j) {
      const auto code = static_cast<std::int32_t>(random.integer(-128, 127));
      const std::int16_t w = kernels::scalar::integer_weight(p[j], factors[j]);
      sum += w * code;
      exact += double{p[j]} * double{d[j]} * code;
      size += std::abs(double{p[j]} * double{d[j]} * code);
      largest_move += 0.5001 * double{scale} * std::abs(code);
    }
    EXPECT_NEAR(static_cast<double>(sum) * double{scale}, exact, largest_move + 1e-6 * size);
  }
}

TEST(AttentionSteps, ExtremeWeightsAsIntegers) {
  using kernels::scalar::integer_weight;
  using kernels::scalar::weight_factors;
  for (const float d : {65504.0f, 1.0f, 0x1p-24f}) {  // the largest and the smallest of F16
    float factors[2] = {d, 0.0f};
    EXPECT_NEAR(weight_factors(factors, 2), d / 32767, 1e-7 * double{d});
    EXPECT_EQ(integer_weight(1.0f, factors[0]), 32767);
    EXPECT_EQ(integer_weight(1.0f, factors[1]), 0);
    EXPECT_EQ(integer_weight(kNaN, factors[0]), 0);
  }
  float zeros[2] = {0.0f, 0.0f};
  EXPECT_EQ(weight_factors(zeros, 2), 0.0f);
  EXPECT_EQ(integer_weight(1.0f, zeros[0]), 0);
  for (const float bad : {kInf, kNaN, -1.0f}) {
    float factors[2] = {1.0f, bad};
    EXPECT_TRUE(std::isnan(weight_factors(factors, 2)));
    EXPECT_EQ(integer_weight(1.0f, factors[0]), 0);
    EXPECT_EQ(integer_weight(1.0f, factors[1]), 0);
  }
}

}  // namespace
}  // namespace galley::test
