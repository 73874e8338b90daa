// WordPiece, the tokenizer of BERT and of many embedding models (GGUF model "bert"): Devlin et
// al. 2018.
//
// Where it sits: one of the algorithms behind Tokenizer::encode. Text is cleaned (accents off,
// lower case, control characters out) and cut at white space, punctuation and Chinese
// characters; then each word takes the longest token it begins with, again and again:
//
//   "Unaffable!"  -->  "unaffable" | "!"  -->  ▁un aff able | ▁!
//
// GGUF writes "▁" where a word begins and nothing inside it, where BERT itself wrote nothing
// and "##". A word with a part that no token begins is one unknown token.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/algorithm.h"
#include "tokenizer/trie.h"
#include "tokenizer/vocabulary.h"

namespace galley {

class WordPiece final : public Algorithm {
 public:
  // Keeps a pointer to `vocabulary`, which must outlive this.
  explicit WordPiece(const Vocabulary& vocabulary);

  void encode(std::string_view text, bool after_special, std::vector<TokenId>& ids) const override;
  std::vector<WordSteps> explain(std::string_view text, bool after_special) const override;

 private:
  struct Word {
    std::string text;       // cleaned, "▁" in front
    std::size_t begin = 0;  // where it was, in bytes of the original
    std::size_t end = 0;
  };
  std::vector<Word> words_of(std::string_view text) const;
  void append_ids(const std::string& word, std::vector<TokenId>& ids) const;

  const Vocabulary* vocabulary_;
  Trie tokens_;
};

}  // namespace galley
