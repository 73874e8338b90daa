// galley perplexity and galley bench.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <sstream>

#include "tests/tensor/temp_folder.h"
#include "tests/tools/galley_process.h"
#include "tests/tools/successor_model.h"

namespace galley::test {
namespace {

class Perplexity : public ::testing::Test {
 protected:
  void SetUp() override { SuccessorModel().write(model()); }
  std::string model() const { return folder_ / "model.gguf"; }
  std::string file(const std::string& content) const {
    const std::string path = folder_ / "text.txt";
    std::ofstream(path, std::ios::binary) << content;
    return path;
  }
  Outcome perplexity(std::vector<std::string> arguments) const {
    std::vector<std::string> all = {"perplexity", "-m", model()};
    all.insert(all.end(), arguments.begin(), arguments.end());
    return run_galley(all);
  }
  TempFolder folder_;
};

// The norm makes the unit vector sqrt(320) long, less what its epsilon takes; that is the logit of
// the successor, all 289 others are 0.
const double kLogit = 1 / std::sqrt(1.0 / 320 + 1e-6);
const double kWrong = std::log(std::exp(kLogit) + 289);
const double kRight = kWrong - kLogit;

TEST_F(Perplexity, LikelihoodOfEachToken) {
  const Outcome o = perplexity({"-f", file("abca"), "--nll"});
  ASSERT_EQ(o.exit_code, 0) << o.err;
  std::istringstream lines(o.out);
  std::vector<double> nll;
  for (double x = 0; lines >> x;) nll.push_back(x);
  ASSERT_EQ(nll.size(), 4u);  // each but BOS
  for (int i = 0; i < 3; ++i) EXPECT_NEAR(nll[static_cast<std::size_t>(i)], kRight, 1e-5);
  EXPECT_NEAR(nll[3], kWrong, 1e-4);
  const auto json = perplexity({"-f", file("abca"), "--nll", "--json"}).json();
  EXPECT_EQ(json["ids"].size(), 5u);
  EXPECT_NEAR(json["mean_nll"], (3 * kRight + kWrong) / 4, 1e-4);
}

// Chunks of 8 tokens: BOS takes the place of the first, the tokens at 5, 6 and 7 are scored.
TEST_F(Perplexity, ChunksFollowTheConvention) {
  // BOS and 23 letters: three chunks. Wrong successors, by position in the text:
  // chunk 0 is <s>abcdefg, chunk 1 (h)ijkl|mno, chunk 2 (p)qrst|uaw: two scored are wrong.
  const std::string text = "abcdefghijklmnopqrstuaw";
  const auto json = perplexity({"-f", file(text), "-c", "8", "--json"}).json();
  EXPECT_EQ(json["chunks"], 3);
  EXPECT_EQ(json["tokens_scored"], 9);
  EXPECT_NEAR(json["mean_nll"], (7 * kRight + 2 * kWrong) / 9, 1e-4);
  EXPECT_NEAR(json["ppl"], std::exp((7 * kRight + 2 * kWrong) / 9), 1e-2);
  EXPECT_NEAR(json["running_ppl"][1], std::exp(kRight), 1e-5);
  const Outcome o = perplexity({"-f", file(text), "-c", "8"});
  EXPECT_TRUE(o.out.starts_with("Final estimate: PPL = ")) << o.out;
  EXPECT_NE(o.out.find(" +/- "), std::string::npos);
}

TEST_F(Perplexity, TextsThatAreTooShortOrTooLong) {
  EXPECT_EQ(perplexity({"-f", file("ab"), "-c", "8"}).exit_code, 2);
  EXPECT_EQ(perplexity({"-f", file(""), "--nll"}).exit_code, 2);
  EXPECT_EQ(perplexity({"-f", file(std::string(300, 'a')), "--nll"}).exit_code, 5);
  EXPECT_EQ(perplexity({"-f", file(std::string(300, 'a')), "--nll", "-c", "400"}).exit_code, 0);
  EXPECT_EQ(perplexity({"-f", folder_ / "none.txt"}).exit_code, 1);
}

TEST_F(Perplexity, BenchHasLlamaBenchsColumns) {
  const Outcome o = run_galley({"bench", "-m", model() + "," + model(), "-p", "8,16", "-n", "4",
                                "-d", "0,32", "-r", "2", "-o", "jsonl"});
  ASSERT_EQ(o.exit_code, 0) << o.err;
  std::istringstream lines(o.out);
  std::string line;
  int n = 0;
  while (std::getline(lines, line)) {
    const auto json = nlohmann::json::parse(line);
    EXPECT_GT(json["avg_ts"], 0);
    EXPECT_EQ(json["samples_ts"].size(), 2u);
    EXPECT_GT(json["gb_per_s"], 0);
    ++n;
  }
  EXPECT_EQ(n, 2 * 2 * 3);
  const Outcome table =
      run_galley({"bench", "-m", model(), "-p", "8", "-n", "4", "-d", "16", "-r", "1"});
  EXPECT_NE(table.out.find(" pp8 @ d16 |"), std::string::npos) << table.out;
  EXPECT_NE(table.out.find(" tg4 @ d16 |"), std::string::npos) << table.out;
  const Outcome csv =
      run_galley({"bench", "-m", model(), "-p", "8", "-n", "0", "-r", "1", "-o", "csv"});
  EXPECT_TRUE(csv.out.starts_with("build_commit,")) << csv.out;
  const auto json =
      run_galley({"bench", "-m", model(), "-p", "0", "-n", "3", "-r", "1", "-o", "json"}).json();
  EXPECT_EQ(json[0]["n_gen"], 3);
  EXPECT_EQ(run_galley({"bench", "-m", model(), "-o", "xml"}).exit_code, 2);
  const Outcome ops = run_galley({"bench", "-m", model(), "-p", "0", "-n", "3", "--ops"});
  EXPECT_NE(ops.out.find("blk.*.ffn_up"), std::string::npos) << ops.out;
}

}  // namespace
}  // namespace galley::test
