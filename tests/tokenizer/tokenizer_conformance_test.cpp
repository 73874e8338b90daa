// The golden data: every line's ids and joined pieces, and the upstream test files.
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>

#include "tests/conformance.h"
#include "tokenizer/tokenizer.h"

namespace galley {
namespace {

std::filesystem::path folder() { return test::conformance_dir() / "tokenizer"; }

// One tokenizer per vocabulary, loaded once.
const Tokenizer& tokenizer_of(const std::string& name) {
  static std::map<std::string, Tokenizer> loaded;
  const auto found = loaded.find(name);
  if (found != loaded.end()) return found->second;
  const GgufFile file = GgufFile::open(folder() / ("ggml-vocab-" + name + ".gguf"));
  return loaded.emplace(name, Tokenizer::from_gguf(file)).first->second;
}

std::string read_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

std::string from_hex(const std::string& hex) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes.push_back(static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  }
  return bytes;
}

// What the pieces of a line's ids give: `pieces` if there, else `detokenized`, either in hex if
// it is not UTF-8.
std::string expected_pieces(const nlohmann::json& line) {
  for (const char* key : {"pieces", "detokenized"}) {
    if (line.contains(key)) return line[key];
    const std::string hex_key = std::string(key) + "_hex";
    if (line.contains(hex_key)) return from_hex(line[hex_key]);
  }
  ADD_FAILURE() << "no pieces in " << line;
  return {};
}

class GoldenVocabulary : public testing::TestWithParam<const char*> {};

TEST_P(GoldenVocabulary, EveryLineGivesTheIdsAndThePieces) {
  GALLEY_NEED_CONFORMANCE("tokenizer");
  const Tokenizer& tokenizer = tokenizer_of(GetParam());
  EXPECT_TRUE(tokenizer.warnings().empty());
  std::ifstream lines(folder() / (std::string(GetParam()) + ".jsonl"));
  int n_lines = 0;
  for (std::string text; std::getline(lines, text); ++n_lines) {
    const auto line = nlohmann::json::parse(text);
    const EncodeOptions options{line["add_special"], line["parse_special"]};
    const std::vector<TokenId> ids = tokenizer.encode(line["text"].get<std::string>(), options);
    ASSERT_EQ(ids, line["ids"].get<std::vector<TokenId>>()) << text;
    ASSERT_EQ(tokenizer.decode(ids), expected_pieces(line)) << text;
  }
  EXPECT_EQ(n_lines, 775);
}

TEST_P(GoldenVocabulary, TheUpstreamTestsGiveTheirIds) {
  GALLEY_NEED_CONFORMANCE("tokenizer");
  const Tokenizer& tokenizer = tokenizer_of(GetParam());
  const auto base = folder() / "upstream" / ("ggml-vocab-" + std::string(GetParam()) + ".gguf");
  const std::string inputs = read_file(base.string() + ".inp");
  std::istringstream outputs(read_file(base.string() + ".out"));
  constexpr std::string_view kSeparator = "\n__ggml_vocab_test__\n";
  int n_inputs = 0;
  for (std::size_t begin = 0; begin < inputs.size(); ++n_inputs) {
    std::size_t end = inputs.find(kSeparator, begin);
    if (end == std::string::npos) end = inputs.size();
    std::string line;
    ASSERT_TRUE(std::getline(outputs, line));
    std::istringstream numbers(line);
    std::vector<TokenId> expected;
    for (TokenId id = 0; numbers >> id;) expected.push_back(id);
    const std::string input = inputs.substr(begin, end - begin);
    EXPECT_EQ(tokenizer.encode(input, {.add_special = false, .parse_special = false}), expected)
        << input;
    begin = end + kSeparator.size();
  }
  EXPECT_EQ(n_inputs, 46);
}

// explain() tells the same story as encode(): the parts cover the text, their ids are the ids,
// and the last merge of each word leaves as many symbols as there are.
TEST_P(GoldenVocabulary, ExplainAgreesWithEncode) {
  GALLEY_NEED_CONFORMANCE("tokenizer");
  const Tokenizer& tokenizer = tokenizer_of(GetParam());
  std::ifstream lines(folder() / (std::string(GetParam()) + ".jsonl"));
  for (std::string text; std::getline(lines, text);) {
    const auto line = nlohmann::json::parse(text);
    const std::string input = line["text"];
    const EncodeOptions options{false, line["parse_special"]};
    std::vector<TokenId> ids;
    std::size_t place = 0;
    for (const WordSteps& word : tokenizer.explain(input, options)) {
      ASSERT_GE(word.place.begin, place) << text;  // white space may be stripped between
      ASSERT_GT(word.place.end, word.place.begin) << text;
      place = word.place.end;
      ids.insert(ids.end(), word.ids.begin(), word.ids.end());
      ASSERT_GT(word.symbols.size(), word.merges.size()) << text;
    }
    ASSERT_LE(place, input.size());
    ASSERT_EQ(ids, tokenizer.encode(input, options)) << text;
  }
}

INSTANTIATE_TEST_SUITE_P(Conformance, GoldenVocabulary,
                         testing::Values("gpt-2", "starcoder", "deepseek-coder", "llama-bpe",
                                         "qwen2", "llama-spm", "phi-3"),
                         [](const auto& kind) {
                           std::string name = kind.param;
                           for (char& c : name) c = c == '-' ? '_' : c;
                           return name;
                         });

// The walks through docs/tokenizer.md.
TEST(GoldenVocabularies, TheDocumentationIsTrue) {
  GALLEY_NEED_CONFORMANCE("tokenizer");
  const std::vector<WordSteps> bpe = tokenizer_of("gpt-2").explain("Hello tokenizers");
  std::vector<std::int32_t> ranks;
  for (const MergeStep& merge : bpe.at(1).merges) ranks.push_back(merge.rank);
  EXPECT_EQ(ranks, (std::vector<std::int32_t>{0, 7, 12, 28, 108, 272, 3208, 10985, 11085}));
  EXPECT_EQ(bpe[1].ids, (std::vector<TokenId>{11241, 11341}));
  const std::vector<WordSteps> spm = tokenizer_of("llama-spm").explain("tokens");
  std::vector<float> scores;
  for (const MergeStep& merge : spm.at(0).merges) scores.push_back(merge.score);
  EXPECT_EQ(scores, (std::vector<float>{-1, -5, -45, -316, -12101, -18638}));
  EXPECT_EQ(tokenizer_of("gpt-2").encode("\U0001F642"), (std::vector<TokenId>{8582, 25081}));
}

TEST(GoldenVocabularies, EndOfGeneration) {
  GALLEY_NEED_CONFORMANCE("tokenizer");
  EXPECT_EQ(tokenizer_of("llama-bpe").end_of_generation_ids(),
            (std::vector<TokenId>{128001, 128008, 128009}));
  EXPECT_EQ(tokenizer_of("qwen2").end_of_generation_ids(), (std::vector<TokenId>{151643, 151645}));
  EXPECT_EQ(tokenizer_of("phi-3").end_of_generation_ids(), (std::vector<TokenId>{2, 32000, 32007}));
  EXPECT_EQ(tokenizer_of("llama-spm").end_of_generation_ids(), (std::vector<TokenId>{2}));
  EXPECT_TRUE(tokenizer_of("llama-bpe").is_end_of_generation(128009));
  EXPECT_FALSE(tokenizer_of("llama-bpe").is_end_of_generation(128000));
  EXPECT_FALSE(tokenizer_of("llama-bpe").is_end_of_generation(-1));
}

}  // namespace
}  // namespace galley
