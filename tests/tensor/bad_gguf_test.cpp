// The malformed files of the golden data: what is the reader's business is refused with one
// line that names the file; what is the model's business opens.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>

#include "tensor/gguf.h"
#include "tests/conformance.h"

namespace galley {
namespace {

// Well-formed GGUF whose content makes no sense as a model: model/ refuses or bears them.
const std::set<std::string> kForTheModel = {
    "arch-unknown.gguf",
    "block-count-huge.gguf",
    "byte-token-bad.gguf",
    "eos-out-of-range.gguf",
    "embedding-length-wrong.gguf",
    "head-count-0.gguf",
    "head-count-2e32.gguf",
    "missing-block-count.gguf",
    "missing-ffn-down.gguf",
    "missing-rms-eps.gguf",
    "ok-base.gguf",
    "rope-base-inf.gguf",
    "rope-dim-1000.gguf",
    "scores-short.gguf",
    "shape-kv-wrong.gguf",
    "tokens-more.gguf",
    "weights-inf.gguf",
};

TEST(BadGguf, EachFileOfTheReadersBusinessIsRefusedInOneLine) {
  GALLEY_NEED_CONFORMANCE("bad-gguf");
  const auto folder = test::conformance_dir() / "bad-gguf";
  int n_refused = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string name = entry.path().filename();
    if (entry.path().extension() != ".gguf") continue;
    if (kForTheModel.contains(name)) {
      EXPECT_NO_THROW(GgufFile::open(entry.path())) << name;
      continue;
    }
    try {
      GgufFile::open(entry.path());
      ADD_FAILURE() << name << " was accepted";
    } catch (const Error& error) {
      const std::string line = error.what();
      EXPECT_EQ(error.kind(), ErrorKind::kBadModel) << line;
      EXPECT_NE(line.find(name), std::string::npos) << line;
      EXPECT_EQ(line.find('\n'), std::string::npos) << line;
      if (std::getenv("GALLEY_SHOW_MESSAGES") != nullptr) std::puts(line.c_str());
      ++n_refused;
    }
  }
  EXPECT_EQ(n_refused, 25);
}

}  // namespace
}  // namespace galley
