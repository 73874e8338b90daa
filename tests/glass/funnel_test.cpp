// The funnel says what the sampler did.
#include "tools/glass/sampler_funnel.h"

#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

namespace galley::glass {
namespace {

std::vector<float> some_logits() {
  std::vector<float> logits;
  for (int i = 0; i < 300; ++i) logits.push_back(4 * std::sin(static_cast<float>(i * i)));
  return logits;
}

TEST(Funnel, TheDrawHitsTheChosenToken) {
  const std::vector<float> logits = some_logits();
  for (const bool sorted : {true, false}) {
    SamplerOptions options;
    options.seed = 5;
    if (!sorted) options.order = {"min_p", "temperature"};
    Sampler sampler(options);
    for (int i = 0; i < 50; ++i) {
      SampleSteps steps;
      const TokenId chosen = sampler.sample(logits, steps);
      const Funnel funnel = make_funnel(steps);
      ASSERT_FALSE(funnel.is_greedy);
      const DrawStretch& hit = funnel.stretches[funnel.hit];
      EXPECT_EQ(hit.id, chosen);
      EXPECT_LE(hit.begin, funnel.draw);
      EXPECT_GT(hit.end, funnel.draw);
      EXPECT_NEAR(funnel.stretches.back().end, 1, 1e-12);
    }
  }
}

TEST(Funnel, StagesNarrow) {
  Sampler sampler(SamplerOptions{});
  SampleSteps steps;
  sampler.sample(some_logits(), steps);
  const Funnel funnel = make_funnel(steps, 3);
  EXPECT_EQ(funnel.stages[0].n_candidates, 300u);
  EXPECT_NEAR(funnel.stages[0].mass, 1, 1e-5);
  for (std::size_t i = 1; i < funnel.stages.size(); ++i) {
    EXPECT_LE(funnel.stages[i].n_candidates, funnel.stages[i - 1].n_candidates);
    EXPECT_LE(funnel.stages[i].mass, funnel.stages[i - 1].mass + 1e-9);
    EXPECT_LE(funnel.stages[i].best.size(), 3u);
  }
  const nlohmann::json json = nlohmann::json::parse(to_json(funnel).dump());
  EXPECT_EQ(json["stages"].size(), funnel.stages.size());
  EXPECT_EQ(json["chosen"], funnel.chosen);
}

TEST(Funnel, GreedyDrawsNothing) {
  SamplerOptions options;
  options.temperature = 0;
  Sampler sampler(options);
  SampleSteps steps;
  const TokenId chosen = sampler.sample(some_logits(), steps);
  const Funnel funnel = make_funnel(steps);
  EXPECT_TRUE(funnel.is_greedy);
  EXPECT_EQ(funnel.chosen, chosen);
  EXPECT_EQ(to_json(funnel).count("draw"), 0u);
}

}  // namespace
}  // namespace galley::glass
