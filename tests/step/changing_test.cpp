// Changing a run: what follows from a change is what an independent forward pass with the same
// change computes, and taking it back leaves no trace.
#include "tests/step/session.h"
#include "tools/step/compare.h"

namespace galley {
namespace {

using test::eigen_llama;
using test::Matrix;
using test::relative_error;
using test::Script;

constexpr double kFloatError = 2e-5;
const std::vector<TokenId> kIds = {5, 17, 3, 88, 41, 17};

Matrix last_logits(const test::ChangeValue& change) {
  return eigen_llama(*test::random_llama(), kIds, change).values.at("logits").bottomRows(1);
}

TEST(StepChanging, AHeadThatIsOffAddsNothing) {
  const std::int64_t size = test::random_llama()->config().head_size_v;
  const Matrix expected = last_logits([&](const std::string& name, Matrix& value) {
    if (name == "blk.1.attn") value.middleCols(2 * size, size).setZero();
  });
  // Whether it is switched off before the op or after it.
  for (const char* where : {"blk.0.q", "blk.1.ffn_up"}) {
    Script s(test::random_llama(), kIds);
    s(std::string("run-until ") + where);
    s("set head 1.2 off");
    s("run-until logits");
    EXPECT_LT(relative_error(s.rows("logits"), expected), kFloatError) << where;
  }
  Script s(test::random_llama(), kIds);
  EXPECT_NE(s.error("set head 1.9 off").find("the head"), std::string::npos);
  EXPECT_NE(s.error("set head 7.0 off").find("the layer"), std::string::npos);
  EXPECT_NE(s.error("set head 1.2 on").find("undo"), std::string::npos);
}

TEST(StepChanging, ChangingNothingChangesNothing) {
  Script plain("sort: d a c b ="), s("sort: d a c b =");
  plain("run-until logits");
  s("scale blk.2.attn 1");
  s("set head 1.0 off");
  s("undo");
  s("run-until logits");
  EXPECT_EQ(s.rows("logits"), plain.rows("logits"));
  EXPECT_EQ(s.json("diff")["n_different"], 0);
}

TEST(StepChanging, SetAndScaleChangeExactlyTheirPart) {
  const Matrix expected = last_logits([](const std::string& name, Matrix& value) {
    if (name == "blk.0.attn_out") value.row(4).setZero();
    if (name == "blk.0.ffn_act") value.row(2).segment(3, 10) *= -2;
    if (name == "blk.1.q") value.col(7).setConstant(0.5);
  });
  Script s(test::random_llama(), kIds);
  s("run-until blk.1.k");
  s("set blk.0.attn_out[4, :] 0");
  s("scale blk.0.ffn_act[2, 3:13] -2");
  s("set blk.1.q[:, 7] 0.5");
  EXPECT_EQ(s.json("changes").size(), 3u);
  EXPECT_EQ(s.run().next_op(), s.run().graph().find_op("blk.1.k") + 1);
  s("run-until logits");
  EXPECT_LT(relative_error(s.rows("logits"), expected), kFloatError);
}

// A change without rows holds for the tokens that follow, too; one with rows does not.
TEST(StepChanging, ChangesBelongToPositions) {
  Script s(test::random_llama(), kIds);
  s("set blk.0.attn_out 0");
  s("set blk.0.ffn_out[2, :] 0");
  s("run-until logits");
  s("pick 9");
  s("token");
  s("run-until logits");
  std::vector<TokenId> ids = kIds;
  ids.push_back(9);
  const Matrix expected = eigen_llama(*test::random_llama(), ids,
                                      [](const std::string& name, Matrix& value) {
                                        if (name == "blk.0.attn_out") value.setZero();
                                        if (name == "blk.0.ffn_out") value.row(2).setZero();
                                      })
                              .values.at("logits")
                              .bottomRows(1);
  EXPECT_LT(relative_error(s.rows("logits"), expected), kFloatError);
}

// Also where the change has left its mark in the cache.
TEST(StepChanging, UndoLeavesNoTrace) {
  Script plain(test::random_llama(), kIds), s(test::random_llama(), kIds);
  for (Script* script : {&plain, &s}) {
    if (script == &s) (*script)("set blk.0.k 0.25");
    (*script)("pick 9");
    (*script)("token");
    (*script)("pick 11");
    (*script)("token");
    (*script)("run-until blk.1.ffn_out");
  }
  EXPECT_NE(s.rows("blk.1.ffn_out"), plain.rows("blk.1.ffn_out"));
  while (!s.run().changes().empty()) s("undo");
  EXPECT_EQ(s.rows("blk.1.ffn_out"), plain.rows("blk.1.ffn_out"));
  EXPECT_NE(s.error("undo"), "");
}

// The whole residual stream of the last token, taken from another prompt, makes this prompt say
// what the other one says, to the last bit.
TEST(StepChanging, APatchCarriesOverWhatTheOtherPromptSays) {
  Script other("sort: c b a ="), s("Once upon a time");
  other("run-until logits");
  s("run2 sort: c b a =");
  const std::string last =
      "blk." + std::to_string(test::demo()->config().n_layers - 1) + ".ffn_residual";
  s("patch " + last + "[-1, :] from run2[-1]");
  s("run-until logits");
  EXPECT_EQ(s.rows("logits"), other.rows("logits"));
  EXPECT_EQ(s.json("logits 1")[0]["id"], s.json("run2 as again sort: c b a =")["best"]);
  EXPECT_NE(s.error("patch blk.0.q from nobody").find("no run"), std::string::npos);
  EXPECT_NE(s.error("patch blk.0.q[0, :] from run3").find("run2"), std::string::npos);
}

TEST(StepChanging, APatchOfEveryRowNeedsEqualLengths) {
  Script s(test::random_llama(), kIds);
  s("run2 5 17 3 88 41 40");
  s("patch blk.0.ffn_residual from run2");
  s("run-until logits");
  Script other(test::random_llama(), {5, 17, 3, 88, 41, 40});
  other("run-until logits");
  EXPECT_EQ(s.rows("logits"), other.rows("logits"));
  s("run2 as brief 5 17");
  EXPECT_NE(s.error("patch blk.0.ffn_residual from brief").find("2 rows"), std::string::npos);
}

TEST(StepChanging, PickChoosesTheNextToken) {
  Script s("sort: d a c b =");
  s("pick \" a\"");
  s("token");
  const TokenId a = test::demo()->tokenizer().encode(" a", {.add_special = false}).at(0);
  EXPECT_EQ(s.run().ids().back(), a);
  EXPECT_TRUE(s.run().choices().back().is_picked);
  EXPECT_NE(s.error("pick \"no such word at all\"").find("tokens"), std::string::npos);
  EXPECT_NE(s.error("pick 99999999").find("the token is"), std::string::npos);
  s("pick 3");
  s("undo");
  EXPECT_FALSE(s.run().picked());
}

TEST(StepChanging, DiffTellsWhatTheChangeDid) {
  Script plain("sort: d a c b ="), s("sort: d a c b =");
  plain("run-until logits");
  s("set head 1.0 off");
  s("run-until logits");
  const step::Json diff = s.json("diff all");
  EXPECT_NE(diff["first"].get<std::string>().find("blk.1.attn,"), std::string::npos);
  // KL of the two distributions, computed here from the printed logits.
  const auto q = plain.rows("logits")[0], p = s.rows("logits")[0];
  double zq = 0, zp = 0, kl = 0;
  for (std::size_t i = 0; i < q.size(); ++i) zq += std::exp(q[i]), zp += std::exp(p[i]);
  for (std::size_t i = 0; i < q.size(); ++i)
    kl += std::exp(q[i]) / zq * ((q[i] - std::log(zq)) - (p[i] - std::log(zp)));
  EXPECT_NEAR(diff["kl"].get<double>(), kl, 1e-6 + 1e-4 * kl);
  double largest = 0;
  for (std::size_t i = 0; i < q.size(); ++i) largest = std::max(largest, std::abs(p[i] - q[i]));
  EXPECT_EQ(diff["values"].back()["name"], "logits");
  EXPECT_EQ(diff["values"].back()["largest"].get<double>(), largest);
}

TEST(StepChanging, WhatCannotBeChangedIsRefused) {
  Script s(test::random_llama(), kIds);
  EXPECT_NE(s.error("set blk.0.cache_k 0").find("k_rope"), std::string::npos);
  EXPECT_NE(s.error("set blk.0.attn_weights 0").find("cannot be changed"), std::string::npos);
  EXPECT_NE(s.error("set blk.0.q nan").find("expected a number"), std::string::npos);
  EXPECT_NE(s.error("set blk.0.q[9, :] 0").find("there are 6"), std::string::npos);
  EXPECT_NE(s.error("set blk.*.q 0").find("fits"), std::string::npos);
}

// A hidden mistake of a comparison would make every drift small.
TEST(StepComparing, DifferencesAreWhatTheyAre) {
  step::Difference d;
  const std::vector<float> a = {1, 2, 3}, b = {1, 2.5f, -3};
  d.add_row(a, b, 4);
  EXPECT_EQ(d.n, 3);
  EXPECT_EQ(d.n_different, 2);
  EXPECT_EQ(d.largest, 6);
  EXPECT_EQ(d.row, 4);
  EXPECT_EQ(d.column, 2);
  EXPECT_DOUBLE_EQ(d.relative(), std::sqrt((0.25 + 36) / (1 + 6.25 + 9)));
  const step::DistributionChange c =
      step::compare_logits(std::vector<float>{0, 0}, std::vector<float>{0, std::log(3.0f)});
  EXPECT_NEAR(c.kl, 0.5 * std::log(0.5 / 0.25) + 0.5 * std::log(0.5 / 0.75), 1e-7);
  EXPECT_FALSE(c.same_best());
}

}  // namespace
}  // namespace galley
