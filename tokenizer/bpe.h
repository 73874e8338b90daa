// Byte-level byte-pair encoding, the tokenizer of GPT-2 and most models since (GGUF model
// "gpt2"): Radford et al. 2019, after Sennrich et al. 2016.
//
// Where it sits: one of the algorithms behind Tokenizer::encode.
//
//   "Hello world"  --regex-->  "Hello" | " world"  --merges-->  ids of each word
//
// A word starts as its single bytes; the pair of neighbours that comes first in the list of
// merges becomes one symbol; and so on until no neighbours are in the list.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "tokenizer/algorithm.h"
#include "tokenizer/pre_tokenizers.h"
#include "tokenizer/regex_split.h"
#include "tokenizer/string_table.h"
#include "tokenizer/vocabulary.h"

namespace galley {

// What becomes of two neighbouring symbols, for every pair in the list of merges.
class MergeTable {
 public:
  struct Merge {
    std::uint32_t rank;   // the line in the list, from 0: lower goes first
    std::int32_t result;  // the merged symbol
  };

  void reserve(std::size_t n_merges);
  // The first merge given for a pair holds.
  void add(std::int32_t left, std::int32_t right, Merge merge);
  // The merge of the pair, or nullptr.
  const Merge* find(std::int32_t left, std::int32_t right) const;
  // Brings the memory that add or find will need for the pair into the cache.
  void prefetch(std::int32_t left, std::int32_t right) const;

 private:
  struct Slot {
    std::uint64_t pair = kFree;
    Merge merge{};
  };
  static constexpr std::uint64_t kFree = ~std::uint64_t{0};
  std::size_t first_slot(std::uint64_t pair) const;
  std::size_t slot_of(std::uint64_t pair) const;
  void grow(std::size_t n_slots);

  std::vector<Slot> slots_;  // open addressing, at most two thirds full
  std::size_t n_used_ = 0;
};

class BytePairEncoding final : public Algorithm {
 public:
  // `merges`: each "left right", in order of rank, spelled as in byte_level.h. Keeps a pointer to
  // `vocabulary`, which must outlive this.
  BytePairEncoding(const Vocabulary& vocabulary, std::span<const std::string_view> merges,
                   const PreTokenizer& pre_tokenizer);

  void encode(std::string_view text, bool after_special, std::vector<TokenId>& ids) const override;
  std::vector<WordSteps> explain(std::string_view text, bool after_special) const override;

 private:
  class WordEncoder;
  struct Rules;

  void add_merges(std::span<const std::string_view> merges);
  std::int32_t symbol_of(std::string_view bytes);
  // The token that a word becomes without merging, or kNotFound.
  TokenId whole_token(std::string_view word) const;
  void append_ids(std::int32_t symbol, std::vector<TokenId>& ids) const;

  const Vocabulary* vocabulary_;
  RegexSplitter splitter_;
  bool ignore_merges_;
  // What each symbol stands for, as bytes. Symbols below n_tokens() are tokens; after them come
  // bytes and results of merges that the vocabulary lacks.
  StringTable symbols_;
  std::array<std::int32_t, 256> byte_symbols_{};
  MergeTable merges_;
};

}  // namespace galley
