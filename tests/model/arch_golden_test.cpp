// The random models of real architectures in the golden data: logits of all positions and greedy
// text against float64, and, for quantized files, against the reference engine's own error.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "tests/conformance.h"
#include "tests/model/arch_test.h"

namespace galley {
namespace {

using nlohmann::json;

// The golden files, so that a folder that lost some is noticed.
const std::map<std::string, std::string>& golden_features() {
  static const std::map<std::string, std::string> features = {
      {"gemma2", "soft caps, windows, own head size"},
      {"gpt2", "learned positions, fused QKV, biases"},
      {"llama-gqa", "grouped queries, tied output"},
      {"llama-rope-factors", "Llama 3.1 RoPE factors, untied output"},
      {"phi3", "fused QKV and gate-up, sliding window"},
      {"qwen2", "biases on Q, K and V"},
      {"qwen3", "norms of heads, own head size"}};
  return features;
}

class GoldenArchitecture : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    GALLEY_NEED_CONFORMANCE("arch");
    folder_ = test::conformance_dir() / "arch" / GetParam();
    golden_ = json::parse(std::ifstream(folder_ / "golden.json"));
    ids_ = golden_["prompt_ids"].get<std::vector<TokenId>>();
  }
  Session open(const json& file) const {
    return Session::open((folder_ / file["file"].get<std::string>()).string(),
                         {.kv_type = DType::kF32});
  }
  std::vector<float> logits(const json& name) const {
    return test::read_f32(folder_ / name.get<std::string>());
  }
  // Greedy continuation of the prompt. A different token is allowed where the two best exact
  // logits are closer than `near_tie`, and ends the comparison.
  void expect_greedy(Session& session, const json& ids, const json& margins, double near_tie) {
    const auto expected = ids.get<std::vector<TokenId>>();
    session.truncate(0);
    session.forward(ids_);
    for (std::size_t i = 0; i < expected.size(); ++i) {
      const TokenId id = test::argmax(session.logits());
      if (id != expected[i]) {
        EXPECT_LT(margins[i].get<double>(), near_tie)
            << "token " << i << " is " << id << ", not " << expected[i];
        return;
      }
      if (i + 1 < expected.size()) session.forward(std::vector<TokenId>{id});
    }
  }

  std::filesystem::path folder_;
  json golden_;
  std::vector<TokenId> ids_;
};

TEST_P(GoldenArchitecture, Float16AgreesWithFloat64) {
  const json& file = golden_["files"][0];
  ASSERT_EQ(file["file"], "model-f16.gguf");
  Session session = open(file);
  const auto exact = logits(file["exact"]);
  const double ours = test::relative_error(test::all_logits(session, ids_, {ids_.size()}), exact);
  EXPECT_LT(ours, 1e-3);
  test::report("arch/" + GetParam() + " F16", ours,
               test::relative_error(logits(file["ref_f16"]), exact));
  test::report_architecture(golden_["general_architecture"], golden_features().at(GetParam()),
                            "golden float64", ours);
  expect_greedy(session, golden_["greedy_ids"], golden_["greedy_margins"], 0);
}

TEST_P(GoldenArchitecture, QuantizedIsAsCloseAsTheReference) {
  for (std::size_t i = 1; i < golden_["files"].size(); ++i) {
    const json& file = golden_["files"][i];
    const auto name = file["file"].get<std::string>();
    Session session = open(file);
    const auto exact = logits(file["exact"]);
    const double ours = test::relative_error(test::all_logits(session, ids_, {ids_.size()}), exact);
    const double reference = test::relative_error(logits(file["ref"]), exact);
    EXPECT_LE(ours, reference) << name;
    test::report("arch/" + GetParam() + " " + name.substr(6, name.size() - 11), ours, reference);
    expect_greedy(session, file["greedy_ids"], file["greedy_margins"],
                  file["max_abs_diff_exact_vs_ref"].get<double>());
  }
}

std::vector<std::string> golden_names() {
  std::vector<std::string> names;
  for (const auto& [name, features] : golden_features()) names.push_back(name);
  return names;
}

std::string test_name(const testing::TestParamInfo<std::string>& info) {
  std::string name = info.param;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(All, GoldenArchitecture, testing::ValuesIn(golden_names()), test_name);

TEST(GoldenArchitectures, AreAllTested) {
  GALLEY_NEED_CONFORMANCE("arch");
  for (const auto& entry : std::filesystem::directory_iterator(test::conformance_dir() / "arch")) {
    if (entry.is_directory()) {
      EXPECT_TRUE(golden_features().contains(entry.path().filename().string())) << entry.path();
    }
  }
}

}  // namespace
}  // namespace galley
