// StarCoder 2 (Lozhkov et al. 2024): grouped queries and RoPE in a block like GPT-2's.
#include "model/architectures/builders.h"
#include "model/architectures/layer_builder.h"

namespace galley {

Graph build_starcoder2(const Config& c, const Metadata& meta, Weights& w) {
  GraphBuilder g(c);
  const int rope = g.add_rope(read_rope(c, meta, w, RopeLayout::kHalfSplit));

  Value x = g.embed("embd", w.matrix("token_embd.weight", c.n_vocab, c.width));
  for (int layer = 0; layer < c.n_layers; ++layer) {
    LayerBuilder l(g, c, w, layer, Biases::kNeeded);
    Value h = l.layer_norm("attn_norm", x);
    Qkv qkv = l.qkv(h);
    l.rope(qkv, rope);
    x = g.add("attn_residual", x, l.attention(qkv, scaled_attention(c)));

    h = l.layer_norm("ffn_norm", x);
    x = g.add("ffn_residual", x, l.ffn(h, Activation::kGeluTanh));
  }
  g.leave();
  x = g.select_outputs("output_rows", x);
  x = g.layer_norm("output_norm", x, &w.vector("output_norm.weight", c.width),
                   &w.vector("output_norm.bias", c.width));
  return g.finish(g.matmul("logits", x, output_matrix(c, w)));
}

}  // namespace galley
