// WordPiece, with a vocabulary small enough to follow by hand.
#include <gtest/gtest.h>

#include "tests/tokenizer/tiny_vocabulary.h"

namespace galley {
namespace {

using Strings = std::vector<std::string>;

test::TinyVocabulary tiny_bert() {
  test::TinyVocabulary vocabulary;
  vocabulary.model = "bert";
  vocabulary.tokens = {
      "[PAD]",       "[UNK]",         "[CLS]",   "[SEP]",        "\u2581un",     "aff",
      "able",        "\u2581affable", "\u2581!", "\u2581a",      "\u2581\u4E16", "\u2581caf",
      "e",           "\u2581\u1112",  "\u2581$", "\u2581\u20AC", "\u2581\u0915", "\u0301",
      "\u2581\u00C9"};
  vocabulary.types.assign(vocabulary.tokens.size(), 1);
  for (std::size_t i = 0; i < 4; ++i) vocabulary.types[i] = 3;
  vocabulary.writer.set_uint32("tokenizer.ggml.padding_token_id", 0);
  vocabulary.writer.set_uint32("tokenizer.ggml.unknown_token_id", 1);
  vocabulary.writer.set_uint32("tokenizer.ggml.cls_token_id", 2);
  vocabulary.writer.set_uint32("tokenizer.ggml.seperator_token_id", 3);
  return vocabulary;
}

Strings texts_of(const Tokenizer& tokenizer, std::string_view text, bool add_special = false) {
  Strings texts;
  for (const TokenId id : tokenizer.encode(text, {add_special, true})) {
    texts.emplace_back(tokenizer.token_text(id));
  }
  return texts;
}

TEST(WordPiece, LongestTokenFirst) {
  const Tokenizer tokenizer = tiny_bert().make();
  EXPECT_EQ(texts_of(tokenizer, "Unaffable affable!"),
            (Strings{"\u2581un", "aff", "able", "\u2581affable", "\u2581!"}));
}

TEST(WordPiece, AWordWithAnUnknownPartIsUnknown) {
  const Tokenizer tokenizer = tiny_bert().make();
  EXPECT_EQ(texts_of(tokenizer, "unaffx a"), (Strings{"[UNK]", "\u2581a"}));
}

TEST(WordPiece, ClsAndSep) {
  const Tokenizer tokenizer = tiny_bert().make();
  EXPECT_EQ(texts_of(tokenizer, "", true), (Strings{"[CLS]", "[SEP]"}));
  EXPECT_EQ(texts_of(tokenizer, "a[SEP]a", true),
            (Strings{"[CLS]", "\u2581a", "[SEP]", "\u2581a", "[SEP]"}));
  EXPECT_EQ(tokenizer.decode(tokenizer.encode("Unaffable a", {false, false})), " unaffable a");
}

TEST(WordPiece, CleansText) {
  const Tokenizer tokenizer = tiny_bert().make();
  EXPECT_EQ(texts_of(tokenizer, "Caf\u00E9"), (Strings{"\u2581caf", "e"}));
  // Control characters, NUL, U+FFFD and broken bytes vanish.
  EXPECT_EQ(texts_of(tokenizer, std::string_view("u\x01n\0aff\xFF\u200B\uFFFDable", 18)),
            (Strings{"\u2581un", "aff", "able"}));
  // Any white space parts words.
  EXPECT_EQ(texts_of(tokenizer, "a\u3000a\na"), (Strings{"\u2581a", "\u2581a", "\u2581a"}));
  // Chinese characters, punctuation and ASCII symbols are words, other symbols are not.
  EXPECT_EQ(texts_of(tokenizer, "a\u4E16\u4E16$a"),
            (Strings{"\u2581a", "\u2581\u4E16", "\u2581\u4E16", "\u2581$", "\u2581a"}));
  EXPECT_EQ(texts_of(tokenizer, "a\u20AC"), (Strings{"[UNK]"}));
  EXPECT_EQ(texts_of(tokenizer, "\u20AC"), (Strings{"\u2581\u20AC"}));
  // A Korean syllable becomes its first letter.
  EXPECT_EQ(texts_of(tokenizer, "\uD55C"), (Strings{"\u2581\u1112"}));
}

TEST(WordPiece, MarksByThemselves) {
  // Without the key they stay, with it they are dropped.
  EXPECT_EQ(texts_of(tiny_bert().make(), "cafe\u0301"), (Strings{"\u2581caf", "e", "\u0301"}));
  test::TinyVocabulary strips = tiny_bert();
  strips.writer.set_bool("tokenizer.ggml.normalizer.strip_accents", true);
  EXPECT_EQ(texts_of(strips.make(), "cafe\u0301"), (Strings{"\u2581caf", "e"}));
}

TEST(WordPiece, CasedVocabularies) {
  test::TinyVocabulary cased = tiny_bert();
  cased.writer.set_bool("tokenizer.ggml.normalizer.lowercase", false);
  const Tokenizer tokenizer = cased.make();
  EXPECT_EQ(texts_of(tokenizer, "\u00C9 a"), (Strings{"\u2581\u00C9", "\u2581a"}));
  EXPECT_EQ(texts_of(tokenizer, "A"), (Strings{"[UNK]"}));
}

TEST(WordPiece, ExplainGivesPlaces) {
  const Tokenizer tokenizer = tiny_bert().make();
  const std::vector<WordSteps> words = tokenizer.explain(
      "  Unaff\x01"
      "able! ",
      {false, false});
  ASSERT_EQ(words.size(), 2U);
  EXPECT_EQ(words[0].place.begin, 2U);
  EXPECT_EQ(words[0].place.end, 12U);
  EXPECT_EQ(words[0].word, "\u2581unaffable");
  EXPECT_EQ(words[1].place.begin, 12U);
  EXPECT_EQ(words[1].word, "\u2581!");
}

}  // namespace
}  // namespace galley
