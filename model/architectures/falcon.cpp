// Falcon (Almazrouei et al. 2023): attention and feed-forward part side by side on one LayerNorm
// (7B), or attention on a second one (40B); one or few heads of keys and values.
#include "model/architectures/builders.h"
#include "model/architectures/layer_builder.h"

namespace galley {

Graph build_falcon(const Config& c, const Metadata& meta, Weights& w) {
  GraphBuilder g(c);
  const int rope = g.add_rope(read_rope(c, meta, w, RopeLayout::kHalfSplit));

  Value x = g.embed("embd", w.matrix("token_embd.weight", c.n_vocab, c.width));
  for (int layer = 0; layer < c.n_layers; ++layer) {
    LayerBuilder l(g, c, w, layer);
    const Value h = l.layer_norm("attn_norm", x);
    const bool has_two = w.has(l.tensor("attn_norm_2.weight"));
    Qkv qkv = l.qkv(has_two ? l.layer_norm("attn_norm_2", x) : h);
    l.rope(qkv, rope);
    x = g.add("attn_residual", x, l.attention(qkv, scaled_attention(c)));
    x = g.add("ffn_residual", x, l.ffn(h, Activation::kGeluTanh));
  }
  g.leave();
  x = g.select_outputs("output_rows", x);
  x = g.layer_norm("output_norm", x, &w.vector("output_norm.weight", c.width),
                   &w.vector("output_norm.bias", c.width));
  return g.finish(g.matmul("logits", x, output_matrix(c, w)));
}

}  // namespace galley
