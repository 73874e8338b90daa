// The parts that transformer layers are put together from, each with its tensors' GGUF names.
//
// Where it sits: between an architecture (model/architectures/), which says which parts there are
// and how they are wired, and the GraphBuilder, which knows single ops. A part asks for its
// tensors with the shapes it expects; Weights throws Error kBadModel for what does not fit.
#pragma once

#include <cstdint>
#include <string>

#include "model/config.h"
#include "model/graph.h"
#include "model/weights.h"

namespace galley {

// Whether the matrices of an architecture have biases.
enum class Biases {
  kOptional,  // used where the file has them
  kNeeded,    // a missing one is an error
};

// Queries, keys and values: [T, heads * head_size] each.
struct Qkv {
  Value q, k, v;
};

// What a layer's experts look like.
struct ExpertsSpec {
  std::int64_t ffn_width = 0;  // of one expert
  bool normalize = true;       // the chosen experts' weights are made to sum to 1
  Activation activation = Activation::kSilu;
};

class LayerBuilder {
 public:
  // Enters `layer` of `g`: the values made from here on belong to it.
  LayerBuilder(GraphBuilder& g, const Config& c, Weights& w, int layer,
               Biases biases = Biases::kOptional);

  // "blk.3." + suffix.
  std::string tensor(const std::string& suffix) const;

  // Norms of the residual stream with the tensor NAME.weight; layer_norm needs NAME.bias too.
  Value rms_norm(const std::string& name, Value x);
  Value layer_norm(const std::string& name, Value x);
  Value layer_norm_without_bias(const std::string& name, Value x);

  // x W^T + b with the tensors SOURCE.weight and SOURCE.bias: [T, rows].
  Value linear(const std::string& name, const std::string& source, Value x, std::int64_t rows);

  // Projections to queries, keys and values: three matrices, or attn_qkv with q's rows first,
  // then k's, then v's.
  Qkv qkv(Value h);
  // RoPE on q and k.
  void rope(Qkv& qkv, int rope_index);
  // RMS norm of all of q and all of k, with the tensors attn_q_norm and attn_k_norm.
  void rms_norm_qk(Qkv& qkv);
  // RMS norm of each head of q and k, with the tensors attn_q_norm and attn_k_norm [head_size].
  void rms_norm_heads(Qkv& qkv);
  // LayerNorm of each head of q and k if the file has the tensors [heads, head_size].
  void layer_norm_heads(Qkv& qkv);
  // Caches k and v, attends and projects the result back: [T, width].
  Value attention(const Qkv& qkv, const AttentionSpec& spec);

  // down(f(up(h))).
  Value ffn(Value h, Activation f);
  // down(f(gate(h)) * up(h)): SwiGLU, GeGLU (Shazeer 2020). `suffix` is that of the tensors and
  // values ("_shexp" for a shared expert).
  Value gated_ffn(Value h, Activation f, std::int64_t ffn_width, const std::string& suffix = "");
  // The same with one tensor ffn_up that holds the gate's rows, then up's.
  Value fused_gated_ffn(Value h, Activation f);
  // A router picks a few experts for each token, each a gated_ffn; their outputs are summed with
  // the router's weights (Mixtral: Jiang et al. 2024).
  Value experts(Value h, const ExpertsSpec& spec);

 private:
  GraphBuilder& g_;
  const Config& c_;
  Weights& w_;
  int layer_;
  Biases biases_;
};

// 1 / sqrt(head_size), everything before visible.
AttentionSpec scaled_attention(const Config& c);

}  // namespace galley
