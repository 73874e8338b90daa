// The seeds of the fuzz target are those that the code makes (sample_gguf.h); with
// GALLEY_UPDATE_DATA=1 in the environment they are written anew.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "tests/tensor/sample_gguf.h"
#include "tests/tensor/walk_gguf.h"

namespace galley {
namespace {

namespace fs = std::filesystem;

TEST(FuzzSeeds, AreThoseInTheRepository) {
  const fs::path folder = fs::path(GALLEY_SOURCE_DIR) / "tests" / "data" / "fuzz_gguf";
  for (const auto& [name, bytes] : test::fuzz_seeds()) {
    const std::string expected(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    if (std::getenv("GALLEY_UPDATE_DATA") != nullptr) {
      fs::create_directories(folder);
      std::ofstream(folder / name, std::ios::binary) << expected;
    }
    std::ifstream in(folder / name, std::ios::binary);
    const std::string stored{std::istreambuf_iterator<char>(in), {}};
    EXPECT_EQ(stored, expected) << name;
  }
}

TEST(FuzzSeeds, AreReadAsFarAsTheyAreMeant) {
  for (const auto& [name, bytes] : test::fuzz_seeds()) {
    if (name == "big_endian.gguf") {
      EXPECT_THROW(GgufFile::from_memory(bytes, name), Error);
    } else {
      EXPECT_NO_THROW(test::walk(GgufFile::from_memory(bytes, name))) << name;
    }
  }
}

}  // namespace
}  // namespace galley
