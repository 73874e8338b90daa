// The streaming decoder: whole characters only, nothing lost, broken bytes handled.
#include "tokenizer/stream_decoder.h"

#include <gtest/gtest.h>

#include "tests/tokenizer/tiny_vocabulary.h"
#include "tokenizer/utf8.h"

namespace galley {
namespace {

const Tokenizer& bytes_only() {
  static const Tokenizer tokenizer = [] {
    test::TinyVocabulary vocabulary = test::tiny_bpe({});
    vocabulary.tokens.emplace_back("<|end|>");
    vocabulary.types.assign(256, 1);
    vocabulary.types.push_back(3);
    return vocabulary.make();
  }();
  return tokenizer;
}

bool is_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const Utf8Char c = read_utf8(text, i);
    if (!c.valid) return false;
    i += c.size;
  }
  return true;
}

TEST(StreamDecoder, HoldsBackHalfACharacter) {
  StreamDecoder decoder(bytes_only());
  std::vector<std::string> out;
  for (const TokenId id : bytes_only().encode("a\u00E9\u4E16\U0001F600!", {false, false})) {
    out.push_back(decoder.feed(id));
  }
  EXPECT_EQ(out, (std::vector<std::string>{"a", "", "\u00E9", "", "", "\u4E16", "", "", "",
                                           "\U0001F600", "!"}));
  EXPECT_EQ(decoder.flush(), "");
}

TEST(StreamDecoder, PassesBrokenBytesOnAsSoonAsTheyAreCertain) {
  StreamDecoder decoder(bytes_only());
  EXPECT_EQ(decoder.feed_bytes("\xFF"), "\xFF");
  EXPECT_EQ(decoder.feed_bytes("\x80"), "\x80");
  EXPECT_EQ(decoder.feed_bytes("\xE4"), "");
  EXPECT_EQ(decoder.feed_bytes("\xB8"), "");
  EXPECT_EQ(decoder.feed_bytes("a"),
            "\xE4\xB8"
            "a");
  EXPECT_EQ(decoder.feed_bytes("\xE0\x80"), "\xE0\x80");  // overlong: can never be a character
  EXPECT_EQ(decoder.feed_bytes("\xED\xA0"), "\xED\xA0");  // a surrogate
  EXPECT_EQ(decoder.feed_bytes("\xF4\x90"), "\xF4\x90");  // above U+10FFFF
  EXPECT_EQ(decoder.feed_bytes("\xF4\x8F"), "");
  EXPECT_EQ(decoder.flush(), "\xF4\x8F");
  EXPECT_EQ(decoder.feed_bytes("b"), "b");
}

TEST(StreamDecoder, ReplacesBrokenPartsIfAsked) {
  const auto replaced = [](std::string_view bytes) {
    StreamDecoder decoder(bytes_only(), false, InvalidBytes::kReplace);
    std::string out;
    for (const char& byte : bytes) out += decoder.feed_bytes({&byte, 1});
    return out + decoder.flush();
  };
  EXPECT_EQ(replaced("a\xFF"
                     "b"),
            "a\uFFFDb");
  EXPECT_EQ(replaced("\xE4\xB8"
                     "a"),
            "\uFFFDa");  // one mark for the two bytes
  EXPECT_EQ(replaced("\xF0\x9F\x98"), "\uFFFD");
  EXPECT_EQ(replaced("\xE0\x80"), "\uFFFD\uFFFD");
  EXPECT_EQ(replaced("\xC3\xC3\xA9"), "\uFFFD\u00E9");
}

TEST(StreamDecoder, SpecialTokens) {
  const TokenId end = *bytes_only().find("<|end|>");
  EXPECT_EQ(StreamDecoder(bytes_only()).feed(end), "");
  EXPECT_EQ(StreamDecoder(bytes_only(), /*show_special=*/true).feed(end), "<|end|>");
  EXPECT_EQ(StreamDecoder(bytes_only()).feed(-1), "");
  EXPECT_EQ(StreamDecoder(bytes_only()).feed(1000), "");
}

TEST(StreamDecoder, AnyBytesInAnyPortions) {
  std::mt19937 random(4);
  const std::vector<std::string> parts = {"a",    "\u00E9", "\u4E16", "\U0001F600", "\xE4",
                                          "\xB8", "\xF0",   "\x9F",   "\xED\xA0",   "\xFF"};
  for (int round = 0; round < 500; ++round) {
    const std::string text = test::random_text(random, random() % 30, parts);
    StreamDecoder pass(bytes_only());
    StreamDecoder replace(bytes_only(), false, InvalidBytes::kReplace);
    std::string passed;
    for (std::size_t i = 0; i < text.size();) {
      const std::size_t n = std::min<std::size_t>(1 + random() % 4, text.size() - i);
      const std::string out = pass.feed_bytes(text.substr(i, n));
      passed += out;
      i += n;
      ASSERT_LE(i - passed.size(), 3U) << "held back too much";
      ASSERT_TRUE(is_utf8(replace.feed_bytes(text.substr(i - n, n))));
      ASSERT_TRUE(is_utf8(out) || !is_utf8(text));
    }
    ASSERT_TRUE(is_utf8(replace.flush()));
    ASSERT_EQ(passed + pass.flush(), text);
  }
}

}  // namespace
}  // namespace galley
