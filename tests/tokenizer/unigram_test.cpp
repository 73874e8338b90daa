// Unigram against a search through all segmentations, and the normalizer against a map built
// here.
#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <optional>
#include <set>

#include "tensor/error.h"
#include "tests/tokenizer/tiny_vocabulary.h"
#include "tokenizer/normalizer.h"
#include "tokenizer/utf8.h"

namespace galley {
namespace {

using Strings = std::vector<std::string>;

test::TinyVocabulary tiny_t5(const std::map<std::string, float>& pieces) {
  test::TinyVocabulary vocabulary;
  vocabulary.model = "t5";
  vocabulary.tokens = {"<pad>", "</s>", "<unk>"};
  vocabulary.types = {3, 3, 2};
  vocabulary.scores = {0, 0, 0};
  for (const auto& [text, score] : pieces) {
    vocabulary.tokens.push_back(text);
    vocabulary.types.push_back(1);
    vocabulary.scores.push_back(score);
  }
  vocabulary.writer.set_bool("tokenizer.ggml.add_space_prefix", true);
  return vocabulary;
}

Strings texts_of(const Tokenizer& tokenizer, std::string_view text, bool add_special = false) {
  Strings texts;
  for (const TokenId id : tokenizer.encode(text, {add_special, true})) {
    texts.emplace_back(tokenizer.token_text(id));
  }
  return texts;
}

TEST(Unigram, TheLikeliestSegmentationWins) {
  const Tokenizer tokenizer = tiny_t5({{"\u2581", -3},
                                       {"a", -3},
                                       {"b", -3},
                                       {"ab", -4},
                                       {"\u2581a", -4},
                                       {"\u2581ab", -9},
                                       {"abb", -11}})
                                  .make();
  EXPECT_EQ(texts_of(tokenizer, "ab"), (Strings{"\u2581", "ab"}));  // -7, not -7 (later) or -9
  EXPECT_EQ(texts_of(tokenizer, "abb"), (Strings{"\u2581", "ab", "b"}));  // -10, not -14
  EXPECT_EQ(texts_of(tokenizer, "a", true), (Strings{"\u2581a", "</s>"}));
  EXPECT_EQ(texts_of(tokenizer, "", true), (Strings{"</s>"}));
}

TEST(Unigram, UnknownCharactersInARowAreOneUnknown) {
  const Tokenizer tokenizer = tiny_t5({{"\u2581", -1}, {"a", -1}}).make();
  EXPECT_EQ(texts_of(tokenizer,
                     "a\u00E9\u4E16"
                     "a"),
            (Strings{"\u2581", "a", "<unk>", "a"}));
  EXPECT_EQ(texts_of(tokenizer, "\xFF\xFE"), (Strings{"\u2581", "<unk>"}));
}

TEST(Unigram, Spaces) {
  const std::map<std::string, float> pieces = {{"\u2581", -1}, {"a", -1}};
  const Strings two = {"\u2581", "a", "\u2581", "\u2581", "a"};
  EXPECT_EQ(texts_of(tiny_t5(pieces).make(), "a  a"), two);
  test::TinyVocabulary merged = tiny_t5(pieces);
  merged.writer.set_bool("tokenizer.ggml.remove_extra_whitespaces", true);
  EXPECT_EQ(texts_of(merged.make(), "  a  a "), (Strings{"\u2581", "a", "\u2581", "a"}));
  test::TinyVocabulary bare = tiny_t5(pieces);
  bare.writer.set_bool("tokenizer.ggml.add_space_prefix", false);
  EXPECT_EQ(texts_of(bare.make(), "a a"), (Strings{"a", "\u2581", "a"}));
}

TEST(Unigram, UserDefinedTokensCostNothing) {
  test::TinyVocabulary vocabulary = tiny_t5({{"\u2581", -1}, {"a", -1}, {"b", -1}});
  vocabulary.tokens.emplace_back("ab");
  vocabulary.types.push_back(4);
  vocabulary.scores.push_back(-100);
  EXPECT_EQ(texts_of(vocabulary.make(), "aab"), (Strings{"\u2581", "a", "ab"}));
}

// The best sum of scores over all ways to cut `text`; unknown characters cost 10 more than the
// worst token.
double best_score(const std::string& text, const std::map<std::string, float>& scores) {
  if (text.empty()) return 0;
  double worst = 0;
  for (const auto& entry : scores) worst = std::min<double>(worst, entry.second);
  double best = -1e300;
  for (std::size_t n = 1; n <= text.size(); ++n) {
    const auto found = scores.find(text.substr(0, n));
    if (found != scores.end()) {
      best = std::max(best, double{found->second} + best_score(text.substr(n), scores));
    }
  }
  const std::size_t n = read_utf8(text, 0).size;
  if (!scores.contains(text.substr(0, n))) {
    best = std::max(best, worst - 10 + best_score(text.substr(n), scores));
  }
  return best;
}

TEST(Unigram, NoSegmentationIsBetter) {
  std::mt19937 random(21);
  const Strings letters = {"a", "b", "\u00E9"};
  for (int round = 0; round < 50; ++round) {
    std::map<std::string, float> scores = {{"a", -9.5F}, {"b", -9.25F}, {"\u2581", -9.0F}};
    for (int i = 0; i < 8; ++i) {
      scores[test::random_text(random, 1 + random() % 3, letters)] =
          -static_cast<float>(random() % 64) / 4;
    }
    const Tokenizer tokenizer = tiny_t5(scores).make();
    double worst = 0;
    for (const auto& entry : scores) worst = std::min<double>(worst, entry.second);
    for (int i = 0; i < 20; ++i) {
      const std::string text = test::random_text(random, 1 + random() % 8, letters);
      const std::vector<WordSteps> steps = tokenizer.explain(text, {false, false});
      ASSERT_EQ(steps[0].word, "\u2581" + text);
      double score = 0;
      bool has_unknown = false;
      std::string covered;
      for (const TokenId id : steps[0].ids) {
        has_unknown = has_unknown || id == *tokenizer.unknown();
        score += double{tokenizer.token_score(id)};
        covered += tokenizer.token_text(id);
      }
      if (has_unknown) continue;  // how many characters it stands for is not visible
      ASSERT_EQ(covered, "\u2581" + text);
      ASSERT_EQ(score, best_score("\u2581" + text, scores)) << text;
    }
  }
}

// Builds a compiled map as SentencePiece does, in the layout that normalizer.h draws.
class CharsmapBuilder {
 public:
  static std::vector<std::uint8_t> build(const std::map<std::string, std::string>& map) {
    CharsmapBuilder builder;
    builder.units_.assign(1 << 14, 0);
    builder.used_.assign(1 << 14, false);
    builder.used_[0] = true;
    builder.place(map, "", 0);
    std::string bytes(4, '\0');
    const auto n = static_cast<std::uint32_t>(4 * builder.units_.size());
    std::memcpy(bytes.data(), &n, 4);
    bytes.append(reinterpret_cast<const char*>(builder.units_.data()), n);
    bytes += builder.replacements_;
    return {bytes.begin(), bytes.end()};
  }

