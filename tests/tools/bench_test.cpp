// galley bench.
#include <gtest/gtest.h>
#include <unistd.h>

#include <sstream>

#include "tests/tensor/temp_folder.h"
#include "tests/tools/galley_process.h"
#include "tests/tools/successor_model.h"

namespace galley::test {
namespace {

class Bench : public ::testing::Test {
 protected:
  void SetUp() override { SuccessorModel().write(model()); }
  std::string model() const { return folder_ / "model.gguf"; }
  Outcome bench(std::vector<std::string> arguments) const {
    std::vector<std::string> all = {"bench", "-m", model(), "-r", "1", "--no-limits"};
    all.insert(all.end(), arguments.begin(), arguments.end());
    return run_galley(all);
  }
  TempFolder folder_;
};

// The successor model: one layer of seven 320 x 320 matrices, and the output matrix.
constexpr double kMatrixMacs = 320 * 320;
constexpr double kVocabulary = 290;

TEST_F(Bench, ListsMakeATestEach) {
  const Outcome o = run_galley({"bench", "-m", model() + "," + model(), "-p", "8,16", "-n", "4",
                                "-d", "0,32", "-r", "2", "-o", "jsonl", "--no-limits"});
  ASSERT_EQ(o.exit_code, 0) << o.err;
  std::istringstream lines(o.out);
  std::string line;
  int n = 0;
  while (std::getline(lines, line)) {
    const auto json = nlohmann::json::parse(line);
    EXPECT_GT(json["avg_ts"], 0);
    EXPECT_EQ(json["samples_ts"].size(), 2u);
    EXPECT_GT(json["gb_per_s"], 0);
    EXPECT_FALSE(json.contains("share_of_limit"));
    ++n;
  }
  EXPECT_EQ(n, 2 * 2 * 3);
}

TEST_F(Bench, Formats) {
  const Outcome table = bench({"-p", "8", "-n", "4", "-d", "16"});
  EXPECT_NE(table.out.find(" pp8 @ d16 |"), std::string::npos) << table.out;
  EXPECT_NE(table.out.find(" tg4 @ d16 |"), std::string::npos) << table.out;
  const Outcome csv = bench({"-p", "8", "-n", "0", "-o", "csv"});
  EXPECT_TRUE(csv.out.starts_with("build_commit,")) << csv.out;
  const auto json = bench({"-p", "0", "-n", "3", "-o", "json"}).json();
  EXPECT_EQ(json[0]["n_gen"], 3);
  EXPECT_EQ(bench({"-o", "xml"}).exit_code, 2);
  const Outcome built_in = run_galley({"bench", "-p", "8", "-n", "0", "-r", "1", "--no-limits"});
  EXPECT_NE(built_in.out.find("pp8"), std::string::npos) << built_in.err;
}

// What is counted, from the model's shape: rates are amounts divided by the measured time.
TEST_F(Bench, RatesAreAmountsPerTime) {
  const auto json = bench({"-p", "0", "-n", "1", "--kv-type", "f32", "-o", "json"}).json()[0];
  const double seconds = 1 / json["avg_ts"].get<double>();
  const double matmuls = 7 * kMatrixMacs + kVocabulary * 320;
  const double attention = 10 * 2 * 32;  // ten heads of 32, one position, scores and values
  EXPECT_NEAR(json["gmac_per_s"].get<double>() * seconds * 1e9, matmuls + attention, 1);
  const double norms = 2 * 320 + 320, embedding = 320, cache = 2 * 320 + 2 * 320;
  EXPECT_NEAR(json["gb_per_s"].get<double>() * seconds * 1e9,
              4 * (matmuls + norms + embedding + cache), 1);
}

TEST_F(Bench, LimitsOfTheMachine) {
  const Outcome o = run_galley(
      {"bench", "-m", model(), "-p", "16", "-n", "4", "-r", "1", "-t", "1", "-o", "json"});
  ASSERT_EQ(o.exit_code, 0) << o.err;
  EXPECT_NE(o.err.find("limits of this machine, 1 threads: read "), std::string::npos) << o.err;
  for (const auto& json : o.json()) {
    EXPECT_GT(json["limit_read_gb_per_s"], 0);
    EXPECT_GT(json["share_of_limit"], 0);
    if (json["limit_f32_gmac_per_s"] == 0) continue;  // a CPU without AVX2
    // Weights are F32. Four bytes for one multiply-add are more than any CPU's memory can keep up
    // with when decoding.
    if (json["n_gen"] > 0) {
      EXPECT_EQ(json["limit"], "read");
    }
    if (json["limit"] == "read") {
      EXPECT_NEAR(json["share_of_limit"].get<double>(),
                  json["gb_per_s"].get<double>() / json["limit_read_gb_per_s"].get<double>(), 1e-3);
    }
  }
}

TEST_F(Bench, OpsAddUp) {
  const Outcome o = bench({"-p", "24", "-n", "3", "-d", "5", "-b", "10", "--ops", "-o", "json"});
  ASSERT_EQ(o.exit_code, 0) << o.err;
  std::istringstream lines(o.out);
  std::string line;
  for (const double n_tokens : {24, 3}) {
    ASSERT_TRUE(std::getline(lines, line));
    const auto json = nlohmann::json::parse(line);
    constexpr double n_passes = 3;  // of 10, 10 and 4 tokens; of one each
    double seconds = 0;
    for (const auto& op : json["ops"]) {
      seconds += op["seconds"].get<double>();
      EXPECT_EQ(op["calls"], n_passes) << op;
      if (op["name"] == "blk.*.ffn_up") {
        EXPECT_EQ(op["macs"], n_tokens * kMatrixMacs);
        EXPECT_EQ(op["memory_bytes"], n_passes * kMatrixMacs * 4);
      }
    }
    EXPECT_NEAR(seconds, json["seconds_in_ops"].get<double>(), 1e-9);
    EXPECT_LE(json["seconds_in_ops"], json["total_seconds"]);
  }
  EXPECT_FALSE(std::getline(lines, line)) << line;
  const Outcome table = bench({"-p", "0", "-n", "3", "--ops"});
  EXPECT_NE(table.out.find("blk.*.ffn_up"), std::string::npos) << table.out;
  EXPECT_NE(table.out.find("between ops"), std::string::npos) << table.out;
}

TEST_F(Bench, MoreThreadsThanCpus) {
  const std::string too_many = std::to_string(sysconf(_SC_NPROCESSORS_ONLN) + 1);
  const Outcome o = bench({"-p", "2", "-n", "0", "-t", too_many});
  EXPECT_NE(o.err.find(too_many + " threads on "), std::string::npos) << o.err;
}

}  // namespace
}  // namespace galley::test
