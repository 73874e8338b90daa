// The twin itself, against golden logits that another float64 program made.
#include "tests/model/reference.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/conformance.h"

namespace galley::test {
namespace {

using nlohmann::json;

// || ours - golden || / || golden || over all rows.
double relative_error(const std::vector<std::vector<double>>& ours,
                      const std::vector<float>& golden) {
  std::size_t i = 0;
  double difference = 0, norm = 0;
  for (const auto& row : ours)
    for (double value : row) {
      const double expected = i < golden.size() ? static_cast<double>(golden[i]) : INFINITY;
      ++i;
      difference += (value - expected) * (value - expected);
      norm += expected * expected;
    }
  return i == golden.size() ? std::sqrt(difference / norm) : INFINITY;
}

TEST(Reference, AgreesWithTheGoldenLogitsOfEveryArchitecture) {
  GALLEY_NEED_CONFORMANCE("arch");
  int n_files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(conformance_dir() / "arch")) {
    if (!entry.is_directory()) continue;
    const json golden = json::parse(std::ifstream(entry.path() / "golden.json"));
    const auto ids = golden["prompt_ids"].get<std::vector<std::int32_t>>();
    for (const json& one : golden["files"]) {
      const auto path = entry.path() / one["file"].get<std::string>();
      const GgufFile file = GgufFile::open(path.string());
      const auto exact = read_f32(entry.path() / one["exact"].get<std::string>());
      EXPECT_LT(relative_error(reference_logits(file, ids), exact), 1e-6) << path;
      ++n_files;
    }
  }
  EXPECT_GE(n_files, 7);
}

TEST(Reference, MakesTheGoldenGreedyTokens) {
  GALLEY_NEED_CONFORMANCE("arch");
  const auto folder = conformance_dir() / "arch" / "qwen2";
  const json golden = json::parse(std::ifstream(folder / "golden.json"));
  const GgufFile file = GgufFile::open((folder / "model-f16.gguf").string());
  auto expected = golden["greedy_ids"].get<std::vector<std::int32_t>>();
  expected.resize(4);
  EXPECT_EQ(reference_greedy(file, golden["prompt_ids"], 4), expected);
}

TEST(Reference, ErrorMeasureSeesAWrongValueAndAMissingRow) {
  const std::vector<std::vector<double>> rows = {{1, 2}, {3, 4}};
  EXPECT_EQ(relative_error(rows, {1, 2, 3, 4}), 0);
  EXPECT_GT(relative_error(rows, {1, 2, 3, -4}), 0.5);
  EXPECT_EQ(relative_error(rows, {1, 2}), INFINITY);
}

}  // namespace
}  // namespace galley::test