 private:
  // Gives the children of the string `prefix`, whose unit is `index`, their places.
  void place(const std::map<std::string, std::string>& map, const std::string& prefix,
             std::uint32_t index) {
    std::map<unsigned char, bool> children;
    for (const auto& entry : map) {
      if (entry.first.size() > prefix.size() && entry.first.starts_with(prefix)) {
        children[static_cast<unsigned char>(entry.first[prefix.size()])] = true;
      }
    }
    const bool has_value = map.contains(prefix);
    std::uint32_t base = 256;
    const auto fits = [&] {
      if (bases_.contains(base) || (has_value && used_[base])) return false;
      for (const auto& child : children) {
        if (used_[base ^ child.first]) return false;
      }
      return true;
    };
    while (!fits()) ++base;
    bases_.insert(base);
    units_[index] |= (index ^ base) << 10 | (has_value ? 1U << 8 : 0);
    if (has_value) {
      used_[base] = true;
      units_[base] = static_cast<std::uint32_t>(replacements_.size()) | 1U << 31;
      replacements_ += map.at(prefix) + '\0';
    }
    for (const auto& child : children) {
      used_[base ^ child.first] = true;
      units_[base ^ child.first] = child.first;
    }
    for (const auto& child : children) {
      place(map, prefix + static_cast<char>(child.first), base ^ child.first);
    }
  }

