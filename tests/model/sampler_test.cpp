#include "model/sampler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <map>

#include "tensor/error.h"

namespace galley {
namespace {

// All stages off: draw from the softmax of the logits.
SamplerOptions plain() {
  SamplerOptions o;
  o.temperature = 1;
  o.top_k = 0;
  o.top_p = 1;
  o.min_p = 0;
  return o;
}

// The ids that the last stage of `sampler` leaves, the likeliest first.
std::vector<TokenId> survivors(Sampler& sampler, const std::vector<float>& logits) {
  SampleSteps steps;
  sampler.sample(logits, steps);
  std::vector<TokenId> ids;
  for (const Candidate& c : steps.stages.back().candidates) ids.push_back(c.id);
  return ids;
}

std::vector<TokenId> survivors(const SamplerOptions& o, const std::vector<float>& logits) {
  Sampler sampler(o);
  return survivors(sampler, logits);
}

// Logits whose softmax is `p`.
std::vector<float> logits_of(const std::vector<double>& p) {
  std::vector<float> logits;
  for (double value : p) logits.push_back(static_cast<float>(std::log(value)));
  return logits;
}

std::vector<float> random_logits(std::size_t n, std::uint64_t seed) {
  Random random(seed);
  std::vector<float> logits(n);
  for (float& x : logits) {  // roughly normal, of standard deviation 3
    double sum = 0;
    for (int i = 0; i < 12; ++i) sum += random.next_unit();
    x = static_cast<float>(3 * (sum - 6));
  }
  return logits;
}

TEST(Random, MatchesThePublishedGenerator) {
  // The first numbers of the authors' demonstration: seed 42, stream 54. Ours has another
  // stream, so the recurrence is checked here with theirs.
  std::uint64_t state = 0;
  const std::uint64_t increment = (54u << 1) | 1u;
  const auto next = [&] {
    const std::uint64_t old = state;
    state = old * 6364136223846793005u + increment;
    const auto x = static_cast<std::uint32_t>(((old >> 18) ^ old) >> 27);
    const auto r = static_cast<std::uint32_t>(old >> 59);
    return (x >> r) | (x << ((32u - r) & 31u));
  };
  next();
  state += 42;
  next();
  EXPECT_EQ(next(), 0xa15c02b7u);
  EXPECT_EQ(next(), 0x7b47f409u);
}

TEST(Random, IsUniformAndRepeatable) {
  Random a(7), b(7), c(8);
  std::vector<int> bins(16);
  bool differs = false;
  for (int i = 0; i < 16000; ++i) {
    const double x = a.next_unit();
    EXPECT_EQ(x, b.next_unit());
    differs |= x != c.next_unit();
    ASSERT_GE(x, 0);
    ASSERT_LT(x, 1);
    ++bins[static_cast<std::size_t>(x * 16)];
  }
  EXPECT_TRUE(differs);
  for (int n : bins) EXPECT_NEAR(n, 1000, 200);  // more than six standard deviations
}

TEST(Sampler, GreedyTakesTheHighestLogitAndTheLowerIdOfTwo) {
  SamplerOptions o;
  o.temperature = 0;
  Sampler sampler(o);
  EXPECT_EQ(sampler.sample(std::vector<float>{1, 5, 2, 5}), 1);
  EXPECT_EQ(sampler.describe(), "greedy");
}

TEST(Sampler, TopKKeepsTheKLikeliest) {
  SamplerOptions o = plain();
  o.top_k = 3;
  EXPECT_EQ(survivors(o, {0, 4, 2, 4, 3}), (std::vector<TokenId>{1, 3, 4}));
  o.top_k = 100;
  EXPECT_EQ(survivors(o, {0, 4, 2}), (std::vector<TokenId>{1, 2, 0}));
}

TEST(Sampler, TopPKeepsTheSmallestSetThatReachesP) {
  SamplerOptions o = plain();
  const auto logits = logits_of({0.1, 0.4, 0.2, 0.3});
  o.top_p = 0.65f;
  EXPECT_EQ(survivors(o, logits), (std::vector<TokenId>{1, 3}));
  o.top_p = 0.75f;
  EXPECT_EQ(survivors(o, logits), (std::vector<TokenId>{1, 3, 2}));
  o.top_p = 0;
  EXPECT_EQ(survivors(o, logits), (std::vector<TokenId>{1}));
  o.min_keep = 2;
  EXPECT_EQ(survivors(o, logits), (std::vector<TokenId>{1, 3}));
}

TEST(Sampler, MinPIsRelativeToTheLikeliest) {
  SamplerOptions o = plain();
  const auto logits = logits_of({0.1, 0.4, 0.2, 0.3});
  o.min_p = 0.6f;  // 0.24 and more
  EXPECT_EQ(survivors(o, logits), (std::vector<TokenId>{1, 3}));
  o.min_p = 1;
  EXPECT_EQ(survivors(o, logits), (std::vector<TokenId>{1}));
  o.min_keep = 3;
  EXPECT_EQ(survivors(o, logits), (std::vector<TokenId>{1, 3, 2}));
}

TEST(Sampler, TypicalKeepsWhatIsAsSurprisingAsExpected) {
  SamplerOptions o = plain();
  // Entropy 1.055 nats: 0.3 (1.20) is closest, then 0.5 (0.69), 0.19 (1.66), 0.01 (4.6).
  const auto logits = logits_of({0.5, 0.3, 0.19, 0.01});
  o.typical_p = 0.2f;
  EXPECT_EQ(survivors(o, logits), (std::vector<TokenId>{1}));
  o.typical_p = 0.35f;
  EXPECT_EQ(survivors(o, logits), (std::vector<TokenId>{0, 1}));
  o.typical_p = 0.9f;
  EXPECT_EQ(survivors(o, logits), (std::vector<TokenId>{0, 1, 2}));
}

TEST(Sampler, PenaltiesLookBackExactlyLastN) {
  SamplerOptions o = plain();
  o.temperature = 0;
  o.repeat_penalty = 2;
  o.repeat_last_n = 2;
  Sampler sampler(o);
  const std::vector<float> logits = {3, 2, 1.4f, -1};
  EXPECT_EQ(sampler.sample(logits), 0);
  sampler.accept(0);
  EXPECT_EQ(sampler.sample(logits), 1);  // 3 / 2
  sampler.accept(1);
  EXPECT_EQ(sampler.sample(logits), 0);  // 1.5, 1, 1.4
  sampler.accept(2);
  EXPECT_EQ(sampler.sample(logits), 0);  // 0 is forgotten
  sampler.reset();
  SampleSteps steps;
  sampler.accept(3);
  sampler.sample(logits, steps);
  EXPECT_EQ(steps.stages.back().candidates.back().logit, -2);  // a negative one is multiplied
}

TEST(Sampler, FrequencyCountsAndPresenceDoesNot) {
  SamplerOptions o = plain();
  o.frequency_penalty = 0.5f;
  o.presence_penalty = 0.25f;
  o.repeat_last_n = -1;
  Sampler sampler(o);
  for (TokenId id : {1, 1, 1, 2}) sampler.accept(id);
  SampleSteps steps;
  sampler.sample(std::vector<float>{5, 5, 5}, steps);
  std::map<TokenId, float> logits;
  for (const Candidate& c : steps.stages.back().candidates) logits[c.id] = c.logit;
  EXPECT_EQ(logits[0], 5);
  EXPECT_EQ(logits[1], 5 - 1.75f);
  EXPECT_EQ(logits[2], 5 - 0.75f);
}

TEST(Sampler, StagesRunInTheOrderGiven) {
  SamplerOptions o = plain();
  o.top_p = 0.6f;
  o.top_k = 2;
  const auto logits = logits_of({0.4, 0.3, 0.2, 0.1});
  // Of the two likeliest, 0.4 is 0.57 and 0.3 the rest.
  o.order = {"top_k", "top_p"};
  EXPECT_EQ(survivors(o, logits).size(), 2u);
  o.top_p = 0.55f;
  EXPECT_EQ(survivors(o, logits).size(), 1u);
  o.order = {"top_p", "top_k"};
  EXPECT_EQ(survivors(o, logits).size(), 2u);
  o.order = {"temperature"};
  EXPECT_EQ(survivors(o, logits).size(), 4u);
}

TEST(Sampler, DrawsFollowTheProbabilities) {
  Sampler sampler(plain());
  const auto logits = logits_of({0.5, 0.25, 0.15, 0.1});
  std::vector<int> counts(4);
  for (int i = 0; i < 20000; ++i) ++counts[static_cast<std::size_t>(sampler.sample(logits))];
  EXPECT_NEAR(counts[0], 10000, 450);
  EXPECT_NEAR(counts[1], 5000, 400);
  EXPECT_NEAR(counts[2], 3000, 350);
  EXPECT_NEAR(counts[3], 2000, 300);
}

TEST(Sampler, TemperatureSharpensTheOdds) {
  SamplerOptions o = plain();
  o.temperature = 0.5f;
  Sampler sampler(o);
  SampleSteps steps;
  sampler.sample(logits_of({0.8, 0.2}), steps);
  // Odds of 4 to 1 become 16 to 1.
  EXPECT_NEAR(steps.stages.back().candidates[0].p, 16.0 / 17.0, 1e-6);
}

TEST(Sampler, TheSameSeedGivesTheSameTokens) {
  const auto logits = random_logits(500, 3);
  SamplerOptions o;
  o.seed = 11;
  Sampler a(o), b(o);
  o.seed = 12;
  Sampler c(o);
  std::vector<TokenId> first, other;
  for (int i = 0; i < 50; ++i) {
    first.push_back(a.sample(logits));
    EXPECT_EQ(first.back(), b.sample(logits));
    other.push_back(c.sample(logits));
  }
  EXPECT_NE(first, other);
  a.reset();
  for (TokenId id : first) EXPECT_EQ(a.sample(logits), id);
}

TEST(Sampler, SkippedChoicesLeaveTheNextOnesAsTheyWere) {
  const auto logits = random_logits(300, 5);
  Sampler all(SamplerOptions{}), late(SamplerOptions{});
  for (int i = 0; i < 5; ++i) all.sample(logits);
  late.skip_choices(5);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(late.sample(logits), all.sample(logits));
}

// Looking must not change what happens.
TEST(Sampler, StepsShowTheSameChoice) {
  const auto logits = random_logits(300, 5);
  SamplerOptions o;
  o.repeat_penalty = 1.1f;
  o.typical_p = 0.9f;
  Sampler plain_one(o), shown(o);
  SampleSteps steps;
  for (int i = 0; i < 30; ++i) {
    const TokenId id = plain_one.sample(logits);
    EXPECT_EQ(shown.sample(logits, steps), id);
    EXPECT_EQ(steps.chosen, id);
    plain_one.accept(id);
    shown.accept(id);
  }
  std::vector<std::string> names;
  for (const auto& stage : steps.stages) names.push_back(stage.name);
  EXPECT_EQ(names, (std::vector<std::string>{"start", "penalties", "top_k", "typical", "top_p",
                                             "min_p", "temperature"}));
}

// A slow, plain computation of the nucleus, for many sizes.
TEST(Sampler, TopPEqualsAFullSort) {
  for (std::size_t n : {1u, 2u, 63u, 64u, 65u, 130u, 1000u, 5000u}) {
    const auto logits = random_logits(n, n);
    for (float p : {0.1f, 0.5f, 0.9f, 0.999f}) {
      SamplerOptions o = plain();
      o.top_p = p;
      std::vector<TokenId> ids(n);
      for (std::size_t i = 0; i < n; ++i) ids[i] = static_cast<TokenId>(i);
      const auto logit = [&](TokenId id) { return logits[static_cast<std::size_t>(id)]; };
      std::stable_sort(ids.begin(), ids.end(),
                       [&](TokenId a, TokenId b) { return logit(a) > logit(b); });
      double total = 0;
      for (float x : logits) total += std::exp(static_cast<double>(x));
      const std::vector<TokenId> kept = survivors(o, logits);
      ASSERT_LE(kept.size(), n);
      EXPECT_TRUE(std::equal(kept.begin(), kept.end(), ids.begin())) << n << " " << p;
      double sum = 0;
      for (TokenId id : kept) sum += std::exp(static_cast<double>(logit(id))) / total;
      const double last = std::exp(static_cast<double>(logit(kept.back()))) / total;
      EXPECT_GT(sum, p - 1e-6) << n;         // enough of them
      EXPECT_LT(sum - last, p + 1e-6) << n;  // and not one more
    }
  }
}

TEST(Sampler, LogitsThatAreNoNumbersAreAnErrorNotAHang) {
  Sampler sampler(SamplerOptions{});
  const float inf = std::numeric_limits<float>::infinity();
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const std::vector<float>& bad :
       {std::vector<float>{1, nan}, std::vector<float>{inf, 1}, std::vector<float>{-inf, -inf}}) {
    try {
      sampler.sample(bad);
      FAIL() << "no error";
    } catch (const Error& e) {
      EXPECT_EQ(e.kind(), ErrorKind::kBadModel);
    }
  }
  EXPECT_EQ(sampler.sample(std::vector<float>{-inf, 1, -inf}), 1);
}

TEST(Sampler, SenselessOptionsAreUsageErrors) {
  const auto kind_of = [](auto change) {
    SamplerOptions o;
    change(o);
    try {
      Sampler sampler(o);
    } catch (const Error& e) {
      return static_cast<int>(e.kind());
    }
    return 0;
  };
  EXPECT_EQ(kind_of([](SamplerOptions&) {}), 0);
  EXPECT_EQ(kind_of([](SamplerOptions& o) { o.temperature = -1; }), 2);
  EXPECT_EQ(kind_of([](SamplerOptions& o) { o.temperature = NAN; }), 2);
  EXPECT_EQ(kind_of([](SamplerOptions& o) { o.top_p = 1.5f; }), 2);
  EXPECT_EQ(kind_of([](SamplerOptions& o) { o.repeat_penalty = 0; }), 2);
  EXPECT_EQ(kind_of([](SamplerOptions& o) { o.order = {"top_q"}; }), 2);
}

// The default chain over a vocabulary of 128k must not show beside a forward pass. The limit is
// generous, since test machines are slow and shared.
TEST(Sampler, IsCheapForLargeVocabularies) {
  const auto logits = random_logits(128 * 1024, 1);
  Sampler sampler(SamplerOptions{});
  double best_ms = 1e9;
  for (int i = 0; i < 20; ++i) {
    const auto start = std::chrono::steady_clock::now();
    sampler.sample(logits);
    const std::chrono::duration<double, std::milli> elapsed =
        std::chrono::steady_clock::now() - start;
    best_ms = std::min(best_ms, elapsed.count());
  }
  RecordProperty("best_ms", std::to_string(best_ms));
  EXPECT_LT(best_ms, 20);
}

}  // namespace
}  // namespace galley
