// GPT-2 (Radford et al. 2019): learned positions, LayerNorm, GELU, biases everywhere. StarCoder
// (Li et al. 2023) is the same with one head of keys and values for all queries.
#include "model/architectures/builders.h"
#include "model/architectures/layer_builder.h"

namespace galley {

Graph build_gpt2(const Config& c, const Metadata&, Weights& w) {
  GraphBuilder g(c);

  Value x = g.embed("embd", w.matrix("token_embd.weight", c.n_vocab, c.width));  // [T, width]
  x = g.add_positions("embd_positions", x,
                      w.matrix("position_embd.weight", c.n_context_train, c.width));
  for (int layer = 0; layer < c.n_layers; ++layer) {
    LayerBuilder l(g, c, w, layer, Biases::kNeeded);
    Value h = l.layer_norm("attn_norm", x);
    x = g.add("attn_residual", x, l.attention(l.qkv(h), scaled_attention(c)));

    h = l.layer_norm("ffn_norm", x);
    x = g.add("ffn_residual", x, l.ffn(h, Activation::kGeluTanh));
  }
  g.leave();
  x = g.select_outputs("output_rows", x);  // [O, width]
  x = g.layer_norm("output_norm", x, &w.vector("output_norm.weight", c.width),
                   &w.vector("output_norm.bias", c.width));
  return g.finish(g.matmul("logits", x, output_matrix(c, w)));  // [O, n_vocab]
}

}  // namespace galley
