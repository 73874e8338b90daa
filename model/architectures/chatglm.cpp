// ChatGLM 3 and GLM-4 (GLM Team 2024): LLaMA with RoPE on half of each head and the feed-forward
// part's gate and up in one matrix. The 0414 models (`glm4`) add norms after each part.
#include "model/architectures/builders.h"
#include "model/architectures/layer_builder.h"

namespace galley {
namespace {

Graph build(const Config& c, const Metadata& meta, Weights& w, bool post_norms) {
  GraphBuilder g(c);
  const int rope = g.add_rope(read_rope(c, meta, w, RopeLayout::kInterleaved));

  Value x = g.embed("embd", w.matrix("token_embd.weight", c.n_vocab, c.width));
  for (int layer = 0; layer < c.n_layers; ++layer) {
    LayerBuilder l(g, c, w, layer);
    Qkv qkv = l.qkv(l.rms_norm("attn_norm", x));
    l.rope(qkv, rope);
    Value h = l.attention(qkv, scaled_attention(c));
    x = g.add("attn_residual", x, post_norms ? l.rms_norm("post_attention_norm", h) : h);

    h = l.fused_gated_ffn(l.rms_norm("ffn_norm", x), Activation::kSilu);
    x = g.add("ffn_residual", x, post_norms ? l.rms_norm("post_ffw_norm", h) : h);
  }
  g.leave();
  x = g.select_outputs("output_rows", x);
  x = g.rms_norm("output_norm", x, &w.vector("output_norm.weight", c.width));
  return g.finish(g.matmul("logits", x, output_matrix(c, w)));
}

}  // namespace

Graph build_chatglm(const Config& c, const Metadata& meta, Weights& w) {
  return build(c, meta, w, false);
}

Graph build_glm4(const Config& c, const Metadata& meta, Weights& w) {
  return build(c, meta, w, true);
}

}  // namespace galley
