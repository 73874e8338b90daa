// Qwen 3 (Yang et al. 2025): each head of Q and K is RMS-normalized before RoPE; no biases; the
// head size is given by itself. Qwen3-MoE has experts in every layer. The text parts of Qwen3-VL
// are the same: its three kinds of positions are equal in text.
#include "model/architectures/builders.h"
#include "model/architectures/layer_builder.h"

namespace galley {
namespace {

Graph build(const Config& c, const Metadata& meta, Weights& w, bool moe) {
  GraphBuilder g(c);
  const int rope = g.add_rope(read_rope(c, meta, w, RopeLayout::kHalfSplit));
  const ExpertsSpec experts{.ffn_width = moe ? expert_width(c, meta) : 0};

  Value x = g.embed("embd", w.matrix("token_embd.weight", c.n_vocab, c.width));
  for (int layer = 0; layer < c.n_layers; ++layer) {
    LayerBuilder l(g, c, w, layer);
    Value h = l.rms_norm("attn_norm", x);
    Qkv qkv = l.qkv(h);
    l.rms_norm_heads(qkv);
    l.rope(qkv, rope);
    x = g.add("attn_residual", x, l.attention(qkv, scaled_attention(c)));

    h = l.rms_norm("ffn_norm", x);
    h = moe ? l.experts(h, experts) : l.gated_ffn(h, Activation::kSilu, c.ffn_width);
    x = g.add("ffn_residual", x, h);
  }
  g.leave();
  x = g.select_outputs("output_rows", x);
  x = g.rms_norm("output_norm", x, &w.vector("output_norm.weight", c.width));
  return g.finish(g.matmul("logits", x, output_matrix(c, w)));
}

}  // namespace

Graph build_qwen3(const Config& c, const Metadata& meta, Weights& w) {
  return build(c, meta, w, false);
}

Graph build_qwen3moe(const Config& c, const Metadata& meta, Weights& w) {
  return build(c, meta, w, true);
}

}  // namespace galley
