// Nemotron (Parmar et al. 2024), Minitron: LayerNorm (GGUF stores its weights with the 1 already
// added), RoPE on a part of each head, and a feed-forward part with squared ReLU.
#include "model/architectures/builders.h"
#include "model/architectures/layer_builder.h"

namespace galley {

Graph build_nemotron(const Config& c, const Metadata& meta, Weights& w) {
  GraphBuilder g(c);
  const int rope = g.add_rope(read_rope(c, meta, w, RopeLayout::kHalfSplit));

  Value x = g.embed("embd", w.matrix("token_embd.weight", c.n_vocab, c.width));
  for (int layer = 0; layer < c.n_layers; ++layer) {
    LayerBuilder l(g, c, w, layer);
    Qkv qkv = l.qkv(l.layer_norm("attn_norm", x));
    l.rope(qkv, rope);
    x = g.add("attn_residual", x, l.attention(qkv, scaled_attention(c)));
    const Value h = l.layer_norm("ffn_norm", x);
    x = g.add("ffn_residual", x, l.ffn(h, Activation::kReluSquared));
  }
  g.leave();
  x = g.select_outputs("output_rows", x);
  x = g.layer_norm("output_norm", x, &w.vector("output_norm.weight", c.width),
                   &w.vector("output_norm.bias", c.width));
  return g.finish(g.matmul("logits", x, output_matrix(c, w)));
}

}  // namespace galley
