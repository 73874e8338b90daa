// galley step and galley drift as programs: scripts, exit codes, JSON.
#include <gtest/gtest.h>

#include <fstream>

#include "tests/tensor/temp_folder.h"
#include "tests/tools/galley_process.h"

namespace galley {
namespace {

using test::Outcome;
using test::run_galley;

const std::vector<std::string> kStep = {"step", "-p", "sort: d a c b ="};

std::vector<std::string> with(std::vector<std::string> words, std::vector<std::string> more) {
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

TEST(Step, RunsCommandsFromFlagsFilesAndStdin) {
  const Outcome flags = run_galley(with(kStep, {"-x", "step 2", "-x", "shape"}));
  EXPECT_EQ(flags.exit_code, 0) << flags.err;
  EXPECT_NE(flags.out.find("blk.0.attn_norm"), std::string::npos);
  EXPECT_EQ(flags.err, "");
  EXPECT_EQ(run_galley(kStep, "step 2\nshape\n").out, flags.out);
  const test::TempFolder folder;
  std::ofstream((folder / "script.txt").string()) << "# a comment\nstep 2\n\nshape\n";
  EXPECT_EQ(run_galley(with(kStep, {"--script", (folder / "script.txt").string()})).out, flags.out);
  const Outcome echo = run_galley(with(kStep, {"--echo"}), "step 2\nquit\nshape\n");
  EXPECT_TRUE(echo.out.starts_with("> step 2\n")) << echo.out;
  EXPECT_EQ(echo.out.find("> shape"), std::string::npos);
}

TEST(Step, AWrongCommandEndsAScriptWithCode2) {
  const Outcome o = run_galley(kStep, "step\nprnt embd\nshape\n");
  EXPECT_EQ(o.exit_code, 2);
  EXPECT_EQ(o.n_error_lines(), 1u);
  EXPECT_NE(o.err.find("stdin:2: there is no command 'prnt', did you mean 'print'?"),
            std::string::npos)
      << o.err;
  EXPECT_EQ(o.out.find("read by"), std::string::npos);
}

TEST(Step, NeedsAPrompt) {
  EXPECT_EQ(run_galley({"step"}).exit_code, 2);
  EXPECT_EQ(run_galley({"step", "-f", "-"}).exit_code, 2);
  EXPECT_EQ(run_galley({"step", "-p", "a", "--ids", "1"}).exit_code, 2);
  EXPECT_EQ(run_galley({"step", "--ids", "1,2,3,4", "-c", "3", "-x", "step"}).exit_code, 5);
  EXPECT_EQ(run_galley({"step", "--ids", "99999999", "-x", "step"}).exit_code, 2);
}

TEST(Step, JsonHasOneObjectForEachCommand) {
  const Outcome o = run_galley(with(kStep, {"--json", "-x", "run-until blk.0.q", "-x", "stats"}));
  const std::size_t end = o.out.find('\n');
  const auto first = nlohmann::json::parse(o.out.substr(0, end));
  EXPECT_EQ(first["data"]["position"]["made"], "blk.0.q");
  const auto second = nlohmann::json::parse(o.out.substr(end + 1));
  EXPECT_EQ(second["command"], "stats");
  EXPECT_GT(second["data"]["n"], 0);
}

TEST(Step, TheSameScriptGivesTheSameText) {
  const std::string script = "token 3\ntokens\nsampler\nlogits\nrun-until logits\nlens\n";
  const Outcome a = run_galley(with(kStep, {"-t", "1"}), script);
  EXPECT_EQ(a.exit_code, 2);  // logits before they are made
  const std::string good = "token 3\ntokens\nrun-until logits\nsampler\nlens grid\nkv\n";
  EXPECT_EQ(run_galley(with(kStep, {"-t", "1"}), good).out,
            run_galley(with(kStep, {"-t", "2", "--isa", "scalar"}), good).out);
}

TEST(Drift, ComparesPrecisions) {
  const Outcome o =
      run_galley({"drift", "-p", "Once upon a time", "--types", "Q8_0,Q2_K", "--json"});
  ASSERT_EQ(o.exit_code, 0) << o.err;
  const auto compared = o.json()["compared"];
  ASSERT_EQ(compared.size(), 2u);
  EXPECT_LT(compared[0]["mean_kl"], compared[1]["mean_kl"]);
  EXPECT_EQ(compared[1]["positions"].size(), o.json()["ids"].size());
  const Outcome text = run_galley({"drift", "-p", "Once", "--against", "demo", "--positions"});
  EXPECT_NE(text.out.find("no value differs in any bit"), std::string::npos) << text.out;
}

TEST(Drift, WrongFlagsAreUsageErrors) {
  EXPECT_EQ(run_galley({"drift", "-p", "a"}).exit_code, 2);
  EXPECT_EQ(run_galley({"drift", "-p", "a", "--types", "Q9_9"}).exit_code, 2);
  EXPECT_EQ(run_galley({"drift", "-p", "a", "--types", "Q4_0", "--against", "demo"}).exit_code, 2);
}

}  // namespace
}  // namespace galley
