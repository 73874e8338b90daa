// The small trained models of the golden data: greedy text, logits and negative log-likelihoods,
// against a float64 recomputation and against the reference engine's own error.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>

#include "kernels/kernels.h"
#include "model/ngram_draft.h"
#include "model/session.h"
#include "tests/conformance.h"
#include "tests/model/golden.h"
#include "tests/model/ways.h"

namespace galley {
namespace {

using nlohmann::json;

// Where the two best exact logits are closer than this, rounding may choose the other one.
double near_tie(const std::string& model) {
  return model.find("f32") != std::string::npos ? 1e-3 : 0.25;
}

class GoldenModel : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    GALLEY_NEED_CONFORMANCE("models");
    const auto dir = test::conformance_dir() / "models";
    golden_ = dir / "golden" / GetParam();
    model_ = Model::open((dir / (GetParam() + ".gguf")).string());
    session_ = std::make_unique<Session>(model_, SessionOptions{});
  }

  json read(const char* name) const { return json::parse(std::ifstream(golden_ / name)); }

  std::filesystem::path golden_;
  std::shared_ptr<const Model> model_;
  std::unique_ptr<Session> session_;
};

TEST_P(GoldenModel, GreedyTextIsTheExactOne) {
  const json greedy = read("greedy.json")["greedy"];
  for (const json& prompt : greedy) {
    const auto expected = prompt["exact_ids"].get<std::vector<TokenId>>();
    // The nano-GPT's golden file has only the reference engine's margins.
    const auto margins = prompt[prompt.contains("exact_margins") ? "exact_margins" : "margins"]
                             .get<std::vector<double>>();
    session_->truncate(0);
    session_->forward(prompt["prompt_ids"].get<std::vector<TokenId>>());
    for (std::size_t i = 0; i < expected.size(); ++i) {
      const TokenId id = test::argmax(session_->logits());
      if (id != expected[i]) {
        EXPECT_LT(margins[i], near_tie(GetParam()))
            << prompt["prompt"] << ": token " << i << " is " << id << ", not " << expected[i];
        break;
      }
      if (i + 1 < expected.size()) session_->forward(std::vector<TokenId>{id});
    }
  }
}

TEST_P(GoldenModel, LogitsAreAsCloseToExactAsTheReference) {
  const json greedy = read("greedy.json")["greedy"];
  double ours = 0, reference = 0, norm = 0;
  for (std::size_t i = 0; i < greedy.size(); ++i) {
    const std::string stem = "logits_" + std::to_string(i);
    const auto exact = test::read_f32(golden_ / (stem + ".exact.f32"));
    const auto theirs = test::read_f32(golden_ / (stem + ".f32"));
    session_->truncate(0);
    session_->forward(greedy[i]["prompt_ids"].get<std::vector<TokenId>>());
    ours += test::squared_distance(session_->logits(), exact);
    reference += test::squared_distance(theirs, exact);
    norm += test::squared_distance(std::vector<float>(exact.size()), exact);
  }
  const double ours_relative = std::sqrt(ours / norm);
  const double reference_relative = std::sqrt(reference / norm);
  RecordProperty("relative_error", std::to_string(ours_relative));
  test::report("logits\t" + GetParam(), ours_relative, reference_relative);
  if (GetParam().find("f32") != std::string::npos)
    EXPECT_LT(ours_relative, 1e-4);
  else
    EXPECT_LE(ours_relative, reference_relative);
}

TEST_P(GoldenModel, MeanNegativeLogLikelihoodIsTheExactOne) {
  if (!std::filesystem::exists(golden_ / "nll.json"))
    GTEST_SKIP() << "no golden text for " << GetParam();
  const json golden = read("nll.json");
  const auto ids = golden["ids"].get<std::vector<TokenId>>();
  std::vector<BatchToken> batch;
  for (TokenId id : ids) batch.push_back({id, 0, true});
  session_->forward(batch);
  const auto exact = golden["nll_exact"].get<std::vector<double>>();
  const auto theirs = golden["nll"].get<std::vector<double>>();
  double ours_sum = 0, exact_sum = 0, reference_sum = 0;
  for (std::size_t i = 0; i + 1 < ids.size(); ++i) {
    ours_sum +=
        test::negative_log_likelihood(session_->logits(static_cast<std::int64_t>(i)), ids[i + 1]);
    exact_sum += exact[i];
    reference_sum += theirs[i];
  }
  const double ours = std::abs(ours_sum / exact_sum - 1);
  const double reference = std::abs(reference_sum / exact_sum - 1);
  test::report("mean NLL\t" + GetParam(), ours, reference);
  EXPECT_LT(ours, GetParam().find("f32") != std::string::npos ? 1e-3 : 1e-2);
}

