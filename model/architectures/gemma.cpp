// Gemma (Gemma Team 2024): LLaMA with scaled embeddings and GELU gates. GGUF stores the norms'
// weights with the 1 already added.
#include <cmath>

#include "model/architectures/builders.h"
#include "model/architectures/layer_builder.h"

namespace galley {

Graph build_gemma(const Config& c, const Metadata& meta, Weights& w) {
  GraphBuilder g(c);
  const int rope = g.add_rope(read_rope(c, meta, w, RopeLayout::kHalfSplit));

  Value x = g.embed("embd", w.matrix("token_embd.weight", c.n_vocab, c.width));
  x = g.scale("embd_scaled", x, std::sqrt(static_cast<float>(c.width)));
  for (int layer = 0; layer < c.n_layers; ++layer) {
    LayerBuilder l(g, c, w, layer);
    Value h = l.rms_norm("attn_norm", x);
    Qkv qkv = l.qkv(h);
    l.rope(qkv, rope);
    x = g.add("attn_residual", x, l.attention(qkv, scaled_attention(c)));

    h = l.rms_norm("ffn_norm", x);
    x = g.add("ffn_residual", x, l.gated_ffn(h, Activation::kGeluTanh, c.ffn_width));
  }
  g.leave();
  x = g.select_outputs("output_rows", x);
  x = g.rms_norm("output_norm", x, &w.vector("output_norm.weight", c.width));
  return g.finish(g.matmul("logits", x, output_matrix(c, w)));
}

}  // namespace galley
