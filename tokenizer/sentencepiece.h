// SentencePiece's BPE (GGUF model "llama"): Llama 1 and 2, Mistral, Gemma, Phi-3 and others.
// Kudo and Richardson 2018.
//
// Where it sits: one of the algorithms behind Tokenizer::encode. There is no pre-tokenizer: the
// text is one row of characters, spaces written as "▁", and neighbours merge whenever the two
// together are a token, the token with the highest score first. A character that is no token
// becomes its bytes, tokens <0x00> to <0xFF>.
//
// No merge can cross a place that no token crosses. In most vocabularies "▁" only begins tokens,
// so the text can be cut there and the words merged one by one, with the same result.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/algorithm.h"
#include "tokenizer/vocabulary.h"

namespace galley {

class SentencePiece final : public Algorithm {
 public:
  // Keeps a pointer to `vocabulary`, which must outlive this.
  explicit SentencePiece(const Vocabulary& vocabulary);

  void encode(std::string_view text, bool after_special, std::vector<TokenId>& ids) const override;
  std::vector<WordSteps> explain(std::string_view text, bool after_special) const override;

 private:
  struct Rules;

  std::string prepare(std::string_view text, bool after_special) const;
  std::size_t end_of_word(std::string_view prepared, std::size_t begin) const;
  void append_ids(std::string_view symbol, std::vector<TokenId>& ids) const;

  const Vocabulary* vocabulary_;
  std::array<std::optional<TokenId>, 256> byte_tokens_;  // the unknown token if there is none
  // The bytes that come right before a "▁" inside a token.
  std::array<bool, 256> joins_mark_{};
};

}  // namespace galley
