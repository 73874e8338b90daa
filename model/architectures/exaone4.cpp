// EXAONE 4 (LG AI Research 2025): norms after each part instead of before, and on each head of Q
// and K. The 32B model has a sliding window and RoPE in three of four layers, and neither in the
// fourth; the small one has RoPE and no window everywhere.
#include "model/architectures/builders.h"
#include "model/architectures/layer_builder.h"

namespace galley {

Graph build_exaone4(const Config& c, const Metadata& meta, Weights& w) {
  GraphBuilder g(c);
  const int rope = g.add_rope(read_rope(c, meta, w, RopeLayout::kHalfSplit));
  const AttentionSpec global = scaled_attention(c);
  AttentionSpec local = global;
  // The first files of the 32B model, known by its depth, lack the key.
  local.window = sliding_window(meta, c.n_layers == 64 ? 4096 : 0);
  const std::vector<bool> windowed = windowed_layers(c, meta, 4);

  Value x = g.embed("embd", w.matrix("token_embd.weight", c.n_vocab, c.width));
  for (int layer = 0; layer < c.n_layers; ++layer) {
    LayerBuilder l(g, c, w, layer);
    const bool is_local = local.window > 0 && windowed[static_cast<std::size_t>(layer)];
    Qkv qkv = l.qkv(x);
    l.rms_norm_heads(qkv);
    if (is_local || local.window == 0) l.rope(qkv, rope);
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
