// Gemma 2 (Gemma Team 2024): norms before and after each part, capped scores and logits, and a
// sliding window in every other layer.
#include <cmath>

#include "model/architectures/builders.h"
#include "model/architectures/layer_builder.h"

namespace galley {

Graph build_gemma2(const Config& c, const Metadata& meta, Weights& w) {
  GraphBuilder g(c);
  const int rope = g.add_rope(read_rope(c, meta, w, RopeLayout::kHalfSplit));
  const std::vector<bool> windowed = windowed_layers(c, meta, 2);
  AttentionSpec global = scaled_attention(c);
  // The 27B model alone, known by its depth, scales by width / heads instead of the head size.
  if (c.n_layers == 46) global.scale = 1 / std::sqrt(static_cast<float>(c.width / c.n_heads));
  global.softcap = static_cast<float>(meta.float_or("attn_logit_softcapping", 50));
  AttentionSpec local = global;
  local.window = sliding_window(meta, 4096);

  Value x = g.embed("embd", w.matrix("token_embd.weight", c.n_vocab, c.width));
  x = g.scale("embd_scaled", x, std::sqrt(static_cast<float>(c.width)));
  for (int layer = 0; layer < c.n_layers; ++layer) {
    LayerBuilder l(g, c, w, layer);
    const bool is_local = windowed[static_cast<std::size_t>(layer)];
    Value h = l.rms_norm("attn_norm", x);
    Qkv qkv = l.qkv(h);
    l.rope(qkv, rope);
    h = l.rms_norm("post_attention_norm", l.attention(qkv, is_local ? local : global));
    x = g.add("attn_residual", x, h);

    h = l.rms_norm("ffn_norm", x);
    h = l.rms_norm("post_ffw_norm", l.gated_ffn(h, Activation::kGeluTanh, c.ffn_width));
    x = g.add("ffn_residual", x, h);
  }
  g.leave();
  x = g.select_outputs("output_rows", x);
  x = g.rms_norm("output_norm", x, &w.vector("output_norm.weight", c.width));
  x = g.matmul("logits_uncapped", x, output_matrix(c, w));
  return g.finish(
      g.softcap("logits", x, static_cast<float>(meta.float_or("final_logit_softcapping", 30))));
}

}  // namespace galley
