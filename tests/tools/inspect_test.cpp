// galley inspect and galley logits.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/conformance.h"
#include "tests/tensor/temp_folder.h"
#include "tests/tools/galley_process.h"
#include "tests/tools/successor_model.h"

namespace galley::test {
namespace {

class Inspect : public ::testing::Test {
 protected:
  void SetUp() override { SuccessorModel().write(model()); }
  std::string model() const { return folder_ / "model.gguf"; }
  TempFolder folder_;
};

TEST_F(Inspect, SummarizesAModel) {
  const Outcome o = run_galley({"inspect", model()});
  EXPECT_EQ(o.exit_code, 0) << o.err;
  for (const char* part : {"'llama', named 'successor'", "12: 12 F32", "256 positions",
                           "1 of width 320", "290 tokens, llama", "KV cache (256 positions"})
    EXPECT_NE(o.out.find(part), std::string::npos) << part << "\n" << o.out;
}

TEST_F(Inspect, MemoryGrowsWithTheContext) {
  const auto cache = [&](const std::string& n) {
    const auto json = run_galley({"inspect", model(), "-c", n, "--json"}).json();
    EXPECT_EQ(json["memory"]["n_context"], std::stoi(n));
    return json["memory"]["kv_cache_bytes"].get<std::int64_t>();
  };
  EXPECT_EQ(cache("2000"), 2 * cache("1000"));
}

TEST_F(Inspect, ListsMetadataAndTensors) {
  const Outcome o = run_galley({"inspect", model(), "--metadata", "--tensors"});
  EXPECT_NE(o.out.find("llama.embedding_length = 320\n"), std::string::npos) << o.out;
  EXPECT_NE(o.out.find("tokenizer.ggml.tokens = 290 x str [\"<unk>\",\"<s>\""), std::string::npos);
  EXPECT_NE(o.out.find("blk.0.ffn_up.weight"), std::string::npos);
  const auto json = run_galley({"inspect", model(), "--metadata", "--tensors", "--json"}).json();
  EXPECT_EQ(json["metadata"]["tokenizer.ggml.tokens"].size(), 290u);
  EXPECT_EQ(json["tensors"].size(), 12u);
  EXPECT_EQ(json["tensors"][0]["shape"], nlohmann::json({290, 320}));
  EXPECT_EQ(json["runs"], true);
}

TEST_F(Inspect, AlsoReadsWhatCannotBeRun) {
  // A vocabulary alone.
  const std::string vocabulary = folder_ / "vocabulary.gguf";
  TinyVocabulary spm = tiny_spm({{"a", -1.0f}});
  spm.bytes();
  spm.writer.write(vocabulary);
  const Outcome o = run_galley({"inspect", vocabulary});
  EXPECT_EQ(o.exit_code, 0) << o.err;
  EXPECT_NE(o.out.find("260 tokens, llama"), std::string::npos) << o.out;
  EXPECT_NE(o.out.find("runs        no:"), std::string::npos) << o.out;
  // A tensor of a type that is not supported.
  GgufWriter writer;
  writer.set_string("general.architecture", "llama");
  const std::vector<std::byte> zeros(64);
  writer.add_tensor("strange", DType::kI8, std::vector<std::int64_t>{64}, zeros);
  const std::string strange = folder_ / "strange.gguf";
  writer.write(strange);
  // Shown like any other, but a file that says 'llama' and is none is a bad model file.
  const Outcome bad = run_galley({"inspect", strange, "--json"});
  EXPECT_EQ(bad.exit_code, 3);
  EXPECT_EQ(bad.n_error_lines(), 1u) << bad.err;
  const auto json = bad.json();
  EXPECT_EQ(json["runs"], false);
  EXPECT_EQ(json["types"]["I8"]["tensors"], 1);
  EXPECT_NE(json["problem"].get<std::string>().find("llama.block_count"), std::string::npos);
  // An architecture of another program is no fault of the file.
  writer.set_string("general.architecture", "elsewhere");
  writer.write(strange);
  const Outcome other = run_galley({"inspect", strange});
  EXPECT_EQ(other.exit_code, 0) << other.err;
  EXPECT_NE(other.out.find("runs        no:"), std::string::npos) << other.out;
}

TEST_F(Inspect, RefusesWhatIsNoGguf) {
  const Outcome o = run_galley({"inspect", GALLEY_BINARY});
  EXPECT_EQ(o.exit_code, 3);
  EXPECT_EQ(o.n_error_lines(), 1u);
  EXPECT_EQ(run_galley({"inspect", folder_.path()}).exit_code, 1);
}

TEST_F(Inspect, LogitsAreRawFloats) {
  const std::string output = folder_ / "logits.f32";
  Outcome o = run_galley({"logits", "-m", model(), "-p", "abc", "-o", output});
  EXPECT_EQ(o.exit_code, 0) << o.err;
  const std::vector<float> last = read_f32(output);
  ASSERT_EQ(last.size(), 290u);
  const auto best = std::max_element(last.begin(), last.end()) - last.begin();
  EXPECT_EQ(run_galley({"tokenize", "-m", model(), "--decode", std::to_string(best)}).out, "d");

  o = run_galley({"logits", "-m", model(), "-p", "abc", "--all", "-o", output});
  const std::vector<float> all = read_f32(output);
  ASSERT_EQ(all.size(), 4u * 290u);
  EXPECT_TRUE(std::equal(last.begin(), last.end(), all.end() - 290));

  o = run_galley({"logits", "-m", model(), "-p", "abc", "-o", "-"});
  ASSERT_EQ(o.out.size(), 290 * sizeof(float));
  EXPECT_EQ(std::memcmp(o.out.data(), last.data(), o.out.size()), 0);

  EXPECT_EQ(run_galley({"logits", "-m", model(), "-p", "abc"}).exit_code, 2);
  EXPECT_EQ(run_galley({"logits", "-m", model(), "--ids", "5000", "-o", "-"}).exit_code, 2);
}

}  // namespace
}  // namespace galley::test
