// The BPE trainer against counts done by hand and against a twin that works on joined strings.
#include "tokenizer/bpe_trainer.h"

#include <gtest/gtest.h>

#include <random>

namespace galley {
namespace {

using Words = std::map<std::string, std::uint64_t>;
using Merges = std::vector<BpeMerge>;

// The twin: words as strings with '|' between symbols, pairs found by searching for each
// candidate made of two symbols that exist.
Merges slow_train(const Words& words, std::size_t n_merges) {
  std::vector<std::pair<std::string, std::uint64_t>> texts;
  for (const auto& [word, count] : words) {
    std::string text = "|";
    for (const char c : word) text += std::string(1, c) + "|";
    texts.emplace_back(text, count);
  }
  Merges merges;
  while (merges.size() < n_merges) {
    BpeMerge best;
    std::uint64_t best_count = 1;
    for (const auto& [source, unused] : texts) {
      // Every pair of neighbours in some word is a candidate; count it in all words.
      for (std::size_t a = 0, b, c; (b = source.find('|', a + 1)) != std::string::npos &&
                                    (c = source.find('|', b + 1)) != std::string::npos;
           a = b) {
        const BpeMerge pair{source.substr(a + 1, b - a - 1), source.substr(b + 1, c - b - 1)};
        const std::string needle = "|" + pair.first + "|" + pair.second + "|";
        std::uint64_t count = 0;
        for (const auto& [text, n] : texts)
          for (std::size_t at = text.find(needle); at != std::string::npos;
               at = text.find(needle, at + 1))
            count += n;
        if (count > best_count || (count == best_count && best_count > 1 && pair < best)) {
          best = pair;
          best_count = count;
        }
      }
    }
    if (best_count < 2) break;
    const std::string needle = "|" + best.first + "|" + best.second + "|";
    for (auto& [text, n] : texts)
      for (std::size_t at = text.find(needle); at != std::string::npos;
           at = text.find(needle, at + 1))
        text.replace(at, needle.size(), "|" + best.first + best.second + "|");
    merges.push_back(best);
  }
  return merges;
}

TEST(BpeTrainer, MergesTheMostFrequentPairFirst) {
  // hu: 15, ug: 20, pu: 17, un: 16, bu: 4, gs: 5: then hug 15, pun 12, hug+s 5, p+ug 5 ...
  const Words words{{"hug", 10}, {"pug", 5}, {"pun", 12}, {"bun", 4}, {"hugs", 5}};
  EXPECT_EQ(train_bpe(words, 3), (Merges{{"u", "g"}, {"u", "n"}, {"h", "ug"}}));
}

TEST(BpeTrainer, OfEqualPairsTakesTheSmallest) {
  EXPECT_EQ(train_bpe({{"dc", 3}, {"ab", 3}}, 1), (Merges{{"a", "b"}}));
}

TEST(BpeTrainer, MergesOverlappingPairsFromTheLeft) {
  EXPECT_EQ(train_bpe({{"aaa", 2}}, 5), (Merges{{"a", "a"}, {"aa", "a"}}));
}

TEST(BpeTrainer, EndsWhenNoPairOccursTwice) {
  EXPECT_TRUE(train_bpe({{"abc", 1}}, 10).empty());
  EXPECT_TRUE(train_bpe({}, 10).empty());
}

TEST(BpeTrainer, EqualsItsTwin) {
  std::mt19937 random(7);
  for (int round = 0; round < 20; ++round) {
    Words words;
    for (int w = 0; w < 30; ++w) {
      std::string word;
      // No letter twice in a row, so that the twin need not care about overlaps.
      for (unsigned i = 0, last = 9; i < 2 + random() % 6; ++i) {
        unsigned letter = random() % 4;
        if (letter == last) letter = (letter + 1) % 4;
        word += static_cast<char>('a' + letter);
        last = letter;
      }
      words[word] += 1 + random() % 9;
    }
    // Few merges, for longer symbols can follow themselves ("abab").
    EXPECT_EQ(train_bpe(words, 2), slow_train(words, 2)) << "round " << round;
  }
}

}  // namespace
}  // namespace galley
