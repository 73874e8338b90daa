// The list of commands: help for each, completion, and answers to what is wrong.
#include "tools/step/commands.h"

#include <set>

#include "tests/step/session.h"

namespace galley {
namespace {

using test::Script;

TEST(StepCommands, EachHasHelpAndOneName) {
  Script s(test::random_llama(), {1, 2, 3});
  const std::string list = s("help");
  std::set<std::string_view> names;
  for (const step::CommandGroup& group : step::command_groups())
    for (const step::Command& c : group.commands) {
      EXPECT_TRUE(names.insert(c.name).second) << c.name;
      if (!c.alias.empty()) {
        EXPECT_TRUE(names.insert(c.alias).second) << c.alias;
      }
      EXPECT_TRUE(c.usage.starts_with(c.name)) << c.name;
      EXPECT_NE(list.find(c.usage), std::string::npos) << c.name;
      EXPECT_NE(s("help " + std::string(c.name)).find(c.summary), std::string::npos) << c.name;
    }
  EXPECT_GE(names.size(), 40u);
}

TEST(StepCommands, UnknownOnesSuggestTheNearest) {
  Script s(test::random_llama(), {1, 2, 3});
  EXPECT_NE(s.error("stpe").find("did you mean 'step'?"), std::string::npos);
  EXPECT_NE(s.error("help atention").find("did you mean 'attention'?"), std::string::npos);
  EXPECT_NE(s.error("st").find("step, stats"), std::string::npos);
  EXPECT_EQ(s.error("att 0").find("no command"), std::string::npos);
  EXPECT_EQ(s(""), "");
  EXPECT_EQ(s("  # a comment"), "");
}

TEST(StepCommands, TabCompletes) {
  Script s(test::random_llama(), {1, 2, 3});
  using Words = std::vector<std::string>;
  EXPECT_EQ(s.debugger().completions("ste"), Words{"step"});
  EXPECT_EQ(s.debugger().completions("print blk.1.q"), (Words{"blk.1.q", "blk.1.q_rope"}));
  EXPECT_EQ(s.debugger().completions("weights blk.0.attn_q"), Words{"blk.0.attn_q.weight"});
  EXPECT_EQ(s.debugger().completions("help tb"), Words{"tbreak"});
  EXPECT_GE(s.debugger().completions("").size(), 30u);
  s("next");
  s("step");
  EXPECT_EQ(s.debugger().completions("print ffn_u"), Words{"ffn_up"});
}

// Whatever is typed: one line of an error, or an answer.
TEST(StepCommands, NoLineBreaksIt) {
  Script s(test::random_llama(), {1, 2, 3});
  s("run-until logits");
  const std::vector<std::string> words = {"",
                                          "x",
                                          "-1",
                                          "99999999999999999999",
                                          "[",
                                          "[,]",
                                          "\"",
                                          "blk.0.q[",
                                          "blk.0.q[1,2,3,4]",
                                          "token",
                                          "token x",
                                          "head",
                                          "row",
                                          "* *",
                                          "blk.0.cache_k[9]",
                                          "blk.*.q",
                                          "a b c d e f g"};
  for (const step::CommandGroup& group : step::command_groups())
    for (const step::Command& c : group.commands)
      for (const std::string& word : words) s.error(std::string(c.name) + " " + word);
  EXPECT_EQ(s.error("where"), "");
}

}  // namespace
}  // namespace galley
