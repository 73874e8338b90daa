// GPT-NeoX (Black et al. 2022), Pythia, Dolly: RoPE on a part of each head; attention and
// feed-forward part side by side, each with its own LayerNorm of x, or one after the other.
#include "model/architectures/builders.h"
#include "model/architectures/layer_builder.h"

namespace galley {

Graph build_gptneox(const Config& c, const Metadata& meta, Weights& w) {
  GraphBuilder g(c);
  const int rope = g.add_rope(read_rope(c, meta, w, RopeLayout::kHalfSplit));
  const bool parallel = meta.bool_or("use_parallel_residual", true);

  Value x = g.embed("embd", w.matrix("token_embd.weight", c.n_vocab, c.width));
  for (int layer = 0; layer < c.n_layers; ++layer) {
    LayerBuilder l(g, c, w, layer, Biases::kNeeded);
    Qkv qkv = l.qkv(l.layer_norm("attn_norm", x));
    l.rope(qkv, rope);
    const Value attended = g.add("attn_residual", x, l.attention(qkv, scaled_attention(c)));
    const Value h = l.layer_norm("ffn_norm", parallel ? x : attended);
    x = g.add("ffn_residual", attended, l.ffn(h, Activation::kGeluTanh));
  }
  g.leave();
  x = g.select_outputs("output_rows", x);
  x = g.layer_norm("output_norm", x, &w.vector("output_norm.weight", c.width),
                   &w.vector("output_norm.bias", c.width));
  return g.finish(g.matmul("logits", x, output_matrix(c, w)));
}

}  // namespace galley
