// OLMoE (Muennighoff et al. 2024): norms on all of Q and K, and experts whose weights are not made
// to sum to 1.
#include "model/architectures/builders.h"
#include "model/architectures/layer_builder.h"

namespace galley {

Graph build_olmoe(const Config& c, const Metadata& meta, Weights& w) {
  GraphBuilder g(c);
  const int rope = g.add_rope(read_rope(c, meta, w, RopeLayout::kHalfSplit));
  check_experts(meta);

  Value x = g.embed("embd", w.matrix("token_embd.weight", c.n_vocab, c.width));
  for (int layer = 0; layer < c.n_layers; ++layer) {
    LayerBuilder l(g, c, w, layer);
    Qkv qkv = l.qkv(l.rms_norm("attn_norm", x));
    l.rms_norm_qk(qkv);
    l.rope(qkv, rope);
    x = g.add("attn_residual", x, l.attention(qkv, scaled_attention(c)));
    const Value h = l.rms_norm("ffn_norm", x);
    x = g.add("ffn_residual", x, l.experts(h, {.ffn_width = c.ffn_width, .normalize = false}));
  }
  g.leave();
  x = g.select_outputs("output_rows", x);
  x = g.rms_norm("output_norm", x, &w.vector("output_norm.weight", c.width));
  return g.finish(g.matmul("logits", x, output_matrix(c, w)));
}

}  // namespace galley
