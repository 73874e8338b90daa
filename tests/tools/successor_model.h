// A model whose every word is known in advance: the next token depends on the last one alone.
//
// It is a llama of one layer whose attention and feed-forward parts are zero. The embedding of
// token i is the unit vector i, and the output matrix leads from i to its successor. The
// vocabulary (SentencePiece) has a token for every byte, the letters a to z, the space and a few
// control tokens; the alphabet follows itself, z ends the text.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "tensor/gguf_writer.h"
#include "tests/tokenizer/tiny_vocabulary.h"

namespace galley::test {

struct SuccessorModel {
  // What follows a token, by their texts; "</s>" ends. Every letter is followed by the next.
  std::map<std::string, std::string> next;
  std::string chat_template;
  std::uint32_t n_context = 256;

  SuccessorModel() {
    for (char c = 'a'; c < 'z'; ++c)
      next[std::string(1, c)] = std::string(1, static_cast<char>(c + 1));
    next["<s>"] = "a";
  }

  void write(const std::string& path) const {
    TinyVocabulary vocabulary = tiny_spm(pieces());
    for (std::size_t i = 0; i < vocabulary.tokens.size(); ++i)
      if (vocabulary.tokens[i].starts_with("<|")) vocabulary.types[i] = 3;
    GgufWriter writer = std::move(vocabulary.writer);
    writer.set_string("general.architecture", "llama");
    writer.set_string("general.name", "successor");
    writer.set_uint32("llama.block_count", 1);
    writer.set_uint32("llama.embedding_length", kWidth);
    writer.set_uint32("llama.context_length", n_context);
    writer.set_uint32("llama.feed_forward_length", kWidth);
    writer.set_uint32("llama.attention.head_count", 10);
    writer.set_float32("llama.attention.layer_norm_rms_epsilon", 1e-6f);
    writer.set_string("tokenizer.ggml.model", "llama");
    writer.set_string_array("tokenizer.ggml.tokens", vocabulary.tokens);
    writer.set_float32_array("tokenizer.ggml.scores", vocabulary.scores);
    writer.set_int32_array("tokenizer.ggml.token_type", vocabulary.types);
    writer.set_bool("tokenizer.ggml.add_space_prefix", false);
    if (!chat_template.empty()) writer.set_string("tokenizer.chat_template", chat_template);

    const auto n_vocab = static_cast<std::int64_t>(vocabulary.tokens.size());
    const std::vector<float> embedding = unit_rows(n_vocab);
    const std::vector<float> output = successor_rows(vocabulary.tokens);
    const std::vector<float> zeros(kWidth * kWidth, 0.0f);
    const std::vector<float> ones(kWidth, 1.0f);
    const auto add = [&](const std::string& name, std::vector<std::int64_t> shape,
                         const std::vector<float>& values) {
      std::size_t n = 1;
      for (std::int64_t d : shape) n *= static_cast<std::size_t>(d);
      writer.add_tensor(name, DType::kF32, shape, std::as_bytes(std::span(values).first(n)));
    };
    add("token_embd.weight", {n_vocab, kWidth}, embedding);
    for (const char* name :
         {"attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"})
      add("blk.0." + std::string(name) + ".weight", {kWidth, kWidth}, zeros);
    add("blk.0.attn_norm.weight", {kWidth}, ones);
    add("blk.0.ffn_norm.weight", {kWidth}, ones);
    add("output_norm.weight", {kWidth}, ones);
    add("output.weight", {n_vocab, kWidth}, output);
    writer.write(path);
  }

 private:
  static constexpr std::uint32_t kWidth = 320;

  static std::vector<std::pair<std::string, float>> pieces() {
    std::vector<std::pair<std::string, float>> all = {{"\u2581", -1.0f}};
    for (char c = 'a'; c <= 'z'; ++c) all.emplace_back(std::string(1, c), -1.0f);
    for (const char* control : {"<|user|>", "<|assistant|>", "<|system|>", "<|end|>"})
      all.emplace_back(control, 0.0f);
    return all;
  }

  static std::vector<float> unit_rows(std::int64_t n) {
    std::vector<float> rows(static_cast<std::size_t>(n) * kWidth, 0.0f);
    for (std::size_t i = 0; i < static_cast<std::size_t>(n); ++i) rows[i * kWidth + i] = 1;
    return rows;
  }

  std::vector<float> successor_rows(const std::vector<std::string>& tokens) const {
    std::vector<float> rows(tokens.size() * kWidth, 0.0f);
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      const auto found = next.find(tokens[i]);
      const std::string target = found == next.end() ? "</s>" : found->second;
      const auto at = std::find(tokens.begin(), tokens.end(), target);
      rows[static_cast<std::size_t>(at - tokens.begin()) * kWidth + i] = 1;
    }
    return rows;
  }
};

}  // namespace galley::test
