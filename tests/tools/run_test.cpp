// galley run on a model whose words are known in advance.
#include <gtest/gtest.h>

#include <fstream>
#include <random>

#include "tests/tensor/temp_folder.h"
#include "tests/tools/galley_process.h"
#include "tests/tools/successor_model.h"

namespace galley::test {
namespace {

class Run : public ::testing::Test {
 protected:
  void SetUp() override { SuccessorModel().write(model()); }
  std::string model() const { return folder_ / "model.gguf"; }
  std::string file(const std::string& content) const {
    const std::string path = folder_ / "prompt.txt";
    std::ofstream(path, std::ios::binary) << content;
    return path;
  }
  // Runs greedily; what comes after "-m MODEL --temp 0".
  Outcome run(std::vector<std::string> arguments, const std::string& input = "") const {
    std::vector<std::string> all = {"run", "-m", model(), "--temp", "0"};
    all.insert(all.end(), arguments.begin(), arguments.end());
    return run_galley(all, input);
  }

  TempFolder folder_;
};

TEST_F(Run, PrintsTheContinuationAndNothingElse) {
  const Outcome o = run({"-p", "abc", "-n", "4"});
  EXPECT_EQ(o.exit_code, 0) << o.err;
  EXPECT_EQ(o.out, "defg");
  EXPECT_NE(o.err.find("prefill    4 tokens"), std::string::npos) << o.err;
  EXPECT_NE(o.err.find("tokens/s"), std::string::npos);
  EXPECT_NE(o.err.find("memory"), std::string::npos);
}

TEST_F(Run, StopsAtTheEndOfText) {
  EXPECT_EQ(run({"-p", "w"}).out, "xyz");
  const auto json = run({"-p", "w", "--json"}).json();
  EXPECT_EQ(json["stop_reason"], "eos");
  EXPECT_EQ(json["text"], "xyz");
  EXPECT_EQ(json["tokens"].size(), 3u);
}

TEST_F(Run, IgnoresTheEndOfTextWhenAsked) {
  const auto json = run({"-p", "y", "--ignore-eos", "-n", "4", "--json"}).json();
  EXPECT_EQ(json["stop_reason"], "length");
  EXPECT_EQ(json["tokens"].size(), 4u);
  EXPECT_EQ(json["tokens"][1], 2);  // </s>
}

TEST_F(Run, JsonHasTheFactsOfTheContract) {
  const auto json = run({"-p", "abc", "-n", "2", "--json"}).json();
  EXPECT_EQ(json["prompt_tokens"], 4);  // with BOS
  EXPECT_EQ(json["text"], "de");
  EXPECT_EQ(json["stop_reason"], "length");
  EXPECT_TRUE(json["tokens"].is_array());
  EXPECT_GT(json["timings"]["prefill_s"], 0);
}

TEST_F(Run, EchoPrintsThePromptToo) {
  EXPECT_EQ(run({"-p", "abc", "-n", "2", "--echo"}).out, "abcde");
}

TEST_F(Run, StopStringsAreCutExactly) {
  // In one token, over several tokens, and where a beginning turns out to be none.
  EXPECT_EQ(run({"-p", "a", "--stop", "f"}).out, "bcde");
  EXPECT_EQ(run({"-p", "a", "--stop", "fgh"}).out, "bcde");
  EXPECT_EQ(run({"-p", "a", "--stop", "fgx", "-n", "8"}).out, "bcdefghi");
  EXPECT_EQ(run({"-p", "a", "--stop", "ijk", "--stop", "gh"}).out, "bcdef");
  const auto json = run({"-p", "a", "--stop", "fgh", "--json"}).json();
  EXPECT_EQ(json["stop_reason"], "stop");
  EXPECT_EQ(json["text"], "bcde");
}

TEST_F(Run, AHeldBackBeginningAppearsAtTheEnd) {
  EXPECT_EQ(run({"-p", "a", "--stop", "yzz"}).out, "bcdefghijklmnopqrstuvwxyz");
}

TEST_F(Run, ReadsThePromptFromAFileOrStdin) {
  EXPECT_EQ(run({"-f", file("abc\n"), "-n", "2"}).out, "de");
  EXPECT_EQ(run({"-f", "-", "-n", "2"}, "abc\n").out, "de");
  EXPECT_EQ(run({"-n", "2"}, "abc").out, "de");
}

TEST_F(Run, TakesTokenIds) {
  const auto ids = run({"-p", "abc", "-n", "0", "--json"}).json()["prompt_ids"];
  std::string list;
  for (const auto& id : ids) list += std::to_string(id.get<int>()) + ",";
  EXPECT_EQ(run({"--ids", list, "-n", "3"}).out, "def");
}

TEST_F(Run, AnEmptyPromptStartsAtTheBeginning) {
  const Outcome o = run({"-p", "", "-n", "3"});
  EXPECT_EQ(o.exit_code, 0) << o.err;
  EXPECT_EQ(o.out, "abc");
  EXPECT_EQ(run({"-n", "3"}, "").out, "abc");
}

TEST_F(Run, NoTokensToMakeMeansPrefillAlone) {
  const Outcome o = run({"-p", "abc", "-n", "0"});
  EXPECT_EQ(o.exit_code, 0);
  EXPECT_EQ(o.out, "");
  EXPECT_NE(o.err.find("prefill    4 tokens"), std::string::npos);
}

TEST_F(Run, AContextOfOneHoldsOneToken) {
  const Outcome o = run({"-p", "", "-c", "1"});
  EXPECT_EQ(o.exit_code, 0);
  EXPECT_EQ(o.out, "a");
  EXPECT_NE(o.err.find("the context of 1 position is full"), std::string::npos) << o.err;
  const Outcome too_long = run({"-p", "abc", "-c", "1"});
  EXPECT_EQ(too_long.exit_code, 5);
  EXPECT_EQ(too_long.out, "");
  EXPECT_EQ(too_long.n_error_lines(), 1u) << too_long.err;
}

TEST_F(Run, AFullContextEndsTheTextAndSaysSo) {
  const auto json = run({"-p", "abc", "-c", "6", "--json"}).json();
  EXPECT_EQ(json["stop_reason"], "context");
  // Positions 4 and 5 take d and e; f needs no place of its own.
  EXPECT_EQ(json["text"], "def");
}

TEST_F(Run, APromptLongerThanTheContextIsRefusedBeforeItIsRun) {
  const Outcome o = run({"-p", std::string(300, 'a')});
  EXPECT_EQ(o.exit_code, 5);
  EXPECT_EQ(o.n_error_lines(), 1u);
  EXPECT_NE(o.err.find("the prompt has 301 tokens, the context holds 256"), std::string::npos)
      << o.err;
}

TEST_F(Run, AMillionRandomBytesAreJustALongPrompt) {
  std::mt19937 random(1);
  std::string bytes(1'000'000, '\0');
  for (char& c : bytes) c = static_cast<char>(random());
  const Outcome refused = run({"-f", "-"}, bytes);
  EXPECT_EQ(refused.exit_code, 5);
  EXPECT_EQ(refused.n_error_lines(), 1u) << refused.err;
  EXPECT_LT(refused.seconds, 20);
  // A thousand of them fit into a larger context.
  const Outcome o = run({"-f", "-", "-c", "2000", "-n", "1"}, bytes.substr(0, 1000));
  EXPECT_EQ(o.exit_code, 0) << o.err;
}

TEST_F(Run, NeverPrintsHalfACharacter) {
  SuccessorModel model;
  model.next["a"] = "<0xC3>";  // é in two tokens
  model.next["<0xC3>"] = "<0xA9>";
  model.next["<0xA9>"] = "b";
  model.next["b"] = "<0xC3>";
  model.write(this->model());
  EXPECT_EQ(run({"-p", "a", "-n", "5"}).out, "\u00e9b\u00e9");
  // Cut in the middle: JSON stays valid.
  EXPECT_EQ(run({"-p", "a", "-n", "1", "--json"}).json()["text"], "\uFFFD");
}

TEST_F(Run, TheSameSeedGivesTheSameBytesAtAnyThreadCount) {
  const auto sampled = [&](const std::string& seed, const std::string& threads) {
    return run({"--temp", "20", "--top-k", "0", "--top-p", "1", "--min-p", "0", "-n", "60",
                "--ignore-eos", "-p", "a", "-s", seed, "-t", threads, "--json"})
        .json()["tokens"];
  };
  const auto first = sampled("7", "1");
  EXPECT_EQ(first, sampled("7", "1"));
  EXPECT_EQ(first, sampled("7", "3"));
  EXPECT_NE(first, sampled("8", "1"));
}

TEST_F(Run, TellsTheSeedItUsed) {
  const Outcome o = run({"--temp", "1", "-p", "a", "-n", "1"});
  EXPECT_NE(o.err.find("seed "), std::string::npos) << o.err;
  EXPECT_EQ(run({"-p", "a", "-n", "1"}).err.find("seed "), std::string::npos);  // greedy
}

TEST_F(Run, CtrlCEndsCleanly) {
  SuccessorModel model;
  model.n_context = 1 << 20;
  model.next["z"] = "a";
  model.write(this->model());
  Invocation invocation;
  invocation.arguments = {"run", "-m", this->model(), "--temp", "0", "-p", "a"};
  invocation.interrupt_after_s = 1;
  const Outcome o = run_galley(invocation);
  EXPECT_EQ(o.exit_code, 130);
  EXPECT_TRUE(o.out.starts_with("bcdef")) << o.out.substr(0, 20);
  EXPECT_NE(o.err.find("decode "), std::string::npos);  // the summary
}

TEST_F(Run, AReaderThatLeavesIsNoFailure) {
  SuccessorModel model;
  model.n_context = 1 << 20;
  model.next["z"] = "a";
  model.write(this->model());
  Invocation invocation;
  invocation.arguments = {"run", "-m", this->model(), "--temp", "0", "-p", "a"};
  invocation.stop_reading_after = 5;
  const Outcome o = run_galley(invocation);
  EXPECT_EQ(o.exit_code, 0);
  EXPECT_EQ(o.err.find("galley:"), std::string::npos) << o.err;
}

TEST_F(Run, AClosedStdoutIsAFailure) {
  Invocation invocation;
  invocation.arguments = {"run", "-m", model(), "-p", "a", "-n", "3"};
  invocation.close_stdout = true;
  const Outcome o = run_galley(invocation);
  EXPECT_EQ(o.exit_code, 1);
  EXPECT_NE(o.err.find("cannot write to stdout"), std::string::npos) << o.err;
}

#ifndef __SANITIZE_ADDRESS__  // which needs terabytes of addresses itself
TEST_F(Run, TooLittleMemoryIsExitCode4) {
  Invocation invocation;
  invocation.arguments = {"run", "-m", model(), "-p", "a", "-c", "2000000000"};
  invocation.max_address_bytes = std::int64_t{4} << 30;
  const Outcome o = run_galley(invocation);
  EXPECT_EQ(o.exit_code, 4) << o.err;
  EXPECT_EQ(o.n_error_lines(), 1u) << o.err;
}
#endif

}  // namespace
}  // namespace galley::test
