// Command-R (Cohere 2024): attention and feed-forward part side by side on one LayerNorm without
// bias, scaled logits; the largest model normalizes each head of Q and K. Command-R7B (`cohere2`)
// has a sliding window and RoPE in three of four layers, and neither in the fourth.
#include "model/architectures/builders.h"
#include "model/architectures/layer_builder.h"

namespace galley {
namespace {

// What both end with.
Graph finish(GraphBuilder& g, const Config& c, const Metadata& meta, Weights& w, Value x) {
  g.leave();
  x = g.select_outputs("output_rows", x);
  x = g.layer_norm("output_norm", x, &w.vector("output_norm.weight", c.width), nullptr);
  x = g.matmul("logits_unscaled", x, output_matrix(c, w));
  const double scale = meta.need_float("logit_scale");
  return g.finish(g.scale("logits", x, scale == 0 ? 1 : static_cast<float>(scale)));
}

}  // namespace

Graph build_cohere(const Config& c, const Metadata& meta, Weights& w) {
  GraphBuilder g(c);
  const int rope = g.add_rope(read_rope(c, meta, w, RopeLayout::kInterleaved));

  Value x = g.embed("embd", w.matrix("token_embd.weight", c.n_vocab, c.width));
  for (int layer = 0; layer < c.n_layers; ++layer) {
    LayerBuilder l(g, c, w, layer);
    const Value h = l.layer_norm_without_bias("attn_norm", x);
    Qkv qkv = l.qkv(h);
    l.layer_norm_heads(qkv);
    l.rope(qkv, rope);
    x = g.add("attn_residual", x, l.attention(qkv, scaled_attention(c)));
    x = g.add("ffn_residual", x, l.gated_ffn(h, Activation::kSilu, c.ffn_width));
  }
  return finish(g, c, meta, w, x);
}

Graph build_cohere2(const Config& c, const Metadata& meta, Weights& w) {
  GraphBuilder g(c);
  const int rope = g.add_rope(read_rope(c, meta, w, RopeLayout::kInterleaved));
  const AttentionSpec global = scaled_attention(c);
  AttentionSpec local = global;
  local.window = meta.need_int("attention.sliding_window", 1, kMaxWindow);
  const std::vector<bool> windowed = windowed_layers(c, meta, 4);

  Value x = g.embed("embd", w.matrix("token_embd.weight", c.n_vocab, c.width));
  for (int layer = 0; layer < c.n_layers; ++layer) {
    LayerBuilder l(g, c, w, layer);
    const bool is_local = windowed[static_cast<std::size_t>(layer)];
    const Value h = l.layer_norm_without_bias("attn_norm", x);
    Qkv qkv = l.qkv(h);
    if (is_local) l.rope(qkv, rope);
    x = g.add("attn_residual", x, l.attention(qkv, is_local ? local : global));
    x = g.add("ffn_residual", x, l.gated_ffn(h, Activation::kSilu, c.ffn_width));
  }
  return finish(g, c, meta, w, x);
}

}  // namespace galley
