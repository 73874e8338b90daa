// The vocabulary of a GGUF file: token texts, scores, types and the tokens with a meaning.
//
// Where it sits: read once from the `tokenizer.*` metadata when a tokenizer is built; all kinds
// of tokenizer look tokens up here. The file is not trusted: counts must agree, ids must be in
// range, and what does not fit is an Error or, if harmless, a warning.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/gguf.h"
#include "tokenizer/string_table.h"
#include "tokenizer/tokenizer.h"

namespace galley {

struct Vocabulary {
  TokenizerKind kind = TokenizerKind::kNone;
  std::string model_name = "no_vocab";
  std::string pre_name;

  // One entry per token, as stored in the file.
  StringTable texts;
  std::vector<float> scores;
  std::vector<TokenType> types;
  std::size_t longest_text = 0;  // in bytes

  std::optional<TokenId> bos, eos, eot, eom, unknown, separator, padding, mask;
  bool adds_bos = false;
  bool adds_eos = false;
  bool adds_space_prefix = false;          // SentencePiece, Unigram
  bool merges_spaces = false;              // Unigram: remove_extra_whitespaces
  bool lowers_case = true;                 // WordPiece
  bool strips_accents = true;              // WordPiece: letters lose their accents ...
  bool drops_marks = false;                // ... and combining marks by themselves are dropped
  std::vector<TokenId> end_of_generation;  // ascending

  // Tokens that swallow the white space before or after them, ascending.
  std::vector<TokenId> strips_left;
  std::vector<TokenId> strips_right;

  std::vector<std::string> warnings;

  TokenId n_tokens() const { return texts.size(); }
  TokenType type(TokenId id) const { return types[static_cast<std::size_t>(id)]; }
  float score(TokenId id) const { return scores[static_cast<std::size_t>(id)]; }
  std::optional<TokenId> find(std::string_view text) const;
  // The token for one byte where the vocabulary spells bytes as <0x0A>, or has the byte itself
  // as a token.
  std::optional<TokenId> find_byte(unsigned char byte) const;
  // The bytes that a token prints, for every kind of vocabulary.
  std::string piece(TokenId id) const;
};

// Reads the vocabulary of `file`; one without tokens if it has none (model "no_vocab").
// Throws Error kBadModel.
Vocabulary read_vocabulary(const GgufFile& file);

}  // namespace galley
