// Where the golden data is. It does not belong to this repository; tests that use it skip,
// saying so, when it is absent.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace galley::test {

// $GALLEY_CONFORMANCE, or ../shared/conformance beside the repository.
inline std::filesystem::path conformance_dir() {
  if (const char* env = std::getenv("GALLEY_CONFORMANCE")) return env;
  return std::filesystem::path(GALLEY_SOURCE_DIR) / ".." / "shared" / "conformance";
}

// The raw little-endian float32 values of `path`. Throws if it cannot be read.
inline std::vector<float> read_f32(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) throw std::runtime_error("cannot read " + path.string());
  std::vector<float> values(std::filesystem::file_size(path) / sizeof(float));
  in.read(reinterpret_cast<char*>(values.data()),
          static_cast<std::streamsize>(values.size() * sizeof(float)));
  return values;
}

}  // namespace galley::test

// Skips the current test when the golden data folder FOLDER is absent.
#define GALLEY_NEED_CONFORMANCE(folder)                                                      \
  do {                                                                                       \
    if (!std::filesystem::is_directory(::galley::test::conformance_dir() / (folder)))        \
      GTEST_SKIP() << "no golden data at " << ::galley::test::conformance_dir() / (folder)   \
                   << "; set GALLEY_CONFORMANCE to its folder";                              \
  } while (false)
