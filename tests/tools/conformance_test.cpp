// The golden data through the program itself: the same tokens, logits, likelihoods and ids, and
// the same refusals.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <sstream>

#include "tests/conformance.h"
#include "tests/tensor/temp_folder.h"
#include "tests/tools/galley_process.h"

namespace galley::test {
namespace {

using Json = nlohmann::json;

Json read_json(const std::filesystem::path& path) {
  std::ifstream in(path);
  return Json::parse(in);
}

std::string joined(const Json& ids) {
  std::string text;
  for (const Json& id : ids) text += std::to_string(id.get<int>()) + ",";
  return text;
}

// |a - b| / |b|.
double relative_error(const std::vector<float>& a, const std::vector<float>& b) {
  double difference = 0, size = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    difference += std::pow(static_cast<double>(a[i]) - b[i], 2);
    size += std::pow(static_cast<double>(b[i]), 2);
  }
  return std::sqrt(difference / size);
}

// Whether `got` is `want` up to a place where the margin between the two best is below
// `near_tie`; after such a place everything may differ.
::testing::AssertionResult same_up_to_ties(const Json& got, const Json& want, const Json& margins,
                                           double near_tie) {
  if (got.size() != want.size())
    return ::testing::AssertionFailure() << got.size() << " tokens instead of " << want.size();
  for (std::size_t i = 0; i < want.size(); ++i) {
    if (got[i] == want[i]) continue;
    const double margin = i < margins.size() ? margins[i].get<double>() : 1;
    if (margin < near_tie) return ::testing::AssertionSuccess();
    return ::testing::AssertionFailure() << "token " << i << " is " << got[i] << " instead of "
                                         << want[i] << ", margin " << margin;
  }
  return ::testing::AssertionSuccess();
}

TEST(ComparatorsTest, NoticeWhatIsWrong) {
  EXPECT_EQ(relative_error({1, 2}, {1, 2}), 0);
  EXPECT_GT(relative_error({1, -2}, {1, 2}), 1);
  EXPECT_TRUE(same_up_to_ties({1, 2}, {1, 2}, {9, 9}, 0.1));
  EXPECT_FALSE(same_up_to_ties({1, 3}, {1, 2}, {9, 9}, 0.1));
  EXPECT_TRUE(same_up_to_ties({1, 3}, {1, 2}, {9, 0.05}, 0.1));
  EXPECT_FALSE(same_up_to_ties({1}, {1, 2}, {9, 9}, 0.1));
}

TEST(Conformance, GoldenContinuations) {
  GALLEY_NEED_CONFORMANCE("models");
  const std::filesystem::path folder = conformance_dir() / "models";
  int n = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder / "golden")) {
    const std::string model = entry.path().filename();
    const bool is_exact = model.find("-f32") != std::string::npos;
    const Json all = read_json(entry.path() / "greedy.json");
    for (const Json& golden : all["greedy"]) {
      const Json& want = golden.contains("exact_ids") ? golden["exact_ids"] : golden["ids"];
      const bool has_text = golden.contains("prompt") && golden["prompt"].is_string();
      const Outcome o = run_galley(
          {"run", "-m", folder / (model + ".gguf"), "--temp", "0", "-n",
           std::to_string(want.size()), "--ignore-eos", "--json", has_text ? "-p" : "--ids",
           has_text ? golden["prompt"].get<std::string>() : joined(golden["prompt_ids"])});
      ASSERT_EQ(o.exit_code, 0) << o.err;
      EXPECT_EQ(o.json()["prompt_ids"], golden["prompt_ids"]) << model;
      EXPECT_TRUE(same_up_to_ties(o.json()["tokens"], want,
                                  golden.value("exact_margins", Json::array()),
                                  is_exact ? 1e-4 : 0.05))
          << model << ": " << golden.value("prompt", Json());
      ++n;
    }
  }
  EXPECT_GT(n, 50);
}

// What README.md promises on its first screen.
TEST(Conformance, TheStoryOfTheReadme) {
  GALLEY_NEED_CONFORMANCE("models");
  const Json golden = read_json(conformance_dir() / "models/golden/stories260K-f32/greedy.json");
  const Outcome o = run_galley({"run", "-m", conformance_dir() / "models/stories260K-f32.gguf",
                                "-p", "Once upon a time", "-n", "64", "--temp", "0"});
  EXPECT_EQ(o.out, golden["greedy"][0]["text"]);
}

