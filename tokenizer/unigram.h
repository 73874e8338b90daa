// Unigram, the tokenizer of T5 and XLM-RoBERTa (GGUF model "t5"): Kudo 2018.
//
// Where it sits: one of the algorithms behind Tokenizer::encode. Every token has a probability
// (its score is the logarithm); of all ways to cut the text into tokens, the likeliest wins,
// found with Viterbi's algorithm: for each place, the best way to get there.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/algorithm.h"
#include "tokenizer/normalizer.h"
#include "tokenizer/trie.h"
#include "tokenizer/vocabulary.h"

namespace galley {

class Unigram final : public Algorithm {
 public:
  // Keeps a pointer to `vocabulary`, which must outlive this.
  Unigram(const Vocabulary& vocabulary, Normalizer normalizer);

  void encode(std::string_view text, bool after_special, std::vector<TokenId>& ids) const override;
  std::vector<WordSteps> explain(std::string_view text, bool after_special) const override;

 private:
  std::string normalize(std::string_view text) const;
  void append_ids(std::string_view normalized, std::vector<TokenId>& ids) const;

  const Vocabulary* vocabulary_;
  Normalizer normalizer_;
  Trie tokens_;
  double unknown_score_;  // of a character that no token stands for: worse than any token
};

}  // namespace galley
