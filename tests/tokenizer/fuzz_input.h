// Any bytes as a tokenizer and a text for it: what tests/fuzz/fuzz_tokenizer.cpp runs.
//
//   byte 0   which tokenizer: one of the small ones below, or one made from what follows
//   byte 1   bit 0 add_special, bit 1 parse_special
//   rest     the text; before it, for a made one, its metadata (see made_tokenizer)
#pragma once

#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "tensor/error.h"
#include "tests/tokenizer/tiny_vocabulary.h"
#include "tokenizer/pre_tokenizers.h"
#include "tokenizer/stream_decoder.h"
#include "tokenizer/utf8.h"

namespace galley::test {

// Takes values off the front of some bytes; zeros when they run out.
class FuzzBytes {
 public:
  explicit FuzzBytes(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}

  std::uint8_t byte() {
    if (bytes_.empty()) return 0;
    const std::uint8_t first = bytes_[0];
    bytes_ = bytes_.subspan(1);
    return first;
  }
  std::uint32_t word() {
    std::uint32_t value = 0;
    for (int i = 0; i < 4; ++i) value = value << 8 | byte();
    return value;
  }
  std::string text(std::size_t n) {
    n = std::min(n, bytes_.size());
    std::string taken(reinterpret_cast<const char*>(bytes_.data()), n);
    bytes_ = bytes_.subspan(n);
    return taken;
  }
  std::string rest() { return text(bytes_.size()); }

