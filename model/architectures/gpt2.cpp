// GPT-2 (Radford et al. 2019): learned positions, LayerNorm with bias, fused Q, K and V, GELU.
#include <cmath>

#include "model/architectures/builders.h"

namespace galley {

Graph build_gpt2(const Config& c, const Metadata&, Weights& w) {
  const std::int64_t width = c.width;
  GraphBuilder g(c);
  AttentionSpec attention;
  attention.scale = 1.0f / std::sqrt(static_cast<float>(c.head_size_k));

  Value x = g.embed("embd", w.matrix("token_embd.weight", c.n_vocab, width));  // [T, width]
  x = g.add_positions("embd_positions", x,
                      w.matrix("position_embd.weight", c.n_context_train, width));
  for (int layer = 0; layer < c.n_layers; ++layer) {
    const auto blk = [layer](const char* name) { return block_tensor(layer, name); };
    g.enter(layer);
    Value h = g.layer_norm("attn_norm", x, &w.vector(blk("attn_norm.weight"), width),
                           &w.vector(blk("attn_norm.bias"), width));
    const Value qkv = g.matmul("qkv", h, w.matrix(blk("attn_qkv.weight"), 3 * width, width),
                               &w.vector(blk("attn_qkv.bias"), 3 * width));
    const Value q = g.slice("q", qkv, 0, width);
    const Value k = g.slice("k", qkv, width, width);
    const Value v = g.slice("v", qkv, 2 * width, width);
    const Value cached_k = g.store_k(k, c.n_kv_heads);
    const Value cached_v = g.store_v(v, c.n_kv_heads);
    Value a = g.attention("attn", q, cached_k, cached_v, c.n_heads, attention);
    a = g.matmul("attn_out", a, w.matrix(blk("attn_output.weight"), width, width),
                 &w.vector(blk("attn_output.bias"), width));
    x = g.add("attn_residual", x, a);

    h = g.layer_norm("ffn_norm", x, &w.vector(blk("ffn_norm.weight"), width),
                     &w.vector(blk("ffn_norm.bias"), width));
    h = g.matmul("ffn_up", h, w.matrix(blk("ffn_up.weight"), c.ffn_width, width),
                 &w.vector(blk("ffn_up.bias"), c.ffn_width));
    h = g.activate("ffn_act", Activation::kGeluTanh, h);
    h = g.matmul("ffn_out", h, w.matrix(blk("ffn_down.weight"), width, c.ffn_width),
                 &w.vector(blk("ffn_down.bias"), width));
    x = g.add("ffn_residual", x, h);
  }
  g.leave();
  x = g.select_outputs("output_rows", x);  // [O, width]
  x = g.layer_norm("output_norm", x, &w.vector("output_norm.weight", width),
                   &w.vector("output_norm.bias", width));
  return g.finish(g.matmul("logits", x, output_matrix(c, w)));  // [O, n_vocab]
}

}  // namespace galley
