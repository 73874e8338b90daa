// Phi-3, 3.5 and 4 (Abdin et al. 2024): LLaMA with Q, K and V in one matrix, the feed-forward
// part's gate and up in another, a sliding window in every layer, and long-rope.
#include "model/architectures/builders.h"
#include "model/architectures/layer_builder.h"

namespace galley {

Graph build_phi3(const Config& c, const Metadata& meta, Weights& w) {
  GraphBuilder g(c);
  const int rope = g.add_rope(read_rope(c, meta, w, RopeLayout::kHalfSplit));
  AttentionSpec attention = scaled_attention(c);
  // The first files of Phi-3-mini-4k lack the key.
  attention.window = sliding_window(meta, c.n_context_train == 4096 ? 2047 : 0);

  Value x = g.embed("embd", w.matrix("token_embd.weight", c.n_vocab, c.width));
  for (int layer = 0; layer < c.n_layers; ++layer) {
    LayerBuilder l(g, c, w, layer);
    Value h = l.rms_norm("attn_norm", x);
    Qkv qkv = l.qkv(h);
    l.rope(qkv, rope);
    x = g.add("attn_residual", x, l.attention(qkv, attention));

    h = l.rms_norm("ffn_norm", x);
    x = g.add("ffn_residual", x, l.fused_gated_ffn(h, Activation::kSilu));
  }
  g.leave();
  x = g.select_outputs("output_rows", x);
  x = g.rms_norm("output_norm", x, &w.vector("output_norm.weight", c.width));
  return g.finish(g.matmul("logits", x, output_matrix(c, w)));
}

}  // namespace galley
