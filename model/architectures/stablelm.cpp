// StableLM (Bellagente et al. 2024): LLaMA with LayerNorm and RoPE on a part of each head. The 12B
// model normalizes each head of Q and K and, having no ffn_norm, runs both parts side by side.
#include "model/architectures/builders.h"
#include "model/architectures/layer_builder.h"

namespace galley {

Graph build_stablelm(const Config& c, const Metadata& meta, Weights& w) {
  GraphBuilder g(c);
  const int rope = g.add_rope(read_rope(c, meta, w, RopeLayout::kHalfSplit));

  Value x = g.embed("embd", w.matrix("token_embd.weight", c.n_vocab, c.width));
  for (int layer = 0; layer < c.n_layers; ++layer) {
    LayerBuilder l(g, c, w, layer);
    Value h = l.layer_norm("attn_norm", x);
    Qkv qkv = l.qkv(h);
    l.layer_norm_heads(qkv);
    l.rope(qkv, rope);
    x = g.add("attn_residual", x, l.attention(qkv, scaled_attention(c)));

    if (w.has(l.tensor("ffn_norm.weight"))) h = l.layer_norm("ffn_norm", x);
    x = g.add("ffn_residual", x, l.gated_ffn(h, Activation::kSilu, c.ffn_width));
  }
  g.leave();
  x = g.select_outputs("output_rows", x);
  x = g.layer_norm("output_norm", x, &w.vector("output_norm.weight", c.width),
                   &w.vector("output_norm.bias", c.width));
  return g.finish(g.matmul("logits", x, output_matrix(c, w)));
}

}  // namespace galley
