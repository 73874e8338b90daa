// OLMo 2 and 3 (OLMo Team 2025): norms after each part instead of before, and on all of Q and K;
// OLMo 3 has a sliding window, and RoPE without scaling, in three of four layers.
#include "model/architectures/builders.h"
#include "model/architectures/layer_builder.h"

namespace galley {

Graph build_olmo2(const Config& c, const Metadata& meta, Weights& w) {
  GraphBuilder g(c);
  const RopeSpec rope = read_rope(c, meta, w, RopeLayout::kHalfSplit);
  const int global_rope = g.add_rope(rope);
  const AttentionSpec global = scaled_attention(c);
  AttentionSpec local = global;
  local.window = sliding_window(meta, 0);
  const std::vector<bool> windowed = windowed_layers(c, meta, 4);
  const int local_rope =
      local.window > 0 ? g.add_rope(plain_rope(rope.n_rotated, rope_base(meta), rope.layout)) : -1;

  Value x = g.embed("embd", w.matrix("token_embd.weight", c.n_vocab, c.width));
  for (int layer = 0; layer < c.n_layers; ++layer) {
    LayerBuilder l(g, c, w, layer);
    const bool is_local = local.window > 0 && windowed[static_cast<std::size_t>(layer)];
    Qkv qkv = l.qkv(x);
    l.rms_norm_qk(qkv);
    l.rope(qkv, is_local ? local_rope : global_rope);
    Value h = l.rms_norm("post_attention_norm", l.attention(qkv, is_local ? local : global));
    x = g.add("attn_residual", x, h);

    h = l.rms_norm("post_ffw_norm", l.gated_ffn(x, Activation::kSilu, c.ffn_width));
    x = g.add("ffn_residual", x, h);
  }
  g.leave();
  x = g.select_outputs("output_rows", x);
  x = g.rms_norm("output_norm", x, &w.vector("output_norm.weight", c.width));
  return g.finish(g.matmul("logits", x, output_matrix(c, w)));
}

}  // namespace galley
