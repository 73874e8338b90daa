// What the four kinds of tokenizer have in common: text without special tokens goes in, ids
// come out.
//
// Where it sits: Tokenizer (tokenizer.h) cuts out the special tokens and gives each stretch of
// text between them to one of bpe.h, sentencepiece.h, wordpiece.h and unigram.h.
#pragma once

#include <string_view>
#include <vector>

#include "tokenizer/tokenizer.h"

namespace galley {

class Algorithm {
 public:
  virtual ~Algorithm() = default;

  // Appends the ids of `text`. `after_special`: a special token, or nothing at all, comes
  // before it (SentencePiece puts a space there).
  virtual void encode(std::string_view text, bool after_special,
                      std::vector<TokenId>& ids) const = 0;

  // The same, told step by step: one entry for each part of `text` that is encoded by itself.
  // The ids of all entries are those that encode() gives.
  virtual std::vector<WordSteps> explain(std::string_view text, bool after_special) const = 0;
};

}  // namespace galley
