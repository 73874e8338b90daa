// galley perplexity.
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

}  // namespace
}  // namespace galley::test
