// What every command has in common: help, mistakes, the environment, files that are none.
#include <gtest/gtest.h>

#include "tests/tensor/temp_folder.h"
#include "tests/tools/galley_process.h"
#include "tests/tools/successor_model.h"

namespace galley::test {
namespace {

const char* const kCommands[] = {"run",        "tokenize", "inspect", "logits",
                                 "perplexity", "quantize", "bench"};

TEST(Usage, VersionAndOverview) {
  const Outcome version = run_galley({"--version"});
  EXPECT_EQ(version.exit_code, 0);
  EXPECT_TRUE(version.out.starts_with("galley ")) << version.out;
  const Outcome help = run_galley({"--help"});
  EXPECT_EQ(help.exit_code, 0);
  for (const char* command : kCommands)
    EXPECT_NE(help.out.find(std::string("\n  ") + command), std::string::npos) << command;
  EXPECT_EQ(run_galley({"help", "run"}).out, run_galley({"run", "--help"}).out);
}

TEST(Usage, HelpOfEveryCommandEndsWithTwoExamples) {
  for (const char* command : kCommands) {
    const Outcome o = run_galley({command, "--help"});
    EXPECT_EQ(o.exit_code, 0) << command;
    EXPECT_EQ(o.err, "") << command;
    const std::size_t at = o.out.find("Examples:\n");
    ASSERT_NE(at, std::string::npos) << command;
    const std::string examples = o.out.substr(at);
    EXPECT_EQ(std::count(examples.begin(), examples.end(), '\n'), 3) << examples;
    EXPECT_NE(examples.find(std::string("\n  galley ") + command), std::string::npos) << examples;
  }
}

// Exit code 2, one line on stderr with `expected` in it, nothing on stdout.
void expect_usage_error(const std::vector<std::string>& arguments, const std::string& expected) {
  const Outcome o = run_galley(arguments);
  EXPECT_EQ(o.exit_code, 2) << o.err;
  EXPECT_EQ(o.out, "");
  EXPECT_EQ(o.n_error_lines(), 1u) << o.err;
  EXPECT_NE(o.err.find(expected), std::string::npos)
      << "expected: " << expected << "\ngot: " << o.err;
}

TEST(Usage, UnknownWordsSuggestTheNearest) {
  expect_usage_error({}, "no command");
  expect_usage_error({"rnu"}, "did you mean 'run'?");
  expect_usage_error({"quantise"}, "did you mean 'quantize'?");
  expect_usage_error({"xyzzy"}, "there is no command 'xyzzy'; ");
  expect_usage_error({"run", "--tmep", "0"}, "unknown flag '--tmep', did you mean '--temp'?");
  expect_usage_error({"run", "--n-predicts=3"}, "did you mean '--n-predict'?");
  expect_usage_error({"run", "more"}, "unexpected argument 'more'");
  expect_usage_error({"quantize", "a", "b", "Q4_KM"}, "did you mean 'Q4_K_M'?");
  expect_usage_error({"run", "-p", "a", "--samplers", "topk"}, "did you mean 'top_k'?");
  expect_usage_error({"run", "-p", "a", "--kv-type", "f17"}, "did you mean 'f16'?");
  expect_usage_error({"run", "-p", "a", "--isa", "avx3"}, "did you mean 'avx2'?");
}

TEST(Usage, ValuesAreChecked) {
  expect_usage_error({"run", "-n", "many"}, "--n-predict needs a whole number, not 'many'");
  expect_usage_error({"run", "--temp", "warm"}, "--temp needs a number, not 'warm'");
  expect_usage_error({"run", "--temp", "nan"}, "--temp needs a number");
  expect_usage_error({"run", "-p", "a", "--temp", "-1"}, "--temp");
  expect_usage_error({"run", "-p", "a", "--top-p", "1.5"}, "--top-p is 1.5, expected from 0 to 1");
  expect_usage_error({"run", "-p", "a", "-c", "-5"}, "--ctx-size is -5");
  expect_usage_error({"run", "-p", "a", "-t", "-1"}, "--threads is -1");
  expect_usage_error({"run", "-p", "a", "-n", "-7"}, "--n-predict is -7");
  expect_usage_error({"run", "-p"}, "--prompt");
  expect_usage_error({"run", "-p", "a", "-f", "b"}, "--prompt and --file cannot be given together");
  expect_usage_error({"inspect"}, "FILE");
  expect_usage_error({"run", "-p", "a", "-m", "demo:stort"}, "buil");
}

TEST(Usage, FilesThatAreNone) {
  const TempFolder folder;
  for (const char* command : {"run", "logits", "perplexity"}) {
    const Outcome missing =
        run_galley({command, "-m", folder / "none.gguf", "--ids", "1", "-o", "x"});
    if (std::string(command) == "logits") {
      EXPECT_EQ(missing.exit_code, 1) << missing.err;
      EXPECT_NE(missing.err.find("none.gguf: cannot be opened: No such file"), std::string::npos)
          << missing.err;
    }
    const Outcome is_folder = run_galley({command, "-m", folder.path(), "--ids", "1"});
    EXPECT_EQ(is_folder.exit_code == 1 || is_folder.exit_code == 2, true) << is_folder.err;
  }
  const Outcome prompt = run_galley({"tokenize", "-m", "x", "-f", folder.path()});
  EXPECT_EQ(prompt.exit_code, 1);
}

TEST(Usage, TheEnvironmentMirrorsFlagsAndFlagsWin) {
  const TempFolder folder;
  const std::string model = folder / "model.gguf";
  SuccessorModel().write(model);
  Invocation invocation;
  invocation.environment = {{"GALLEY_MODEL", model},
                            {"GALLEY_TEMP", "0"},
                            {"GALLEY_N_PREDICT", "3"},
                            {"GALLEY_JSON", "1"},
                            {"GALLEY_PROMPT", "p"}};
  invocation.arguments = {"run"};
  EXPECT_EQ(run_galley(invocation).json()["text"], "qrs");
  invocation.arguments = {"run", "-n", "1", "--ids", "1"};
  EXPECT_EQ(run_galley(invocation).json()["text"], "a");
  invocation.environment = {{"GALLEY_TEMP", "warm"}};
  const Outcome o = run_galley(invocation);
  EXPECT_EQ(o.exit_code, 2);
  EXPECT_NE(o.err.find("environment variable GALLEY_TEMP: --temp needs a number"),
            std::string::npos)
      << o.err;
}

}  // namespace
}  // namespace galley::test