TEST_P(GoldenModel, SameBitsInEveryWay) {
  const json prompt = read("greedy.json")["greedy"][0];
  auto ids = prompt["prompt_ids"].get<std::vector<TokenId>>();
  const auto text = prompt["exact_ids"].get<std::vector<TokenId>>();
  ids.insert(ids.end(), text.begin(),
             text.begin() + std::min<std::ptrdiff_t>(12, std::ssize(text)));
  ids.resize(std::min(ids.size(), static_cast<std::size_t>(session_->n_context())));
  std::vector<BatchToken> tokens;
  for (TokenId id : ids) tokens.push_back({id, 0, true});
  std::vector<float> expected;
  for (const kernels::Isa isa : kernels::available_isas()) {
    kernels::select_isa(isa);
    for (const test::Way way : test::kWays) {
      Session session(model_, {.n_batch = way.n_batch, .n_threads = way.n_threads});
      session.forward(tokens);
      std::vector<float> logits;
      for (std::int64_t i = 0; i < session.n_outputs(); ++i)
        logits.insert(logits.end(), session.logits(i).begin(), session.logits(i).end());
      if (expected.empty()) expected = logits;
      ASSERT_EQ(logits.size(), expected.size());
      EXPECT_EQ(std::memcmp(logits.data(), expected.data(), logits.size() * sizeof(float)), 0)
          << kernels::isa_name(isa) << ", " << way.n_threads << " threads, batch " << way.n_batch;
    }
  }
  kernels::select_isa(kernels::available_isas().front());
}

// Greedy text of n tokens with drafts, checked a batch at a time as the generating loop does.
std::vector<TokenId> speculative_text(Session& session, const std::vector<TokenId>& prompt,
                                      std::size_t n, std::size_t& n_accepted) {
  NgramDraft draft(8);
  draft.append(prompt);
  session.forward(prompt);
  std::vector<TokenId> text = {test::argmax(session.logits())};
  while (text.size() < n) {
    draft.append(std::vector<TokenId>{text.back()});
    const std::vector<TokenId> guess = draft.propose();
    std::vector<BatchToken> batch = {{text.back(), 0, true}};
    for (TokenId id : guess) batch.push_back({id, 0, true});
    const std::int64_t before = session.length(0);
    session.forward(batch);
    std::size_t agreed = 0;
    for (;; ++agreed) {
      const TokenId id = test::argmax(session.logits(static_cast<std::int64_t>(agreed)));
      text.push_back(id);
      if (agreed == guess.size() || guess[agreed] != id) break;
      draft.append(std::vector<TokenId>{id});
    }
    session.truncate(before + 1 + static_cast<std::int64_t>(agreed));
    draft.report(guess.size(), agreed);
    n_accepted += agreed;
  }
  text.resize(n);
  return text;
}

TEST_P(GoldenModel, DraftsDoNotChangeTheText) {
  const auto prompt = read("greedy.json")["greedy"][0]["prompt_ids"].get<std::vector<TokenId>>();
  const std::int64_t room = session_->n_context() - std::ssize(prompt) - 10;
  if (room < 1) GTEST_SKIP() << GetParam() << " has no room for drafts";
  const auto n = static_cast<std::size_t>(std::min<std::int64_t>(60, room));
  session_->forward(prompt);
  std::vector<TokenId> plain;
  while (plain.size() < n) {
    plain.push_back(test::argmax(session_->logits()));
    if (plain.size() < n) session_->forward(std::vector<TokenId>{plain.back()});
  }
  session_->truncate(0);
  std::size_t n_accepted = 0;
  EXPECT_EQ(speculative_text(*session_, prompt, n, n_accepted), plain);
  RecordProperty("accepted", static_cast<int>(n_accepted));
}

INSTANTIATE_TEST_SUITE_P(All, GoldenModel,
                         testing::Values("stories260K-f32", "stories260K-f16", "stories260K-bf16",
                                         "stories260K-q8_0", "stories260K-q4_0", "stories260K-q4_1",
                                         "stories260K-q5_0", "stories260K-q5_1",
                                         "stories260K-iq4_nl", "babyllama105-f16",
                                         "babyllama105-q8_0", "babyllama105-q4_0", "nano-sort-f32"),
                         [](const auto& param) {
                           std::string name = param.param;
                           for (char& c : name)
                             if (c == '-') c = '_';
                           return name;
                         });

}  // namespace
}  // namespace galley
