// What the fuzz target checks, on its seeds and on mutations of them, so that every run of the
// tests tries a little.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>

#include "tests/tokenizer/fuzz_input.h"

namespace galley {
namespace {

std::vector<std::vector<std::uint8_t>> seeds() {
  std::vector<std::vector<std::uint8_t>> all;
  const auto folder = std::filesystem::path(GALLEY_SOURCE_DIR) / "tests/data/fuzz_tokenizer";
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    std::ifstream in(entry.path(), std::ios::binary);
    all.emplace_back(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
  }
  return all;
}

TEST(FuzzTokenizer, SeedsAndMutations) {
  const auto all = seeds();
  ASSERT_GE(all.size(), 12U);
  std::mt19937 random(6);
  for (const std::vector<std::uint8_t>& seed : all) {
    test::check_fuzz_input(seed);
    for (int i = 0; i < 50; ++i) {
      std::vector<std::uint8_t> mutated = seed;
      for (int flips = 0; flips < 4; ++flips) {
        mutated[random() % mutated.size()] = static_cast<std::uint8_t>(random());
      }
      mutated.resize(random() % (mutated.size() + 1));
      test::check_fuzz_input(mutated);
    }
  }
}

}  // namespace
}  // namespace galley