  std::vector<std::uint32_t> units_;
  std::vector<bool> used_;
  std::set<std::uint32_t> bases_;  // no two nodes share one, or they would share children
  std::string replacements_;
};

Normalizer normalizer_of(const std::vector<std::uint8_t>& bytes) {
  GgufWriter writer;
  writer.set_uint8_array("tokenizer.ggml.precompiled_charsmap", bytes);
  const std::vector<std::byte> file = writer.to_bytes();
  return Normalizer::from_gguf(GgufFile::from_memory(file, "tiny.gguf"));
}

const std::map<std::string, std::string> kMap = {
    {"\uFF21", "A"},       {"\uFF22", "B"},  {"\u00A0", " "}, {"\u200B", ""},
    {"A\u030A", "\u00C5"}, {"\uFB01", "fi"}, {"\u2581", " "},
};

TEST(Normalizer, FindsTheLongestReplacement) {
  const Normalizer normalizer = normalizer_of(CharsmapBuilder::build(kMap));
  for (const auto& [from, to] : kMap) {
    const auto match = normalizer.match(from + "x");
    ASSERT_TRUE(match.has_value()) << from;
    EXPECT_EQ(match->text, to);
    EXPECT_EQ(match->n_bytes, from.size());
  }
  for (const char* other : {"", "A", "x", "\xEF\xBC", "\xFF", "\u00A1"}) {
    EXPECT_FALSE(normalizer.match(other).has_value()) << other;
  }
  EXPECT_FALSE(Normalizer().match("\uFF21").has_value());
}

TEST(Normalizer, DamagedMapsAreRefusedOrHarmless) {
  const std::vector<std::uint8_t> good = CharsmapBuilder::build({{"ab", "c"}, {"\uFF21", "A"}});
  EXPECT_THROW(normalizer_of({1, 2, 3}), Error);
  EXPECT_THROW(normalizer_of({2, 0, 0, 0, 1, 2}), Error);           // not whole units
  EXPECT_THROW(normalizer_of({0, 0, 0, 0x80, 1, 2, 3, 4}), Error);  // longer than the map
  std::mt19937 random(8);
  for (int i = 0; i < 2000; ++i) {
    std::vector<std::uint8_t> bad = good;
    bad.resize(4 + 4 * (1 << 14) + random() % 4);
    for (int flips = 0; flips < 20; ++flips) {
      bad[4 + random() % 2048] = static_cast<std::uint8_t>(random());
    }
    const Normalizer normalizer = normalizer_of(bad);
    for (const char* text : {"ab", "\uFF21", "abab"}) {
      const auto match = normalizer.match(text);
      ASSERT_TRUE(!match || match->n_bytes <= std::strlen(text));
    }
  }
}

TEST(Unigram, NormalizesFirst) {
  test::TinyVocabulary vocabulary =
      tiny_t5({{"\u2581", -1}, {"A", -1}, {"B", -1}, {"fi", -1}, {"\u00C5", -1}});
  vocabulary.writer.set_uint8_array("tokenizer.ggml.precompiled_charsmap",
                                    CharsmapBuilder::build(kMap));
  const Tokenizer tokenizer = vocabulary.make();
  EXPECT_EQ(texts_of(tokenizer, "\uFF21\u00A0\uFF22\u200B\uFB01A\u030A"),
            (Strings{"\u2581", "A", "\u2581", "B", "fi", "\u00C5"}));
}

}  // namespace
}  // namespace galley
