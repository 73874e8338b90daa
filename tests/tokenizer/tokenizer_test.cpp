// Properties of every kind of tokenizer: long texts without a space take no longer than others,
// threads do not disturb each other, any bytes come back.
#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "tensor/error.h"
#include "tests/conformance.h"
#include "tests/tokenizer/tiny_vocabulary.h"

namespace galley {
namespace {

constexpr EncodeOptions kPlain{.add_special = false, .parse_special = false};

// The longest run doubles: "aa", "aaaa", ... up to 64.
std::vector<std::string> doubling_merges(const std::string& letter) {
  std::vector<std::string> merges;
  for (std::size_t n = 1; n < 64; n *= 2) {
    const std::string part = test::repeat(letter, n);
    merges.push_back(part + " " + part);
  }
  return merges;
}

Tokenizer small(TokenizerKind kind) {
  if (kind == TokenizerKind::kBpe) return test::tiny_bpe(doubling_merges("a")).make();
  std::vector<std::pair<std::string, float>> pieces = {{"\u2581", -9}, {"b", -9}};
  for (std::size_t n = 1; n <= 64; n *= 2) {
    pieces.emplace_back(test::repeat("a", n), -1.0F);
  }
  test::TinyVocabulary vocabulary = test::tiny_spm(pieces);
  vocabulary.writer.set_uint32("tokenizer.ggml.unknown_token_id", 0);
  vocabulary.writer.set_uint32("tokenizer.ggml.bos_token_id", 1);
  vocabulary.writer.set_uint32("tokenizer.ggml.seperator_token_id", 2);
  if (kind == TokenizerKind::kWordPiece) vocabulary.model = "bert";
  if (kind == TokenizerKind::kUnigram) vocabulary.model = "t5";
  return vocabulary.make();
}

class EveryKind : public testing::TestWithParam<TokenizerKind> {};

// The promise is under two seconds for a megabyte; it takes about a tenth of that.
TEST_P(EveryKind, AMegabyteOfOneCharacterTakesNoTime) {
  const Tokenizer tokenizer = small(GetParam());
  for (const char* part : {"a", "b", " ", "\n", "\u00E9", "\xFF", "aaab"}) {
    const std::string text = test::repeat(part, 1'000'000 / std::string_view(part).size());
    const auto start = std::chrono::steady_clock::now();
    const std::vector<TokenId> ids = tokenizer.encode(text, kPlain);
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
    EXPECT_LT(elapsed.count(), 5.0) << part;
    EXPECT_LE(ids.size(), 2'000'000U);
  }
}

TEST_P(EveryKind, ThreadsDoNotDisturbEachOther) {
  const Tokenizer tokenizer = small(GetParam());
  std::mt19937 random(9);
  std::vector<std::string> texts;
  std::vector<std::vector<TokenId>> expected;
  for (int i = 0; i < 200; ++i) {
    texts.push_back(test::random_text(random, 200, {"a", "aa", "b", " ", "\u00E9", "!"}));
    expected.push_back(tokenizer.encode(texts.back()));
  }
  std::vector<std::thread> threads;
  std::vector<int> n_wrong(4, 0);
  for (std::size_t t = 0; t < n_wrong.size(); ++t) {
    threads.emplace_back([&, t] {
      for (std::size_t i = 0; i < texts.size(); ++i) {
        if (tokenizer.encode(texts[i]) != expected[i]) ++n_wrong[t];
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(n_wrong, std::vector<int>(4, 0));
}

TEST_P(EveryKind, ExplainGivesTheIdsOfEncode) {
  const Tokenizer tokenizer = small(GetParam());
  std::mt19937 random(10);
  for (int i = 0; i < 200; ++i) {
    const std::string text = i % 2 == 0 ? test::random_bytes(random, random() % 60)
                                        : test::random_text(random, 20, {"a", "b", " ", "<s>"});
    std::vector<TokenId> ids;
    for (const WordSteps& word : tokenizer.explain(text, {false, true})) {
      ASSERT_LE(word.place.begin, word.place.end);
      ASSERT_LE(word.place.end, text.size());
      ids.insert(ids.end(), word.ids.begin(), word.ids.end());
    }
    ASSERT_EQ(ids, tokenizer.encode(text, {false, true}));
  }
}

std::string name_of(const testing::TestParamInfo<TokenizerKind>& kind) {
  constexpr const char* kNames[] = {"None", "Bpe", "SentencePiece", "WordPiece", "Unigram"};
  return kNames[static_cast<std::size_t>(kind.param)];
}

INSTANTIATE_TEST_SUITE_P(Kinds, EveryKind,
                         testing::Values(TokenizerKind::kBpe, TokenizerKind::kSentencePiece,
                                         TokenizerKind::kWordPiece, TokenizerKind::kUnigram),
                         name_of);

Tokenizer load(const std::string& name) {
  const auto path = test::conformance_dir() / "tokenizer" / ("ggml-vocab-" + name + ".gguf");
  return Tokenizer::from_gguf(GgufFile::open(path.string()));
}

TEST(RealVocabularies, AMegabyteWithoutASpaceTakesNoTime) {
  GALLEY_NEED_CONFORMANCE("tokenizer");
  std::mt19937 random(12);
  std::string letters;
  for (int i = 0; i < 1'000'000; ++i) letters.push_back(static_cast<char>('a' + random() % 26));
  for (const char* name : {"llama-bpe", "deepseek-coder", "llama-spm"}) {
    const Tokenizer tokenizer = load(name);
    for (const std::string& text :
         {letters, test::repeat("a", 1'000'000), test::repeat(" ", 1'000'000),
          test::repeat("=", 1'000'000), test::repeat("<s>", 300'000)}) {
      const auto start = std::chrono::steady_clock::now();
      const std::vector<TokenId> ids = tokenizer.encode(text, {false, true});
      const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
      EXPECT_LT(elapsed.count(), 8.0) << name << " on " << text.substr(0, 8);
      EXPECT_FALSE(ids.empty());
    }
  }
}

// gpt-2 and llama-bpe have all 256 bytes, so any bytes come back.
TEST(RealVocabularies, AnyBytesRoundTrip) {
  GALLEY_NEED_CONFORMANCE("tokenizer");
  std::mt19937 random(13);
  const std::vector<std::string> parts = {"the ", "a",      " ",          "\n",   "\xFF", "\u00E9",
                                          "1234", "\u4E16", "\U0001F600", "\xE4", "'s",   "!?"};
  for (const char* name : {"gpt-2", "llama-bpe", "qwen2"}) {
    const Tokenizer tokenizer = load(name);
    for (int i = 0; i < 300; ++i) {
      const std::string text = i % 2 == 0 ? test::random_bytes(random, random() % 300)
                                          : test::random_text(random, random() % 100, parts);
      ASSERT_EQ(tokenizer.decode(tokenizer.encode(text, kPlain)), text);
    }
  }
}

}  // namespace
}  // namespace galley
