// The damaged files of the golden data, opened as models and run: refused with one line that
// names the file, or run without harm.
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <string>

#include "model/session.h"
#include "tests/conformance.h"

namespace galley {
namespace {

// What became of a file: empty if it ran, else the error.
struct Outcome {
  bool ran = false;
  ErrorKind kind = ErrorKind::kFailure;
  std::string line;
};

Outcome try_file(const std::string& path) {
  try {
    Session session = Session::open(path, {.n_context = 8, .n_threads = 1});
    session.forward(std::vector<TokenId>{1, 2, 3});
    return {true, ErrorKind::kFailure, ""};
  } catch (const Error& error) {
    return {false, error.kind(), error.what()};
  }
}

TEST(BadModel, IsRefusedInOneLineThatNamesTheFile) {
  GALLEY_NEED_CONFORMANCE("bad-gguf");
  const auto folder = test::conformance_dir() / "bad-gguf";
  std::ifstream manifest(folder / "manifest.tsv");
  std::string row;
  std::getline(manifest, row);  // the names of the columns
  int n_files = 0;
  while (std::getline(manifest, row)) {
    std::istringstream columns(row);
    std::string file, expected;
    std::getline(columns, file, '\t');
    std::getline(columns, expected, '\t');
    const Outcome outcome = try_file((folder / file).string());
    SCOPED_TRACE(row);
    if (expected == "accept") {
      EXPECT_TRUE(outcome.ran) << outcome.line;
    } else if (expected == "reject") {
      EXPECT_FALSE(outcome.ran);
    }
    if (!outcome.ran) {
      EXPECT_EQ(outcome.kind, ErrorKind::kBadModel) << outcome.line;
      EXPECT_NE(outcome.line.find(file), std::string::npos) << outcome.line;
      EXPECT_EQ(outcome.line.find('\n'), std::string::npos) << outcome.line;
    }
    ++n_files;
  }
  EXPECT_GE(n_files, 40);
}

}  // namespace
}  // namespace galley
