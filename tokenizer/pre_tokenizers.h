// The pre-tokenizers: how byte-level BPE cuts a text into words before it merges.
//
// Where it sits: data for regex_split.h. A GGUF file names its pre-tokenizer in
// `tokenizer.ggml.pre`; the table here tells which regular expressions that means. The
// expressions were published with the models (in tokenizer.json); where llama.cpp, which made
// the names, reads one differently, the table follows llama.cpp and says so.
#pragma once

#include <span>
#include <string_view>

namespace galley {

struct PreTokenizer {
  std::string_view name;  // as in `tokenizer.ggml.pre`
  // Applied one after the other: each cuts every piece that the ones before it left into its
  // matches and what lies between them. PCRE2 syntax, Unicode on.
  std::span<const std::string_view> patterns;
  // A word that is a token by itself becomes that token, whatever the merges say.
  bool ignore_merges = false;
  // BOS is added unless `tokenizer.ggml.add_bos_token` says no.
  bool adds_bos = false;
};

// All of them; the first is "default".
std::span<const PreTokenizer> pre_tokenizers();

// The one with this name, or nullptr.
const PreTokenizer* find_pre_tokenizer(std::string_view name);

}  // namespace galley
