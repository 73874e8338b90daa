// Characters: UTF-8 against its definition, and what PCRE2 and utf8proc know against the table
// of new characters.
#include "tokenizer/unicode.h"

#include <gtest/gtest.h>

#include <map>

#include "tests/tokenizer/tiny_vocabulary.h"
#include "tokenizer/regex_split.h"
#include "tokenizer/utf8.h"

namespace galley {
namespace {

bool is_surrogate(char32_t code) { return code >= 0xD800 && code <= 0xDFFF; }

TEST(Utf8, EveryCharacterReadsBack) {
  for (char32_t code = 0; code <= 0x10FFFF; ++code) {
    if (is_surrogate(code)) continue;
    std::string text;
    append_utf8(text, code);
    const Utf8Char c = read_utf8(text, 0);
    ASSERT_TRUE(c.valid);
    ASSERT_EQ(c.code, code);
    ASSERT_EQ(c.size, text.size());
    ASSERT_EQ(utf8_size(static_cast<unsigned char>(text[0])), static_cast<int>(text.size()));
  }
}

TEST(Utf8, WhatIsNotUtf8ComesByteByByte) {
  // Continuation byte, overlong forms, surrogates, too large, cut short, bytes that never occur.
  for (const char* text : {"\x80", "\xC0\x80", "\xC1\xBF", "\xE0\x9F\xBF", "\xED\xA0\x80",
                           "\xED\xBF\xBF", "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80", "\xC3",
                           "\xE4\xB8", "\xF0\x9F\x98", "\xF5\x80\x80\x80", "\xFF", "\xC3 "}) {
    const Utf8Char c = read_utf8(text, 0);
    EXPECT_FALSE(c.valid) << text;
    EXPECT_EQ(c.size, 1U) << text;
    EXPECT_EQ(c.code, static_cast<unsigned char>(text[0])) << text;
  }
}

TEST(Utf8, SpaceMarks) {
  EXPECT_EQ(escape_spaces(" a  b"), "\u2581a\u2581\u2581b");
  EXPECT_EQ(unescape_spaces("\u2581a\u2581\u2581b"), " a  b");
  EXPECT_EQ(unescape_spaces("\xE2\x96"), "\xE2\x96");
}

// With stand-ins, PCRE2 puts every character into the class that char_class says.
TEST(Unicode, Pcre2AgreesOnEveryCharacter) {
  const std::map<CharClass, std::string_view> classes = {
      {CharClass::kLetter, "\\p{L}"}, {CharClass::kMark, "\\p{M}"},
      {CharClass::kNumber, "\\p{N}"}, {CharClass::kPunctuation, "\\p{P}"},
      {CharClass::kSymbol, "\\p{S}"},
  };
  std::vector<std::pair<CharClass, RegexSplitter>> matchers;
  for (const auto& [kind, pattern] : classes) {
    matchers.emplace_back(kind, RegexSplitter(std::span(&pattern, 1)));
  }
  constexpr std::string_view kSpace = "\\s";
  const RegexSplitter space(std::span(&kSpace, 1));
  // "a" does not match: so the character is a word by itself if it does.
  const auto matches = [](const RegexSplitter& splitter, const std::string& character) {
    return splitter.split("\x01" + character).size() == 2;
  };
  for (char32_t code = 0x80; code <= 0x10FFFF; ++code) {
    if (is_surrogate(code) || (code >= 0x33480 && code < 0xE0000) || code >= 0xE0200) continue;
    std::string character;
    append_utf8(character, code);
    const CharClass kind = char_class(code);
    for (const auto& [other, splitter] : matchers) {
      ASSERT_EQ(matches(splitter, character), other == kind) << std::hex << std::uint32_t{code};
    }
    ASSERT_EQ(matches(space, character), is_white_space(code)) << std::hex << std::uint32_t{code};
  }
}

TEST(Unicode, StandInsHaveTheSameClassAndSize) {
  int n_replaced = 0;
  for (char32_t code = 0; code <= 0x10FFFF; ++code) {
    const char32_t other = stand_in(code);
    if (other == code) continue;
    ++n_replaced;
    std::string text;
    append_utf8(text, code);
    const std::size_t size = text.size();
    append_utf8(text, other);
    ASSERT_EQ(text.size(), 2 * size) << std::hex << std::uint32_t{code};
    ASSERT_EQ(char_class(code), char_class(other)) << std::hex << std::uint32_t{code};
    ASSERT_EQ(stand_in(other), other);
  }
  EXPECT_EQ(n_replaced, 4970 + 40 + 23 + 34 + 42 + 1);  // L, N, P, S, M and U+180E
}

TEST(Unicode, WhiteSpace) {
  int n = 0;
  for (char32_t code = 0; code <= 0x10FFFF; ++code) n += is_white_space(code) ? 1 : 0;
  EXPECT_EQ(n, 25);  // the property White_Space has 25 characters
  EXPECT_TRUE(is_white_space(0x85));
  EXPECT_FALSE(is_white_space(0x180E));
  EXPECT_FALSE(is_white_space(0x200B));
  EXPECT_FALSE(is_white_space(0x1C));
}

TEST(Unicode, LowerCaseAndBase) {
  EXPECT_EQ(to_lower(U'\u00C9'), U'\u00E9');
  EXPECT_EQ(to_lower(U'\u0410'), U'\u0430');
  EXPECT_EQ(to_lower(U'\u0130'), U'i');
  EXPECT_EQ(base_char(U'\u00E9'), U'e');
  EXPECT_EQ(base_char(U'\u1EC7'), U'e');
  EXPECT_EQ(base_char(U'a'), U'a');
}

}  // namespace
}  // namespace galley
