// Moving: where each command stops, and that going back changes no bit.
#include "tests/step/session.h"

namespace galley {
namespace {

using test::Script;

const char* const kPrompt = "sort: d a c b =";

// The numbers of every value made so far.
std::vector<std::vector<float>> all_values(step::DebugRun& run) {
  std::vector<std::vector<float>> all;
  const step::StoppedData data = run.data();
  for (int i = 0; i < run.next_op(); ++i) {
    const Value value = run.graph().ops[static_cast<std::size_t>(i)].output;
    if (run.graph().info(value).cache_layer >= 0) continue;
    for (std::int64_t r = 0; r < data.n_rows(value); ++r)
      all.emplace_back(data.row(value, r).begin(), data.row(value, r).end());
  }
  return all;
}

int op_of(const Script&, const std::string& name) { return test::demo()->graph().find_op(name); }

TEST(StepMoving, StartsBeforeTheFirstOp) {
  Script s(kPrompt);
  const step::Json where = s.json("where");
  EXPECT_EQ(where["next_op"], 0);
  EXPECT_EQ(where["next"], "embd");
  EXPECT_TRUE(where["made"].is_null());
  EXPECT_NE(s.error("print embd").find("not been made yet"), std::string::npos);
  EXPECT_NE(s.error("print").find("step makes one"), std::string::npos);
  EXPECT_NE(s.error("back").find("restart"), std::string::npos);
}

TEST(StepMoving, StepRunsOneOpOrMany) {
  Script s(kPrompt);
  s("step");
  EXPECT_EQ(s.run().next_op(), 1);
  s("s 5");
  EXPECT_EQ(s.run().next_op(), 6);
  // From the last op a step chooses the token, the next one runs the first op of its pass.
  s("step " + std::to_string(s.run().n_ops() - 6));
  EXPECT_TRUE(s.run().waits_for_choice());
  const auto n = static_cast<std::int64_t>(s.run().ids().size());
  s("step");
  EXPECT_EQ(s.run().pass_begin(), n);
  EXPECT_EQ(s.run().pass_end(), n + 1);
  EXPECT_EQ(s.run().next_op(), 0);
  s("step");
  EXPECT_EQ(s.run().next_op(), 1);
  EXPECT_NE(s.error("step 0").find("expected a number from 1"), std::string::npos);
  EXPECT_NE(s.error("step x"), "");
}

TEST(StepMoving, NextGoesFromLayerToLayer) {
  Script s(kPrompt);
  const auto& ops = s.run().graph().ops;
  int layer = -1;
  for (std::int64_t i = 0; i <= s.run().model().config().n_layers; ++i) {
    s("next");
    if (s.run().pass_is_over()) break;
    const Op& op = ops[static_cast<std::size_t>(s.run().next_op())];
    EXPECT_NE(op.layer, layer);
    EXPECT_NE(op.layer, ops[static_cast<std::size_t>(s.run().next_op() - 1)].layer);
    layer = op.layer;
  }
  EXPECT_EQ(layer, -1);  // the ops behind the last layer
}

// The text that the debugger makes is the one that a session and a sampler make.
TEST(StepMoving, TokensAreThoseOfAPlainRun) {
  step::DebuggerOptions options;
  options.run.sampler.seed = 7;
  options.n_predict = 6;
  Script s("Once upon a time", options);
  s("continue");
  Session session(test::demo(), {});
  Sampler sampler(options.run.sampler);
  std::vector<TokenId> ids = test::demo()->tokenizer().encode("Once upon a time");
  session.forward(ids);
  for (TokenId id : ids) sampler.accept(id);
  std::vector<TokenId> made;
  for (int i = 0; i < 6; ++i) {
    made.push_back(sampler.sample(session.logits()));
    sampler.accept(made.back());
    session.forward(std::span(&made.back(), 1));
  }
  const auto ours = s.run().ids().subspan(ids.size());
  EXPECT_EQ(std::vector<TokenId>(ours.begin(), ours.end()), made);
}

TEST(StepMoving, BreakpointsStopWhereTheValueIsMade) {
  Script s(kPrompt);
  EXPECT_EQ(s.json("break blk.*.attn")["id"], 1);
  EXPECT_EQ(s.json("tbreak blk.1.ffn_up")["id"], 2);
  EXPECT_EQ(s.json("continue")["breakpoint"], 1);
  EXPECT_EQ(s.run().next_op(), op_of(s, "blk.0.attn") + 1);
  EXPECT_EQ(s.json("c")["breakpoint"], 1);
  EXPECT_EQ(s.run().next_op(), op_of(s, "blk.1.attn") + 1);
  EXPECT_EQ(s.json("c")["breakpoint"], 2);
  EXPECT_EQ(s.run().next_op(), op_of(s, "blk.1.ffn_up") + 1);
  EXPECT_EQ(s.json("break").size(), 1u);  // the temporary one is gone
  EXPECT_EQ(s.json("break")[0]["hits"], 2);
  s("delete 1");
  EXPECT_EQ(s("break"), "no breakpoints\n");
  EXPECT_NE(s.error("delete 1").find("there are none"), std::string::npos);
  EXPECT_NE(s.error("break blk.0.atn").find("blk.0.attn"), std::string::npos);
}

TEST(StepMoving, BreakpointsAtTokensAndRunUntil) {
  step::DebuggerOptions options;
  options.run.session.n_batch = 4;  // the prompt takes several passes
  Script s(kPrompt, options);
  s("break token 6");
  s("continue");
  EXPECT_EQ(s.run().pass_begin(), 4);
  EXPECT_EQ(s.run().next_op(), 0);
  s("delete");
  s("run-until logits");
  EXPECT_TRUE(s.run().pass_is_over());
  const auto n = static_cast<std::int64_t>(s.run().ids().size());
  s("run-until token " + std::to_string(n + 2));
  EXPECT_EQ(s.run().pass_begin(), n + 2);
  EXPECT_EQ(s("break"), "no breakpoints\n");
  EXPECT_NE(s.error("run-until token 100000").find("expected a number"), std::string::npos);
}

TEST(StepMoving, BackThenStepGivesTheSameBits) {
  Script s(kPrompt);
  for (const char* here : {"run-until blk.2.ffn_out", "token", "run-until logits", "token"}) {
    s(here);
    if (s.run().next_op() == 0) s("run-until blk.1.attn_out");
    const int op = s.run().next_op();
    const auto before = all_values(s.run());
    for (const char* there : {"back", "back 7", "back embd"}) {
      s(there);
      EXPECT_LT(s.run().next_op(), op);
      s("step " + std::to_string(op - s.run().next_op()));
      EXPECT_EQ(all_values(s.run()), before) << here << ", " << there;
    }
  }
  EXPECT_NE(s.error("back logits").find("yet to come"), std::string::npos);
}

TEST(StepMoving, RestartBeginsTheSameTextAgain) {
  Script s("Once upon a time");
  s("token 4");
  const std::vector<TokenId> first(s.run().ids().begin(), s.run().ids().end());
  s("restart");
  EXPECT_EQ(s.run().ids().size(), static_cast<std::size_t>(s.run().n_prompt()));
  EXPECT_EQ(s.run().next_op(), 0);
  s("token 4");
  EXPECT_EQ(std::vector<TokenId>(s.run().ids().begin(), s.run().ids().end()), first);
}

TEST(StepMoving, TheTextEndsWithTheContext) {
  step::DebuggerOptions options;
  options.run.session.n_context = 12;
  options.n_predict = 100;
  Script s(test::random_llama(), {1, 2, 3, 4}, options);
  EXPECT_NE(s("continue").find("the context is full"), std::string::npos);
  EXPECT_NE(s.error("step").find("the context is full"), std::string::npos);
  s("back");  // the end is taken back, too
  s("step");
  EXPECT_TRUE(s.run().waits_for_choice());
}

}  // namespace
}  // namespace galley
