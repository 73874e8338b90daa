// Byte-level BPE against its naive twin and small cases worked out by hand.
#include <gtest/gtest.h>

#include <map>

#include "tests/tokenizer/tiny_vocabulary.h"
#include "tokenizer/byte_level.h"

namespace galley {
namespace {

constexpr EncodeOptions kPlain{.add_special = false, .parse_special = false};

// Textbook BPE of one word, spelled: while some neighbours are in the list, merge the pair that
// comes first in it, the leftmost if it is there twice. O(n^2).
std::vector<std::string> naive_bpe(std::string_view word, const std::vector<std::string>& merges) {
  std::vector<std::string> symbols;
  for (const char& byte : word) symbols.push_back(spell_bytes({&byte, 1}));
  while (true) {
    std::size_t best_rank = merges.size();
    std::size_t best = 0;
    for (std::size_t i = 0; i + 1 < symbols.size(); ++i) {
      for (std::size_t rank = 0; rank < best_rank; ++rank) {
        if (merges[rank] == symbols[i] + " " + symbols[i + 1]) {
          best_rank = rank;
          best = i;
        }
      }
    }
    if (best_rank == merges.size()) return symbols;
    symbols[best] += symbols[best + 1];
    symbols.erase(symbols.begin() + static_cast<std::ptrdiff_t>(best) + 1);
  }
}

std::vector<std::string> pieces_of(const Tokenizer& tokenizer, std::string_view text) {
  std::vector<std::string> pieces;
  for (const TokenId id : tokenizer.encode(text, kPlain)) {
    pieces.emplace_back(tokenizer.piece(id));
  }
  return pieces;
}

using Strings = std::vector<std::string>;

TEST(Bpe, MergesByRankNotByPlace) {
  const Tokenizer tokenizer = test::tiny_bpe({"h e", "l l", "he ll", "e l"}).make();
  EXPECT_EQ(pieces_of(tokenizer, "hello"), (Strings{"hell", "o"}));
  // "el" has the last rank, so it merges only where nothing else does.
  EXPECT_EQ(pieces_of(tokenizer, "el"), (Strings{"el"}));
  EXPECT_EQ(pieces_of(tokenizer, "ell"), (Strings{"e", "ll"}));
}

TEST(Bpe, OfEqualPairsTheLeftmostMergesFirst) {
  const Tokenizer tokenizer = test::tiny_bpe({"a a"}).make();
  EXPECT_EQ(pieces_of(tokenizer, "aaa"), (Strings{"aa", "a"}));
  EXPECT_EQ(pieces_of(tokenizer, "aaaa"), (Strings{"aa", "aa"}));
}

TEST(Bpe, TheFirstOfTwoEqualMergesHolds) {
  const Tokenizer tokenizer = test::tiny_bpe({"a b", "b c", "a b"}).make();
  EXPECT_EQ(pieces_of(tokenizer, "abc"), (Strings{"ab", "c"}));
}

TEST(Bpe, SpacesBelongToTheNextWord) {
  const Tokenizer tokenizer = test::tiny_bpe({"\u0120 a", "\u0120a b"}).make();
  EXPECT_EQ(pieces_of(tokenizer, "ab ab"), (Strings{"a", "b", " ab"}));
}

TEST(Bpe, EqualsTheNaiveTwin) {
  std::mt19937 random(7);
  const Strings letters = {"a", "b", "c", "\xC3\xA9"};
  for (int round = 0; round < 40; ++round) {
    // A random list of merges, each of two symbols that exist by then.
    Strings symbols = {"a", "b", "c", spell_bytes("\xC3"), spell_bytes("\xA9")};
    Strings merges;
    std::map<std::string, bool> made;
    while (merges.size() < 20) {
      const std::string left = test::random_text(random, 1, symbols);
      const std::string right = test::random_text(random, 1, symbols);
      if (made[left + right]) continue;
      made[left + right] = true;
      symbols.push_back(left + right);
      merges.push_back(left + " " + right);
    }
    const Tokenizer tokenizer = test::tiny_bpe(merges).make();
    for (int i = 0; i < 50; ++i) {
      const std::string word = test::random_text(random, 1 + random() % 30, letters);
      Strings spelled;
      for (const TokenId id : tokenizer.encode(word, kPlain)) {
        spelled.emplace_back(tokenizer.token_text(id));
      }
      ASSERT_EQ(spelled, naive_bpe(word, merges)) << word;
    }
  }
}

TEST(Bpe, AWordThatIsATokenIsTakenWholeIfTheModelIgnoresMerges) {
  test::TinyVocabulary with = test::tiny_bpe({"a b", "b c"}, "llama-bpe");
  with.tokens.push_back("abc");  // no merge leads there
  with.writer.set_bool("tokenizer.ggml.add_bos_token", false);
  EXPECT_EQ(pieces_of(with.make(), "abc"), (Strings{"abc"}));
  test::TinyVocabulary without = test::tiny_bpe({"a b", "b c"}, "gpt-2");
  without.tokens.push_back("abc");
  EXPECT_EQ(pieces_of(without.make(), "abc"), (Strings{"ab", "c"}));
}

TEST(Bpe, AByteThatIsNotInTheVocabularyVanishes) {
  test::TinyVocabulary vocabulary = test::tiny_bpe({});
  vocabulary.tokens['b'] = "[no b]";
  EXPECT_EQ(pieces_of(vocabulary.make(), "abc"), (Strings{"a", "c"}));
}

TEST(Bpe, AMergeThatMakesNoTokenFallsBackToBytes) {
  test::TinyVocabulary vocabulary = test::tiny_bpe({"a b"});
  vocabulary.tokens.pop_back();  // "ab"
  vocabulary.merges.push_back("ab c");
  vocabulary.tokens.push_back("abc");
  EXPECT_EQ(pieces_of(vocabulary.make(), "abc ab"), (Strings{"abc", " ", "a", "b"}));
}

TEST(Bpe, MergesThatCannotMeetATextAreIgnored) {
  test::TinyVocabulary vocabulary = test::tiny_bpe({"a b"});
  for (const char* merge : {"", " ", "x", " x", "x ", "\u4E00 a", "a \u4E00", "\xFF a"}) {
    vocabulary.merges.emplace_back(merge);
  }
  EXPECT_EQ(pieces_of(vocabulary.make(), "ab x"), (Strings{"ab", " ", "x"}));
}

TEST(Bpe, ExplainWalksTheMerges) {
  const Tokenizer tokenizer = test::tiny_bpe({"h e", "l l", "he ll"}).make();
  const std::vector<WordSteps> words = tokenizer.explain("a hello", kPlain);
  ASSERT_EQ(words.size(), 2U);
  const WordSteps& word = words[1];
  EXPECT_EQ(word.place.begin, 1U);
  EXPECT_EQ(word.place.end, 7U);
  EXPECT_EQ(word.word, "\u0120hello");
  EXPECT_EQ(word.symbols, (Strings{"\u0120", "h", "e", "l", "l", "o"}));
  ASSERT_EQ(word.merges.size(), 3U);
  EXPECT_EQ(word.merges[0].result, "he");
  EXPECT_EQ(word.merges[0].index, 1U);
  EXPECT_EQ(word.merges[0].rank, 0);
  EXPECT_EQ(word.merges[1].result, "ll");
  EXPECT_EQ(word.merges[1].index, 2U);  // of: _ he l l o
  EXPECT_EQ(word.merges[2].result, "hell");
  EXPECT_EQ(word.merges[2].rank, 2);
  EXPECT_EQ(word.ids.size(), 3U);
}

TEST(Bpe, AnyBytesRoundTrip) {
  const Tokenizer tokenizer = test::tiny_bpe({"\u0120 a", "a b", "\u00C3 \u00A9"}).make();
  std::mt19937 random(3);
  for (int i = 0; i < 300; ++i) {
    const std::string text = test::random_bytes(random, random() % 200);
    ASSERT_EQ(tokenizer.decode(tokenizer.encode(text, kPlain)), text);
  }
}

TEST(ByteLevel, SpellsAllBytesAndReadsThemBack) {
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all.push_back(static_cast<char>(byte));
  std::string back;
  ASSERT_TRUE(unspell_bytes(spell_bytes(all), back));
  EXPECT_EQ(back, all);
  EXPECT_EQ(spell_bytes(" \n~\x7F\xAD\xFF"), "\u0120\u010A~\u0121\u0143\u00FF");
  back = "kept";
  EXPECT_FALSE(unspell_bytes("ab ", back));  // a plain space spells nothing
  EXPECT_FALSE(unspell_bytes("\u0144", back));
  EXPECT_FALSE(unspell_bytes("a\xFF", back));
  EXPECT_EQ(back, "kept");
}

}  // namespace
}  // namespace galley