TEST(Conformance, GoldenLikelihoods) {
  GALLEY_NEED_CONFORMANCE("models");
  const std::filesystem::path folder = conformance_dir() / "models";
  const TempFolder temp;
  for (const auto& entry : std::filesystem::directory_iterator(folder / "golden")) {
    if (!std::filesystem::exists(entry.path() / "nll.json")) continue;
    const std::string model = entry.path().filename();
    const Json golden = read_json(entry.path() / "nll.json");
    const std::string text = temp / "text.txt";
    std::ofstream(text, std::ios::binary) << golden["text"].get<std::string>();
    const Outcome o =
        run_galley({"perplexity", "-m", folder / (model + ".gguf"), "-f", text, "--nll", "--json"});
    ASSERT_EQ(o.exit_code, 0) << o.err;
    EXPECT_EQ(o.json()["ids"], golden["ids"]) << model;
    const double mean = o.json()["mean_nll"], exact = golden["mean_nll_exact"];
    EXPECT_NEAR(mean, exact, 0.001 * exact) << model;
    const auto nll = o.json()["nll"].get<std::vector<double>>();
    const auto nll_exact = golden["nll_exact"].get<std::vector<double>>();
    ASSERT_EQ(nll.size(), nll_exact.size());
    for (std::size_t i = 0; i < nll.size(); ++i) EXPECT_NEAR(nll[i], nll_exact[i], 0.02) << i;
  }
}

TEST(Conformance, GoldenLogitsOfArchitectures) {
  GALLEY_NEED_CONFORMANCE("arch");
  const TempFolder temp;
  for (const auto& entry : std::filesystem::directory_iterator(conformance_dir() / "arch")) {
    if (!entry.is_directory()) continue;
    const Json golden = read_json(entry.path() / "golden.json");
    const std::string output = temp / "logits.f32";
    const Outcome o = run_galley({"logits", "-m", entry.path() / "model-f16.gguf", "--ids",
                                  joined(golden["prompt_ids"]), "--all", "-o", output});
    ASSERT_EQ(o.exit_code, 0) << o.err;
    const std::vector<float> exact = read_f32(entry.path() / "logits.exact.f32");
    const std::vector<float> logits = read_f32(output);
    ASSERT_EQ(logits.size(), exact.size()) << entry.path();
    EXPECT_LT(relative_error(logits, exact), 1e-3) << entry.path();
  }
}

TEST(Conformance, MalformedFiles) {
  GALLEY_NEED_CONFORMANCE("bad-gguf");
  const std::filesystem::path folder = conformance_dir() / "bad-gguf";
  std::ifstream manifest(folder / "manifest.tsv");
  std::string line;
  std::getline(manifest, line);
  // Under AddressSanitizer the bare program alone takes 150 MB, and a run 10 MB more.
  const std::int64_t most_bytes =
      std::max<std::int64_t>(100'000'000, run_galley({"--version"}).peak_bytes + 30'000'000);
  int n = 0;
  while (std::getline(manifest, line)) {
    std::istringstream fields(line);
    std::string file, expect;
    std::getline(fields, file, '\t');
    std::getline(fields, expect, '\t');
    const std::string path = folder / file;
    for (const std::vector<std::string>& command :
         {std::vector<std::string>{"run", "-m", path, "--ids", "1,2,3", "-n", "4", "--temp", "0"},
          std::vector<std::string>{"inspect", path}}) {
      const Outcome o = run_galley(command);
      const bool may_pass = expect != "reject", may_fail = expect != "accept";
      EXPECT_TRUE((may_pass && o.exit_code == 0) || (may_fail && o.exit_code == 3))
          << command[0] << " " << file << ": " << o.exit_code << " " << o.err;
      if (o.exit_code == 3 && expect == "reject") {
        EXPECT_EQ(o.n_error_lines(), 1u) << o.err;
        EXPECT_NE(o.err.find(file + ": "), std::string::npos) << o.err;
      }
      EXPECT_LT(o.seconds, 1 + 4) << file;  // 1 s, and room for a busy machine
      EXPECT_LT(o.peak_bytes, most_bytes) << file;
    }
    ++n;
  }
  EXPECT_EQ(n, 42);
}

TEST(Conformance, TokenizersAnswerLineByLine) {
  GALLEY_NEED_CONFORMANCE("tokenizer");
  const std::filesystem::path folder = conformance_dir() / "tokenizer";
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() != ".jsonl") continue;
    const std::string name = entry.path().stem();
    std::ifstream in(entry.path());
    const std::string requests((std::istreambuf_iterator<char>(in)),
                               std::istreambuf_iterator<char>());
    const Outcome o = run_galley(
        {"tokenize", "--jsonl", "-m", folder / ("ggml-vocab-" + name + ".gguf")}, requests);
    ASSERT_EQ(o.exit_code, 0) << o.err;
    std::istringstream questions(requests), answers(o.out);
    std::string question, answer;
    int n = 0;
    while (std::getline(questions, question)) {
      ASSERT_TRUE(std::getline(answers, answer)) << name << " line " << n + 1;
      const Json want = Json::parse(question), got = Json::parse(answer);
      EXPECT_EQ(got["ids"], want["ids"]) << name << " line " << n + 1;
      // The joined pieces, which stand under another name where they differ.
      for (const char* key : {"pieces", "pieces_hex", "detokenized", "detokenized_hex"}) {
        if (!want.contains(key)) continue;
        const bool is_hex = std::string(key).ends_with("_hex");
        EXPECT_EQ(got.value(is_hex ? "detokenized_hex" : "detokenized", ""), want[key])
            << name << " line " << n + 1;
        break;
      }
      ++n;
    }
    EXPECT_EQ(n, 775) << name;
  }
}

}  // namespace
}  // namespace galley::test
