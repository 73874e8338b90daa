// Gemma 3 (Gemma Team 2025): RMS norms on each head of Q and K instead of capped scores; five
// layers with a sliding window and plain RoPE of base 10000 for each that sees everything, whose
// RoPE has the file's base and scaling.
#include <cmath>

#include "model/architectures/builders.h"
#include "model/architectures/layer_builder.h"

namespace galley {

Graph build_gemma3(const Config& c, const Metadata& meta, Weights& w) {
  GraphBuilder g(c);
  const RopeSpec rope = read_rope(c, meta, w, RopeLayout::kHalfSplit);
  const int global_rope = g.add_rope(rope);
  const int local_rope =
      g.add_rope(plain_rope(rope.n_rotated, window_rope_base(meta, 10000), rope.layout));
  AttentionSpec global = scaled_attention(c);
  // The 27B model alone, known by its depth, scales by width / heads instead of the head size.
  if (c.n_layers == 62) global.scale = 1 / std::sqrt(static_cast<float>(c.width / c.n_heads));
  AttentionSpec local = global;
  local.window = sliding_window(meta, 0);
  const std::vector<bool> windowed = windowed_layers(c, meta, 6);
  const double cap = meta.float_or("final_logit_softcapping", 0);

  Value x = g.embed("embd", w.matrix("token_embd.weight", c.n_vocab, c.width));
  x = g.scale("embd_scaled", x, std::sqrt(static_cast<float>(c.width)));
  for (int layer = 0; layer < c.n_layers; ++layer) {
    LayerBuilder l(g, c, w, layer);
    const bool is_local = local.window > 0 && windowed[static_cast<std::size_t>(layer)];
    Value h = l.rms_norm("attn_norm", x);
    Qkv qkv = l.qkv(h);
    l.rms_norm_heads(qkv);
    l.rope(qkv, is_local ? local_rope : global_rope);
    h = l.rms_norm("post_attention_norm", l.attention(qkv, is_local ? local : global));
    x = g.add("attn_residual", x, h);

    h = l.rms_norm("ffn_norm", x);
    h = l.rms_norm("post_ffw_norm", l.gated_ffn(h, Activation::kGeluTanh, c.ffn_width));
    x = g.add("ffn_residual", x, h);
  }
  g.leave();
  x = g.select_outputs("output_rows", x);
  x = g.rms_norm("output_norm", x, &w.vector("output_norm.weight", c.width));
  x = g.matmul(cap > 0 ? "logits_uncapped" : "logits", x, output_matrix(c, w));
  return g.finish(cap > 0 ? g.softcap("logits", x, static_cast<float>(cap)) : x);
}

}  // namespace galley
