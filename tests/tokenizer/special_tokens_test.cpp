// Special tokens in a text, against a search token by token.
#include "tokenizer/special_tokens.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/tokenizer/tiny_vocabulary.h"

namespace galley {
namespace {

using Strings = std::vector<std::string>;

// The parts of `text`; special ones in angle quotes.
Strings parts_of(const SpecialTokens& tokens, std::string_view text, bool parse_special = true) {
  Strings parts;
  for (const PreToken& part : tokens.cut(text, parse_special)) {
    const std::string words(text.substr(part.begin, part.end - part.begin));
    parts.push_back(part.special ? "\u00AB" + words + "\u00BB" : words);
  }
  return parts;
}

Vocabulary vocabulary_of(const Strings& texts, TokenType type) {
  Vocabulary vocabulary;
  for (const std::string& text : texts) vocabulary.texts.add(text);
  vocabulary.types.assign(texts.size(), type);
  return vocabulary;
}

TEST(SpecialTokens, CutsThemOut) {
  const Vocabulary vocabulary = vocabulary_of({"<s>", "</s>"}, TokenType::kControl);
  const SpecialTokens tokens(vocabulary);
  EXPECT_EQ(parts_of(tokens, "<s>a</s></s>b"), (Strings{"«<s>»", "a", "«</s>»", "«</s>»", "b"}));
  EXPECT_EQ(parts_of(tokens, "<s>"), (Strings{"«<s>»"}));
  EXPECT_EQ(parts_of(tokens, "< s>"), (Strings{"< s>"}));
  EXPECT_EQ(parts_of(tokens, ""), Strings{});
  EXPECT_EQ(parts_of(tokens, "<s>a", /*parse_special=*/false), (Strings{"<s>a"}));
}

TEST(SpecialTokens, UserDefinedOnesAreAlwaysFound) {
  Vocabulary vocabulary = vocabulary_of({"<a>", "<b>", "<c>"}, TokenType::kControl);
  vocabulary.types[1] = TokenType::kUserDefined;
  vocabulary.types[2] = TokenType::kUnknown;
  const SpecialTokens tokens(vocabulary);
  EXPECT_EQ(parts_of(tokens, "<a><b><c>", false), (Strings{"<a>", "«<b>»", "<c>"}));
  EXPECT_EQ(parts_of(tokens, "<a><b><c>", true), (Strings{"«<a>»", "«<b>»", "«<c>»"}));
}

TEST(SpecialTokens, LongerOnesAreFoundFirstWhereverTheyAre) {
  const Vocabulary vocabulary = vocabulary_of({"  ", "    ", "ab", "bcd"}, TokenType::kUserDefined);
  const SpecialTokens tokens(vocabulary);
  EXPECT_EQ(parts_of(tokens, "       x"), (Strings{"«    »", "«  »", " x"}));
  EXPECT_EQ(parts_of(tokens, "abcd"), (Strings{"a", "«bcd»"}));  // not ab, which comes first
  EXPECT_EQ(parts_of(tokens, "abab"), (Strings{"«ab»", "«ab»"}));
}

TEST(SpecialTokens, SomeTakeWhiteSpaceWithThem) {
  Vocabulary vocabulary = vocabulary_of({"<l>", "<r>"}, TokenType::kControl);
  vocabulary.strips_left = {0};
  vocabulary.strips_right = {1};
  const SpecialTokens tokens(vocabulary);
  EXPECT_EQ(parts_of(tokens, "a \n<l> b"), (Strings{"a", "«<l>»", " b"}));
  EXPECT_EQ(parts_of(tokens, "a <r>\t\r\n b"), (Strings{"a ", "«<r>»", "b"}));
  EXPECT_EQ(parts_of(tokens, "<r>  "), (Strings{"«<r>»"}));
  EXPECT_EQ(parts_of(tokens, "  <l>"), (Strings{"«<l>»"}));
  EXPECT_EQ(parts_of(tokens, "<r> <l>"), (Strings{"«<r>»", "«<l>»"}));
  EXPECT_EQ(parts_of(tokens, "<r>\u3000x"), (Strings{"«<r>»", "\u3000x"}));  // ASCII only
}

// Token after token, longest first, everywhere in what is left of the text.
Strings naive_parts(const Strings& sorted, const std::string& text) {
  Strings parts = {text};
  for (const std::string& token : sorted) {
    Strings finer;
    for (const std::string& part : parts) {
      std::size_t begin = 0;
      const bool is_text = part.substr(0, 2) != "\u00AB";
      for (std::size_t at; is_text && (at = part.find(token, begin)) != std::string::npos;) {
        if (at > begin) finer.push_back(part.substr(begin, at - begin));
        finer.push_back("\u00AB" + token + "\u00BB");
        begin = at + token.size();
      }
      if (begin < part.size()) finer.push_back(part.substr(begin));
    }
    parts = finer;
  }
  return parts;
}

TEST(SpecialTokens, EqualTheSearchTokenByToken) {
  std::mt19937 random(2);
  for (int round = 0; round < 100; ++round) {
    Strings names;
    for (int i = 0; i < 8; ++i) {
      const std::string name = test::random_text(random, 1 + random() % 4, {"a", "b", "<"});
      if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
    }
    const Vocabulary vocabulary = vocabulary_of(names, TokenType::kControl);
    const SpecialTokens tokens(vocabulary);
    std::stable_sort(names.begin(), names.end(), [](const std::string& a, const std::string& b) {
      return a.size() > b.size();
    });
    for (int i = 0; i < 50; ++i) {
      const std::string text =
          test::random_text(random, 1 + random() % 20, {"a", "b", "<", "c", " "});
      ASSERT_EQ(parts_of(tokens, text), naive_parts(names, text)) << text;
    }
  }
}

}  // namespace
}  // namespace galley
