#include "tokenizer/bpe_trainer.h"

#include <algorithm>

namespace galley {
namespace {

struct Word {
  std::vector<std::string> symbols;
  std::uint64_t count;
};

// The most frequent pair of neighbours, the smallest of them if several are; its count is 0 if
// no word has two symbols left.
std::pair<BpeMerge, std::uint64_t> most_frequent_pair(const std::vector<Word>& words) {
  std::map<BpeMerge, std::uint64_t> counts;
  for (const Word& word : words)
    for (std::size_t i = 0; i + 1 < word.symbols.size(); ++i)
      counts[{word.symbols[i], word.symbols[i + 1]}] += word.count;
  // max_element keeps the first of equals, and the map is sorted.
  const auto best =
      std::max_element(counts.begin(), counts.end(),
                       [](const auto& a, const auto& b) { return a.second < b.second; });
  if (best == counts.end()) return {{}, 0};
  return *best;
}

// Joins every occurrence of `pair`, from left to right.
void apply(const BpeMerge& pair, Word& word) {
  std::size_t kept = 0;
  for (std::size_t i = 0; i < word.symbols.size(); ++kept) {
    const bool joins = i + 1 < word.symbols.size() && word.symbols[i] == pair.first &&
                       word.symbols[i + 1] == pair.second;
    std::string symbol = joins ? pair.first + pair.second : std::move(word.symbols[i]);
    word.symbols[kept] = std::move(symbol);
    i += joins ? 2 : 1;
  }
  word.symbols.resize(kept);
}

}  // namespace

std::vector<BpeMerge> train_bpe(const std::map<std::string, std::uint64_t>& words,
                                std::size_t n_merges) {
  std::vector<Word> split;
  for (const auto& [bytes, count] : words) {
    Word word{{}, count};
    for (const char byte : bytes) word.symbols.emplace_back(1, byte);
    split.push_back(std::move(word));
  }
  std::vector<BpeMerge> merges;
  while (merges.size() < n_merges) {
    const auto [pair, count] = most_frequent_pair(split);
    if (count < 2) break;
    for (Word& word : split) apply(pair, word);
    merges.push_back(pair);
  }
  return merges;
}

}  // namespace galley
