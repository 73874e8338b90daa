// Text to token ids and back, with the vocabulary of a GGUF file.
//
// Where it sits: between the prompt and the model, and between the sampled id and the printed
// text. `Tokenizer::encode` turns text into ids, `piece` and `StreamDecoder` turn ids into
// bytes. How each kind of tokenizer works, with merges walked step by step, is told in
// docs/tokenizer.md. The steps of one text can be looked at with `explain`.
//
// A tokenizer is immutable once built: every const function may be called from many threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/gguf.h"

namespace galley {

using TokenId = std::int32_t;

// The kind of a token, with the numbers of `tokenizer.ggml.token_type`.
enum class TokenType : std::uint8_t {
  kUndefined = 0,
  kNormal = 1,
  kUnknown = 2,      // stands for what the vocabulary cannot say
  kControl = 3,      // <s>, <|im_start|>: matched in text only with parse_special, not printed
  kUserDefined = 4,  // matched in text before anything else, printed as it is
  kUnused = 5,
  kByte = 6,  // <0x00> .. <0xFF>
};

// The algorithms, by `tokenizer.ggml.model`.
enum class TokenizerKind {
  kNone,           // "no_vocab": ids only
  kBpe,            // "gpt2": byte-level byte-pair encoding
  kSentencePiece,  // "llama": merges by score over UTF-8 characters, byte fallback
  kWordPiece,      // "bert": longest match per word
  kUnigram,        // "t5": the likeliest segmentation
};

struct EncodeOptions {
  bool add_special = true;    // add BOS, EOS (or CLS, SEP) as the model says
  bool parse_special = true;  // control-token text in the input becomes the token
};

// A part of a text that is encoded by itself: bytes [begin, end) of the text given.
struct PreToken {
  std::size_t begin = 0;
  std::size_t end = 0;
  std::optional<TokenId> special;  // the special token matched here, instead of text
};

// One merge: the symbols at `index` and `index + 1` became `result`.
struct MergeStep {
  std::size_t index = 0;
  std::int32_t rank = -1;  // BPE: the line in the list of merges, 0 is applied first; else -1
  float score = 0;         // SentencePiece: the score of the result, the highest goes first
  std::string result;      // as the vocabulary spells it
};

// How one pre-token became ids.
struct WordSteps {
  PreToken place;
  std::string word;                  // as the algorithm sees it: bytes spelled, spaces escaped
  std::vector<std::string> symbols;  // what merging starts from: single characters, or the
                                     // whole word; empty for the kinds that do not merge
  std::vector<MergeStep> merges;     // in the order they were applied
  std::vector<TokenId> ids;
};

class Tokenizer {
 public:
  // Builds the tokenizer described by the `tokenizer.*` keys of `file`; nothing keeps pointing
  // into the file. Throws Error kBadModel, naming the key and the remedy, if a key is missing
  // or malformed or the model is of an unknown kind. What is odd but usable is told in
  // warnings().
  static Tokenizer from_gguf(const GgufFile& file);

  Tokenizer(Tokenizer&&) noexcept;
  Tokenizer& operator=(Tokenizer&&) noexcept;
  ~Tokenizer();

  // The ids of `text`, which may hold any bytes, NUL and invalid UTF-8 too. Takes O(n log n).
  // Throws Error kUsage for a text of 1 GiB or more. REQUIRES: has_vocab().
  std::vector<TokenId> encode(std::string_view text, EncodeOptions options = {}) const;

  // The bytes of one token as they are printed. Control and unknown tokens give their text if
  // `show_special`, else nothing. May be half a UTF-8 character: print through StreamDecoder.
  // An id outside the vocabulary gives nothing.
  std::string_view piece(TokenId id, bool show_special = true) const;
  // The joined pieces of `ids`.
  std::string decode(std::span<const TokenId> ids, bool show_special = true) const;

  // The steps of encode, for showing: how the text is cut, and how each part becomes ids. Without
  // the BOS and EOS that add_special adds. REQUIRES: has_vocab().
  std::vector<WordSteps> explain(std::string_view text, EncodeOptions options = {}) const;

  bool has_vocab() const { return kind() != TokenizerKind::kNone; }
  TokenizerKind kind() const;
  // `tokenizer.ggml.model`, such as "gpt2"; "no_vocab" if the file has no tokenizer.
  const std::string& model_name() const;
  // `tokenizer.ggml.pre` as the file has it; empty if absent.
  const std::string& pre_name() const;
  // One line each, for the user: an unknown pre-tokenizer, an id that was ignored.
  const std::vector<std::string>& warnings() const;

  // Number of tokens; 0 without a vocabulary.
  TokenId n_tokens() const;
  // The text of a token as stored in the file. REQUIRES: 0 <= id < n_tokens(), here and below.
  std::string_view token_text(TokenId id) const;
  TokenType token_type(TokenId id) const;
  float token_score(TokenId id) const;
  // The token whose stored text is exactly `text`.
  std::optional<TokenId> find(std::string_view text) const;

  std::optional<TokenId> bos() const;  // begin of sequence (CLS for WordPiece)
  std::optional<TokenId> eos() const;  // end of sequence
  std::optional<TokenId> eot() const;  // end of turn
  std::optional<TokenId> eom() const;  // end of message (a tool call)
  std::optional<TokenId> unknown() const;
  std::optional<TokenId> separator() const;
  std::optional<TokenId> padding() const;
  std::optional<TokenId> mask() const;
  bool adds_bos() const;
  bool adds_eos() const;
  // Whether generation stops at `id`: EOS, EOT, EOM and tokens known by their text, such as
  // <|im_end|>. Any id may be asked.
  bool is_end_of_generation(TokenId id) const;
  // All of them, ascending.
  const std::vector<TokenId>& end_of_generation_ids() const;

 private:
  struct Impl;
  explicit Tokenizer(std::unique_ptr<const Impl> impl);
  std::unique_ptr<const Impl> impl_;
};

}  // namespace galley