 private:
  std::span<const std::uint8_t> bytes_;
};

// The small vocabularies, all with two special tokens.
inline std::vector<Tokenizer> fuzz_tokenizers() {
  std::vector<Tokenizer> all;
  for (const char* pre : {"gpt-2", "llama-bpe", "deepseek-llm", "tekken", "bloom"}) {
    TinyVocabulary bpe = tiny_bpe({"\u0120 a", "a b", "a a", "aa aa", "\u00C3 \u00A9"}, pre);
    bpe.tokens.insert(bpe.tokens.end(), {"<s>", "  "});
    bpe.types.assign(bpe.tokens.size() - 2, 1);
    bpe.types.insert(bpe.types.end(), {3, 4});
    bpe.writer.set_uint32("tokenizer.ggml.bos_token_id", 261);
    all.push_back(bpe.make());
  }
  for (const char* model : {"llama", "bert", "t5"}) {
    TinyVocabulary vocabulary = tiny_spm({{"\u2581", -3},
                                          {"a", -2},
                                          {"b", -2},
                                          {"ab", -1},
                                          {"\u2581\u0061", -4},
                                          {"aa", -1},
                                          {"b\u2581\u0061", -0.5F}});
    vocabulary.model = model;
    vocabulary.writer.set_string("general.name", "phi-3");  // tokens that strip white space
    vocabulary.writer.set_uint32("tokenizer.ggml.unknown_token_id", 0);
    vocabulary.writer.set_uint32("tokenizer.ggml.bos_token_id", 1);
    vocabulary.writer.set_uint32("tokenizer.ggml.seperator_token_id", 2);
    all.push_back(vocabulary.make());
  }
  return all;
}

// A tokenizer whose whole metadata comes from the input. Nothing if it was refused.
inline std::optional<Tokenizer> made_tokenizer(FuzzBytes& input) {
  TinyVocabulary made;
  constexpr const char* kModels[] = {"gpt2", "llama", "bert", "t5", "no_vocab", "other"};
  made.model = kModels[input.byte() % std::size(kModels)];
  const auto names = pre_tokenizers();
  made.writer.set_string("tokenizer.ggml.pre", names[input.byte() % names.size()].name);
  const std::size_t n_tokens = input.byte();
  for (std::size_t i = 0; i < n_tokens; ++i) {
    const std::uint8_t shape = input.byte();
    made.tokens.push_back(input.text(shape % 8));
    made.types.push_back(shape / 8 % 8);
    float score = -static_cast<float>(shape / 64);
    if (shape >= 0xF8) {
      const std::uint32_t bits = input.word();
      std::memcpy(&score, &bits, sizeof score);
    }
    made.scores.push_back(score);
  }
  for (std::size_t n = input.byte() % 32; n > 0; --n) {
    made.merges.push_back(input.text(input.byte() % 8));
  }
  if (const std::size_t n = input.byte(); n > 0) {
    const std::string map = input.text(n);
    made.writer.set_uint8_array("tokenizer.ggml.precompiled_charsmap",
                                std::vector<std::uint8_t>(map.begin(), map.end()));
  }
  const std::uint8_t flags = input.byte();
  constexpr const char* kFlags[] = {"add_bos_token",        "add_eos_token",
                                    "add_space_prefix",     "remove_extra_whitespaces",
                                    "normalizer.lowercase", "normalizer.strip_accents"};
  for (std::size_t i = 0; i < std::size(kFlags); ++i) {
    made.writer.set_bool(std::string("tokenizer.ggml.") + kFlags[i], (flags >> i & 1) != 0);
  }
  if ((flags & 0x40) != 0) made.writer.set_uint32("tokenizer.ggml.bos_token_id", input.word());
  if ((flags & 0x80) != 0) made.writer.set_string("general.name", "phi-3");
  try {
    return made.make();
  } catch (const Error& error) {
    GALLEY_CHECK(std::string_view(error.what()).find('\n') == std::string_view::npos,
                 "an error of more than one line");
    return std::nullopt;
  }
}

// Encodes and decodes `text` in every way there is; aborts if the ways disagree.
inline void check_tokenizer(const Tokenizer& tokenizer, const std::string& text,
                            EncodeOptions options) {
  const std::vector<TokenId> ids = tokenizer.encode(text, options);
  const std::vector<TokenId> plain = tokenizer.encode(text, {false, options.parse_special});
  std::vector<TokenId> explained;
  std::size_t place = 0;
  for (const WordSteps& word : tokenizer.explain(text, options)) {
    GALLEY_CHECK(place <= word.place.begin && word.place.begin <= word.place.end &&
                     word.place.end <= text.size(),
                 "places out of order");
    place = word.place.end;
    explained.insert(explained.end(), word.ids.begin(), word.ids.end());
  }
  GALLEY_CHECK(explained == plain, "explain gives other ids than encode");

  StreamDecoder pass(tokenizer, /*show_special=*/true);
  StreamDecoder replace(tokenizer, /*show_special=*/true, InvalidBytes::kReplace);
  std::string streamed;
  std::string replaced;
  for (const TokenId id : ids) {
    GALLEY_CHECK(id >= 0 && id < tokenizer.n_tokens(), "an id that does not exist");
    streamed += pass.feed(id);
    replaced += replace.feed(id);
  }
  GALLEY_CHECK(streamed + pass.flush() == tokenizer.decode(ids), "streaming changes the text");
  replaced += replace.flush();
  for (std::size_t i = 0; i < replaced.size();) {
    const Utf8Char c = read_utf8(replaced, i);
    GALLEY_CHECK(c.valid, "the decoder printed half a character");
    i += c.size;
  }
}

// One input, see the top of the file.
inline void check_fuzz_input(std::span<const std::uint8_t> bytes) {
  static const std::vector<Tokenizer> tokenizers = fuzz_tokenizers();
  FuzzBytes input(bytes);
  const std::size_t which = input.byte();
  const std::uint8_t flags = input.byte();
  const EncodeOptions options{(flags & 1) != 0, (flags & 2) != 0};
  if (which >= tokenizers.size()) {
    const std::optional<Tokenizer> made = made_tokenizer(input);
    if (made && made->has_vocab()) check_tokenizer(*made, input.rest(), options);
    return;
  }
  const Tokenizer& tokenizer = tokenizers[which];
  const std::string text = input.rest();
  check_tokenizer(tokenizer, text, options);
  if (tokenizer.kind() == TokenizerKind::kBpe) {  // all bytes are tokens
    const std::vector<TokenId> ids = tokenizer.encode(text, {false, options.parse_special});
    GALLEY_CHECK(tokenizer.decode(ids) == text, "decoding does not give the text back");
  }
}

}  // namespace galley::test
