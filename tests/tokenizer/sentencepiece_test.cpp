// SentencePiece BPE against its naive twin and small cases worked out by hand.
#include <gtest/gtest.h>

#include <map>

#include "tests/tokenizer/tiny_vocabulary.h"
#include "tokenizer/utf8.h"

namespace galley {
namespace {

using Strings = std::vector<std::string>;
using Pieces = std::vector<std::pair<std::string, float>>;
constexpr EncodeOptions kPlain{.add_special = false, .parse_special = false};

Strings texts_of(const Tokenizer& tokenizer, std::string_view text,
                 EncodeOptions options = kPlain) {
  Strings texts;
  for (const TokenId id : tokenizer.encode(text, options)) {
    texts.emplace_back(tokenizer.token_text(id));
  }
  return texts;
}

TEST(SentencePiece, MergesTheHighestScoreFirst) {
  const Tokenizer tokenizer =
      test::tiny_spm({{"\u2581", -9}, {"a", -9}, {"b", -9}, {"c", -9}, {"ab", -2}, {"bc", -1}})
          .make();
  EXPECT_EQ(texts_of(tokenizer, "abc"), (Strings{"\u2581", "a", "bc"}));
  EXPECT_EQ(texts_of(tokenizer, "abab"), (Strings{"\u2581", "ab", "ab"}));
}

TEST(SentencePiece, TheLeftmostGoesFirstOnEqualScores) {
  const Tokenizer tokenizer =
      test::tiny_spm({{"\u2581", -9}, {"a", -9}, {"aa", -1}, {"b", -9}, {"ab", -1}}).make();
  EXPECT_EQ(texts_of(tokenizer, "aab"), (Strings{"\u2581", "aa", "b"}));
}

TEST(SentencePiece, UnknownCharactersBecomeBytes) {
  const Tokenizer tokenizer = test::tiny_spm({{"\u2581", -1}, {"a", -1}}).make();
  EXPECT_EQ(texts_of(tokenizer, "a\u00E9"), (Strings{"\u2581", "a", "<0xC3>", "<0xA9>"}));
  EXPECT_EQ(tokenizer.decode(tokenizer.encode("\u00E9\n", kPlain)), " \u00E9\n");
}

TEST(SentencePiece, WithoutByteTokensTheyBecomeUnknown) {
  test::TinyVocabulary vocabulary;
  vocabulary.model = "llama";
  vocabulary.tokens = {"<unk>", "<s>", "</s>", "\u2581", "a"};
  vocabulary.types = {2, 3, 3, 1, 1};
  vocabulary.scores = {0, 0, 0, -1, -2};
  EXPECT_EQ(texts_of(vocabulary.make(), "ab"), (Strings{"\u2581", "a", "<unk>"}));
}

TEST(SentencePiece, TheSpaceInFront) {
  const Pieces pieces = {{"\u2581", -9}, {"a", -9}, {"\u2581a", -1}};
  const Tokenizer with = test::tiny_spm(pieces).make();
  const EncodeOptions parse{.add_special = true, .parse_special = true};
  EXPECT_EQ(texts_of(with, "", parse), (Strings{"<s>"}));
  EXPECT_EQ(texts_of(with, ""), Strings{});
  EXPECT_EQ(texts_of(with, "a", parse), (Strings{"<s>", "\u2581a"}));
  // After every special token too, but not after text.
  EXPECT_EQ(texts_of(with, "a</s>a</s></s>a", parse),
            (Strings{"<s>", "\u2581a", "</s>", "\u2581a", "</s>", "</s>", "\u2581a"}));
  test::TinyVocabulary vocabulary = test::tiny_spm(pieces);
  vocabulary.writer.set_bool("tokenizer.ggml.add_space_prefix", false);
  EXPECT_EQ(texts_of(vocabulary.make(), "a a"), (Strings{"a", "\u2581a"}));
}

// All pairs are looked at for every merge; the whole text at once.
Strings naive_spm(std::string_view text, const std::map<std::string, float>& scores) {
  Strings symbols;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t size = read_utf8(text, i).size;
    symbols.emplace_back(text.substr(i, size));
    i += size;
  }
  while (true) {
    std::size_t best = symbols.size();
    float best_score = 0;
    for (std::size_t i = 0; i + 1 < symbols.size(); ++i) {
      const auto found = scores.find(symbols[i] + symbols[i + 1]);
      if (found == scores.end() || (best < symbols.size() && found->second <= best_score)) {
        continue;
      }
      best = i;
      best_score = found->second;
    }
    if (best == symbols.size()) return symbols;
    symbols[best] += symbols[best + 1];
    symbols.erase(symbols.begin() + static_cast<std::ptrdiff_t>(best) + 1);
  }
}

TEST(SentencePiece, EqualsTheNaiveTwin) {
  std::mt19937 random(11);
  const Strings letters = {"a", "b", "\u00E9", "\u2581"};
  for (int round = 0; round < 60; ++round) {
    // Tokens cross spaces in half of the rounds: then the text must not be cut there.
    const bool crosses = round % 2 == 0;
    std::map<std::string, float> scores = {
        {"a", -20}, {"b", -21}, {"\u00E9", -22}, {"\u2581", -23}};
    while (scores.size() < 24) {
      const std::string token = test::random_text(random, 2 + random() % 3, letters);
      const std::size_t mark = token.find("\u2581", 1);
      if (!crosses && mark != std::string::npos) continue;
      scores[token] = -static_cast<float>(random() % 8);  // many are equal
    }
    test::TinyVocabulary vocabulary = test::tiny_spm({scores.begin(), scores.end()});
    vocabulary.writer.set_bool("tokenizer.ggml.add_space_prefix", false);
    const Tokenizer tokenizer = vocabulary.make();
    for (int i = 0; i < 50; ++i) {
      const std::string text = test::random_text(random, 1 + random() % 40, letters);
      ASSERT_EQ(texts_of(tokenizer, text), naive_spm(text, scores)) << text;
      ASSERT_EQ(texts_of(tokenizer, unescape_spaces(text)), naive_spm(text, scores)) << text;
    }
  }
}

TEST(SentencePiece, ExplainShowsWordsAndScores) {
  const Tokenizer tokenizer =
      test::tiny_spm({{"\u2581", -9}, {"a", -9}, {"b", -9}, {"ab", -2}, {"\u2581a", -3}}).make();
  const std::vector<WordSteps> words = tokenizer.explain("ab  a", kPlain);
  ASSERT_EQ(words.size(), 3U);
  EXPECT_EQ(words[0].word, "\u2581ab");
  EXPECT_EQ(words[0].symbols, (Strings{"\u2581", "a", "b"}));
  ASSERT_EQ(words[0].merges.size(), 1U);
  EXPECT_EQ(words[0].merges[0].result, "ab");
  EXPECT_EQ(words[0].merges[0].index, 1U);
  EXPECT_EQ(words[0].merges[0].score, -2.0F);
  EXPECT_EQ(words[0].merges[0].rank, -1);
  const auto place = [&](std::size_t i) {
    return std::pair(words[i].place.begin, words[i].place.end);
  };
  EXPECT_EQ(place(0), std::pair(std::size_t{0}, std::size_t{2}));
  EXPECT_EQ(place(1), std::pair(std::size_t{2}, std::size_t{3}));
  EXPECT_EQ(place(2), std::pair(std::size_t{3}, std::size_t{5}));
}

TEST(SentencePiece, AnyBytesRoundTripButForTheMark) {
  test::TinyVocabulary vocabulary =
      test::tiny_spm({{"\u2581", -1}, {"a", -1}, {"\u00E9", -2}, {"\u2581a", -3}});
  vocabulary.writer.set_bool("tokenizer.ggml.add_space_prefix", false);
  const Tokenizer tokenizer = vocabulary.make();
  std::mt19937 random(5);
  for (int i = 0; i < 300; ++i) {
    const std::string text = test::random_bytes(random, random() % 200);
    if (text.find("\u2581") != std::string::npos) continue;
    ASSERT_EQ(tokenizer.decode(tokenizer.encode(text, kPlain)), text);
  }
  EXPECT_EQ(tokenizer.decode(tokenizer.encode("a\u2581", kPlain)), "a ");
}

TEST(SentencePiece, StrangeScores) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float inf = std::numeric_limits<float>::infinity();
  const Tokenizer tokenizer = test::tiny_spm({{"\u2581", -1},
                                              {"a", -1},
                                              {"b", -1},
                                              {"c", -1},
                                              {"ab", nan},
                                              {"bc", -inf},
                                              {"ca", 0.0F},
                                              {"aa", -0.0F}})
                                  .make();
  EXPECT_EQ(texts_of(tokenizer, "abc"), (Strings{"\u2581", "a", "bc"}));
  EXPECT_EQ(texts_of(tokenizer, "aaca"), (Strings{"\u2581", "aa", "ca"}));
  EXPECT_EQ(texts_of(tokenizer, "caa"), (Strings{"\u2581", "ca", "a"}));
}

}  // namespace
}  // namespace galley
