// Small vocabularies made in the tests, and random texts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/gguf.h"
#include "tensor/gguf_writer.h"
#include "tokenizer/byte_level.h"
#include "tokenizer/tokenizer.h"

namespace galley::test {

// The metadata of a GGUF file with a vocabulary; `writer` takes further keys.
struct TinyVocabulary {
  std::string model;
  std::vector<std::string> tokens;
  std::vector<float> scores;        // empty: no such key
  std::vector<std::int32_t> types;  // empty: no such key
  std::vector<std::string> merges;
  GgufWriter writer;

  std::vector<std::byte> bytes() {
    writer.set_string("tokenizer.ggml.model", model);
    if (!tokens.empty()) writer.set_string_array("tokenizer.ggml.tokens", tokens);
    if (!scores.empty()) writer.set_float32_array("tokenizer.ggml.scores", scores);
    if (!types.empty()) writer.set_int32_array("tokenizer.ggml.token_type", types);
    if (model == "gpt2") writer.set_string_array("tokenizer.ggml.merges", merges);
    return writer.to_bytes();
  }
  Tokenizer make() {
    const std::vector<std::byte> file = bytes();
    return Tokenizer::from_gguf(GgufFile::from_memory(file, "tiny.gguf"));
  }
};

// A byte-level BPE vocabulary: the 256 bytes, then what each merge makes.
inline TinyVocabulary tiny_bpe(const std::vector<std::string>& merges,
                               const std::string& pre = "gpt-2") {
  TinyVocabulary vocabulary;
  vocabulary.model = "gpt2";
  vocabulary.writer.set_string("tokenizer.ggml.pre", pre);
  for (int byte = 0; byte < 256; ++byte) {
    const char itself = static_cast<char>(byte);
    vocabulary.tokens.push_back(spell_bytes({&itself, 1}));
  }
  for (const std::string& merge : merges) {
    std::string both = merge;
    both.erase(both.find(' ', 1), 1);
    vocabulary.tokens.push_back(both);
  }
  vocabulary.merges = merges;
  return vocabulary;
}

// A SentencePiece vocabulary: <unk> <s> </s>, the byte tokens, then `pieces` with their scores.
inline TinyVocabulary tiny_spm(const std::vector<std::pair<std::string, float>>& pieces) {
  TinyVocabulary vocabulary;
  vocabulary.model = "llama";
  vocabulary.tokens = {"<unk>", "<s>", "</s>"};
  vocabulary.types = {2, 3, 3};
  for (unsigned byte = 0; byte < 256; ++byte) {
    constexpr std::string_view kHex = "0123456789ABCDEF";
    vocabulary.tokens.push_back(std::string("<0x") + kHex[byte / 16] + kHex[byte % 16] + ">");
    vocabulary.types.push_back(6);
  }
  vocabulary.scores.assign(vocabulary.tokens.size(), 0.0F);
  for (const auto& [text, score] : pieces) {
    vocabulary.tokens.push_back(text);
    vocabulary.types.push_back(1);
    vocabulary.scores.push_back(score);
  }
  return vocabulary;
}

// `n` parts, each one of `parts`.
inline std::string random_text(std::mt19937& random, std::size_t n,
                               const std::vector<std::string>& parts) {
  std::uniform_int_distribution<std::size_t> pick(0, parts.size() - 1);
  std::string text;
  for (std::size_t i = 0; i < n; ++i) text += parts[pick(random)];
  return text;
}

// `n` bytes, any of the 256.
inline std::string random_bytes(std::mt19937& random, std::size_t n) {
  std::uniform_int_distribution<int> pick(0, 255);
  std::string text;
  for (std::size_t i = 0; i < n; ++i) text.push_back(static_cast<char>(pick(random)));
  return text;
}

inline std::string repeat(std::string_view part, std::size_t n) {
  std::string text;
  text.reserve(part.size() * n);
  for (std::size_t i = 0; i < n; ++i) text += part;
  return text;
}

}  // namespace galley::test
