// Mistral 3 (Ministral 3, Devstral 2; Mistral AI 2025): LLaMA with YaRN, and queries that grow
// with their position so that attention stays sharp over long contexts.
#include "model/architectures/builders.h"
#include "model/architectures/layer_builder.h"

namespace galley {

Graph build_mistral3(const Config& c, const Metadata& meta, Weights& w) {
  GraphBuilder g(c);
  const int rope = g.add_rope(read_rope(c, meta, w, RopeLayout::kInterleaved));
  const double growth = meta.float_or("attention.temperature_scale", 0);
  const std::int64_t interval =
      growth == 0 ? 0
                  : meta.need_int("rope.scaling.original_context_length", 1, std::int64_t{1} << 31);

  Value x = g.embed("embd", w.matrix("token_embd.weight", c.n_vocab, c.width));
  for (int layer = 0; layer < c.n_layers; ++layer) {
    LayerBuilder l(g, c, w, layer);
    Value h = l.rms_norm("attn_norm", x);
    Qkv qkv = l.qkv(h);
    l.rope(qkv, rope);
    if (growth != 0)
      qkv.q = g.scale_by_position("q_scaled", qkv.q, static_cast<float>(growth), interval);
    x = g.add("attn_residual", x, l.attention(qkv, scaled_attention(c)));

    h = l.rms_norm("ffn_norm", x);
    h = c.n_experts > 0 ? l.experts(h, {.ffn_width = c.ffn_width})
                        : l.gated_ffn(h, Activation::kSilu, c.ffn_width);
    x = g.add("ffn_residual", x, h);
  }
  g.leave();
  x = g.select_outputs("output_rows", x);
  x = g.rms_norm("output_norm", x, &w.vector("output_norm.weight", c.width));
  return g.finish(g.matmul("logits", x, output_matrix(c, w)));
}

}  // namespace galley
