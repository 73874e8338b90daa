// Granite 3 and 4 (IBM 2024): LLaMA with four constants, which scale the embeddings, the scores,
// what each part adds to the residual stream, and (as a divisor) the logits. With experts it is
// `granitemoe`. MiniCPM (Hu et al. 2024) has the same constants.
#include "model/architectures/builders.h"
#include "model/architectures/layer_builder.h"

namespace galley {
namespace {

// `x` times `factor`, where a factor of 0 or 1 means none.
Value scaled(GraphBuilder& g, const std::string& name, Value x, double factor) {
  return factor == 0 || factor == 1 ? x : g.scale(name, x, static_cast<float>(factor));
}

}  // namespace

Graph build_granite(const Config& c, const Metadata& meta, Weights& w) {
  GraphBuilder g(c);
  const int rope = g.add_rope(read_rope(c, meta, w, RopeLayout::kInterleaved));
  // The models without positions say so in this key.
  const bool has_rope = meta.bool_or("rope.scaling.finetuned", true);
  const double residual_scale = meta.float_or("residual_scale", 0);
  const double logit_scale = meta.need_float("logit_scale");
  if (logit_scale == 0) meta.fail("logit_scale", "is 0, but the logits are divided by it");
  AttentionSpec attention = scaled_attention(c);
  if (const double scale = meta.float_or("attention.scale", 0); scale != 0)
    attention.scale = static_cast<float>(scale);
  const std::int64_t shared_width =
      meta.int_or("expert_shared_feed_forward_length", 0, 0, kMaxFfnWidth);

  Value x = g.embed("embd", w.matrix("token_embd.weight", c.n_vocab, c.width));
  x = scaled(g, "embd_scaled", x, meta.float_or("embedding_scale", 0));
  for (int layer = 0; layer < c.n_layers; ++layer) {
    LayerBuilder l(g, c, w, layer);
    Qkv qkv = l.qkv(l.rms_norm("attn_norm", x));
    if (has_rope) l.rope(qkv, rope);
    Value h = scaled(g, "attn_scaled", l.attention(qkv, attention), residual_scale);
    x = g.add("attn_residual", x, h);

    const Value normed = l.rms_norm("ffn_norm", x);
    h = c.n_experts > 0 ? l.experts(normed, {.ffn_width = c.ffn_width})
                        : l.gated_ffn(normed, Activation::kSilu, c.ffn_width);
    if (c.n_experts > 0 && shared_width > 0)
      h = g.add("ffn_out", h, l.gated_ffn(normed, Activation::kSilu, shared_width, "_shexp"));
    x = g.add("ffn_residual", x, scaled(g, "ffn_scaled", h, residual_scale));
  }
  g.leave();
  x = g.select_outputs("output_rows", x);
  x = g.rms_norm("output_norm", x, &w.vector("output_norm.weight", c.width));
  x = g.matmul("logits_unscaled", x, output_matrix(c, w));
  return g.finish(g.scale("logits", x, static_cast<float>(1 / logit_scale)));
}

}  // namespace galley
