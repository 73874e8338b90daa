// Tiny random models of every architecture, with the tensor names and metadata that converters
// write, so that architectures without golden data are tested too.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "tensor/gguf.h"
#include "tensor/gguf_writer.h"

namespace galley::test {

// What to make. The defaults are a llama with grouped queries.
struct RandomModel {
  std::string architecture = "llama";
  DType matrix_type = DType::kF32;  // of the matrices; norms, biases and routers are F32
  std::int64_t n_layers = 2;
  std::int64_t width = 64;
  std::int64_t n_heads = 4;
  std::int64_t n_kv_heads = 2;
  std::int64_t head_size = 16;
  std::int64_t ffn_width = 96;
  std::int64_t n_vocab = 96;
  std::int64_t n_context = 512;
  std::int64_t n_rotated = 16;
  std::int64_t n_experts = 0;
  std::int64_t n_experts_used = 0;
  std::int64_t expert_width = 0;    // 0: ffn_width
  std::int64_t shared_width = 0;    // of the expert that every token uses; 0: none
  std::int64_t n_dense_layers = 0;  // the first ones, without experts
  bool experts_one_by_one = false;  // a tensor for each, as before May 2024

  // Which tensors there are.
  bool layer_norm = false;     // else RMS norm
  bool norm_biases = false;    // only with layer_norm
  bool linear_biases = false;  // of all matrices in the layers
  bool qkv_biases = false;     // of Q, K and V alone
  bool fused_qkv = false;      // attn_qkv instead of three matrices
  bool fused_gate_up = false;  // twice as many rows in ffn_up, no ffn_gate
  bool gated = true;           // ffn_gate
  bool pre_norms = true;       // attn_norm and ffn_norm
  bool ffn_norm = true;        // only with pre_norms
  bool second_attn_norm = false;
  bool post_norms = false;  // post_attention_norm and post_ffw_norm
  bool tied = false;        // no output.weight
  bool output_bias = false;
  bool learned_positions = false;
  enum class QkNorm { kNone, kHead, kEachHead, kRow } qk_norm = QkNorm::kNone;
  std::vector<std::string> rope_factors;  // names of tensors of n_rotated / 2 factors

  // Sets metadata beyond the common keys; the prefix is "ARCHITECTURE.".
  std::function<void(GgufWriter&, const std::string& prefix)> metadata;

  // Tensors that are left out, get one row more, or are there for no reason: for tests of errors.
  std::vector<std::string> missing;
  std::vector<std::string> misshapen;
  std::vector<std::string> extra;
};

// The file's bytes; the same for the same description.
std::vector<std::byte> write_random_model(const RandomModel& model);

// A description under a name.
struct NamedModel {
  std::string name;
  std::string features;  // for docs/models.md
  RandomModel model;
};

// Every architecture, and the variants of each.
const std::vector<NamedModel>& random_models();

}  // namespace galley::test
