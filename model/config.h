// The hyperparameters of a model, read from GGUF metadata and checked.
//
// Where it sits: `read_config` is the second stop of `galley run`, after the GGUF reader. What
// only one architecture knows, that architecture reads itself (model/architectures/), through
// `Metadata`, which gives every missing or senseless key the same kind of error.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/gguf.h"

namespace galley {

// Look-ups of the keys of one architecture: "llama" + "." + "block_count". The file must
// outlive it. All throw Error kBadModel naming the file, the key, what was expected and found.
class Metadata {
 public:
  Metadata(const GgufFile& file, std::string architecture)
      : file_(&file), architecture_(std::move(architecture)) {}

  const GgufFile& file() const { return *file_; }
  const std::string& architecture() const { return architecture_; }
  std::string full_key(std::string_view key) const;

  // An integer in [low, high]. A key that is an array (one value per layer) is accepted if all
  // its values are equal.
  std::int64_t need_int(std::string_view key, std::int64_t low, std::int64_t high) const;
  std::int64_t int_or(std::string_view key, std::int64_t fallback, std::int64_t low,
                      std::int64_t high) const;
  // A finite number.
  double need_float(std::string_view key) const;
  double float_or(std::string_view key, double fallback) const;
  bool bool_or(std::string_view key, bool fallback) const;
  std::string string_or(std::string_view key, std::string_view fallback) const;
  bool has(std::string_view key) const;

  // Throws the error for `key` with `problem` ("is 7, but must divide 64").
  [[noreturn]] void fail(std::string_view key, const std::string& problem) const;

 private:
  std::optional<std::int64_t> find_int(std::string_view key) const;

  const GgufFile* file_;
  std::string architecture_;
};

// What every decoder-only transformer has. Sizes are counts of elements.
struct Config {
  std::string architecture;
  std::string name;  // general.name, or empty
  std::int64_t n_layers = 0;
  std::int64_t width = 0;      // of the residual stream: GGUF's embedding_length
  std::int64_t ffn_width = 0;  // of the hidden layer of the feed-forward part
  std::int64_t n_heads = 0;
  std::int64_t n_kv_heads = 0;   // divides n_heads: grouped-query attention
  std::int64_t head_size_k = 0;  // of queries and keys
  std::int64_t head_size_v = 0;
  std::int64_t n_vocab = 0;          // rows of token_embd.weight
  std::int64_t n_context_train = 0;  // positions the model was trained for
  std::int64_t n_experts = 0;        // 0: dense
  std::int64_t n_experts_used = 0;
  float norm_eps = 0;
};

// Reads and checks the common hyperparameters. `general.architecture` must be one that Galley
// has (architecture.h). Throws Error kBadModel naming the key.
Config read_config(const GgufFile& file);

}  // namespace galley
