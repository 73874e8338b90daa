// LLaMA (Touvron et al. 2023) and what is built the same way: Llama 2 and 3, Mistral, TinyLlama,
// SmolLM, Mixtral. Norm, attention with grouped queries and rotary positions, norm, SwiGLU.
#include <cmath>

#include "model/architectures/builders.h"

namespace galley {
namespace {

// The feed-forward part: down(silu(gate(h)) * up(h)). Shazeer 2020, "GLU Variants".
Value swiglu(GraphBuilder& g, const Config& c, Weights& w, int layer, Value h) {
  const auto blk = [layer](const char* name) { return block_tensor(layer, name); };
  const Value gate = g.matmul("ffn_gate", h, w.matrix(blk("ffn_gate.weight"), c.ffn_width, c.width),
                              w.vector_or_null(blk("ffn_gate.bias"), c.ffn_width));
  const Value up = g.matmul("ffn_up", h, w.matrix(blk("ffn_up.weight"), c.ffn_width, c.width),
                            w.vector_or_null(blk("ffn_up.bias"), c.ffn_width));
  return g.matmul("ffn_out", g.gate("ffn_act", Activation::kSilu, gate, up),
                  w.matrix(blk("ffn_down.weight"), c.width, c.ffn_width),
                  w.vector_or_null(blk("ffn_down.bias"), c.width));
}

// Mixtral (Jiang et al. 2024): the router picks a few experts for each token, each a SwiGLU.
Value experts(GraphBuilder& g, const Config& c, Weights& w, int layer, Value h) {
  const auto blk = [layer](const char* name) { return block_tensor(layer, name); };
  const std::int64_t n = c.n_experts_used;
  const Value scores =
      g.matmul("ffn_router", h, w.matrix(blk("ffn_gate_inp.weight"), c.n_experts, c.width));
  const Value routes = g.route_experts("ffn_routes", scores, RouteSpec{.n_used = n});
  const auto expert = [&](const char* name, Value in, const char* tensor, std::int64_t rows,
                          std::int64_t cols) {
    return g.expert_matmul(name, in, routes, w.experts(blk(tensor), c.n_experts, rows, cols), n);
  };
  const Value gate = expert("ffn_gate", h, "ffn_gate_exps.weight", c.ffn_width, c.width);
  const Value up = expert("ffn_up", h, "ffn_up_exps.weight", c.ffn_width, c.width);
  const Value act = g.gate("ffn_act", Activation::kSilu, gate, up);
  const Value down = expert("ffn_down", act, "ffn_down_exps.weight", c.width, c.ffn_width);
  return g.combine_experts("ffn_out", down, routes, n);
}

}  // namespace

Graph build_llama(const Config& c, const Metadata& meta, Weights& w) {
  const std::int64_t q_width = c.n_heads * c.head_size_k;
  const std::int64_t k_width = c.n_kv_heads * c.head_size_k;
  const std::int64_t v_width = c.n_kv_heads * c.head_size_v;
  GraphBuilder g(c);
  const int rope = g.add_rope(read_rope(c, meta, w, RopeLayout::kInterleaved));
  AttentionSpec attention;
  attention.scale = 1.0f / std::sqrt(static_cast<float>(c.head_size_k));

  Value x = g.embed("embd", w.matrix("token_embd.weight", c.n_vocab, c.width));  // [T, width]
  for (int layer = 0; layer < c.n_layers; ++layer) {
    const auto blk = [layer](const char* name) { return block_tensor(layer, name); };
    g.enter(layer);
    Value h = g.rms_norm("attn_norm", x, &w.vector(blk("attn_norm.weight"), c.width));
    Value q = g.matmul("q", h, w.matrix(blk("attn_q.weight"), q_width, c.width),
                       w.vector_or_null(blk("attn_q.bias"), q_width));
    Value k = g.matmul("k", h, w.matrix(blk("attn_k.weight"), k_width, c.width),
                       w.vector_or_null(blk("attn_k.bias"), k_width));
    const Value v = g.matmul("v", h, w.matrix(blk("attn_v.weight"), v_width, c.width),
                             w.vector_or_null(blk("attn_v.bias"), v_width));
    q = g.rope("q_rope", q, c.n_heads, rope);
    k = g.rope("k_rope", k, c.n_kv_heads, rope);
    const Value cached_k = g.store_k(k, c.n_kv_heads);
    const Value cached_v = g.store_v(v, c.n_kv_heads);
    Value a = g.attention("attn", q, cached_k, cached_v, c.n_heads, attention);
    a = g.matmul("attn_out", a,
                 w.matrix(blk("attn_output.weight"), c.width, c.n_heads * c.head_size_v),
                 w.vector_or_null(blk("attn_output.bias"), c.width));
    x = g.add("attn_residual", x, a);

    h = g.rms_norm("ffn_norm", x, &w.vector(blk("ffn_norm.weight"), c.width));
    h = c.n_experts > 0 ? experts(g, c, w, layer, h) : swiglu(g, c, w, layer, h);
    x = g.add("ffn_residual", x, h);
  }
  g.leave();
  x = g.select_outputs("output_rows", x);  // [O, width]
  x = g.rms_norm("output_norm", x, &w.vector("output_norm.weight", c.width));
  return g.finish(g.matmul("logits", x, output_matrix(c, w)));  // [O, n_vocab]
}

}  // namespace galley
