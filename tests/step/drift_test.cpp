// Drift between precisions, beside what two plain sessions give.
#include "tools/step/drift.h"

#include "tests/step/session.h"

namespace galley {
namespace {

const std::vector<TokenId> kIds = {5, 17, 3, 88, 41, 17, 20};

test::RandomModel with_type(DType type) {
  test::RandomModel model;
  model.matrix_type = type;
  return model;
}

TEST(StepDrift, AModelDoesNotDriftFromItself) {
  const step::Drift drift =
      step::measure_drift(test::random_llama(), test::random_llama(), kIds, {});
  EXPECT_EQ(drift.first_difference(), nullptr);
  EXPECT_EQ(drift.mean_kl(), 0);
  EXPECT_EQ(drift.n_same_best(), static_cast<std::int64_t>(kIds.size()));
  EXPECT_EQ(drift.residual.size(),
            static_cast<std::size_t>(test::random_llama()->config().n_layers) + 1);
}

TEST(StepDrift, IsTheDifferenceOfTwoRuns) {
  const test::OpenedModel quantized(with_type(DType::kQ4_0));
  const step::Drift drift =
      step::measure_drift(test::random_llama(), quantized.model(), kIds, {.n_batch = 3});
  ASSERT_EQ(drift.positions.size(), kIds.size());
  Session a(test::random_llama(), {}), b(quantized.model(), {});
  std::vector<BatchToken> batch;
  for (TokenId id : kIds) batch.push_back({id, 0, true});
  a.forward(batch), b.forward(batch);
  double squares = 0, base = 0;
  for (std::size_t t = 0; t < kIds.size(); ++t) {
    const auto x = a.logits(static_cast<std::int64_t>(t)),
               y = b.logits(static_cast<std::int64_t>(t));
    double zx = 0, zy = 0, kl = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
      const auto p = static_cast<double>(x[i]), q = static_cast<double>(y[i]);
      zx += std::exp(p), zy += std::exp(q), squares += (p - q) * (p - q), base += p * p;
    }
    for (std::size_t i = 0; i < x.size(); ++i) {
      const auto p = static_cast<double>(x[i]), q = static_cast<double>(y[i]);
      kl += std::exp(p) / zx * (p - std::log(zx) - q + std::log(zy));
    }
    EXPECT_NEAR(drift.positions[t].kl, kl, 1e-9 + 1e-6 * kl) << t;
  }
  ASSERT_NE(drift.find("logits"), nullptr);
  EXPECT_NEAR(drift.find("logits")->error(), std::sqrt(squares / base), 1e-9);
  ASSERT_NE(drift.first_difference(), nullptr);
  EXPECT_EQ(drift.first_difference()->name, "embd");
  EXPECT_GT(drift.largest_growth(0)->growth(), 1);
}

TEST(StepDrift, TheFirstGrowthIsWhereAnOpAddsErrorOfItsOwn) {
  const auto op = [](const char* name, double error, double input_error) {
    step::OpDrift x;
    x.name = name;
    x.difference.squares = error * error;
    x.difference.base_squares = 1;
    x.input_error = input_error;
    return x;
  };
  step::Drift drift;
  drift.ops = {op("embd", 0.01, 0), op("norm", 0.012, 0.01)};
  EXPECT_EQ(drift.first_growth(), nullptr);
  drift.ops.push_back(op("q", 0.02, 0.012));
  drift.ops.push_back(op("k", 0.03, 0.012));
  EXPECT_EQ(drift.first_growth()->name, "q");
  EXPECT_EQ(drift.largest_growth(-1)->name, "k");
}

TEST(StepDrift, DifferentModelsAreRefused) {
  test::RandomModel wide;
  wide.ffn_width = 64;
  const test::OpenedModel other(wide);
  try {
    step::measure_drift(test::random_llama(), other.model(), kIds, {});
    FAIL() << "no error";
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::kUsage);
    EXPECT_NE(std::string(e.what()).find("blk.0.ffn_gate is 96 wide"), std::string::npos)
        << e.what();
  }
}

}  // namespace
}  // namespace galley
