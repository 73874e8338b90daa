// DeepSeek-MoE (Dai et al. 2024): LLaMA whose layers, but for the first few, have many small
// experts, weights that are not made to sum to 1, and an expert that every token uses.
#include "model/architectures/builders.h"
#include "model/architectures/layer_builder.h"

namespace galley {

Graph build_deepseek(const Config& c, const Metadata& meta, Weights& w) {
  GraphBuilder g(c);
  const int rope = g.add_rope(read_rope(c, meta, w, RopeLayout::kInterleaved));
  const std::int64_t n_dense = meta.int_or("leading_dense_block_count", 0, 0, c.n_layers);
  const ExpertsSpec experts{.ffn_width = expert_width(c, meta), .normalize = false};
  const std::int64_t shared_width =
      experts.ffn_width * meta.need_int("expert_shared_count", 1, c.n_experts);

  Value x = g.embed("embd", w.matrix("token_embd.weight", c.n_vocab, c.width));
  for (int layer = 0; layer < c.n_layers; ++layer) {
    LayerBuilder l(g, c, w, layer);
    Qkv qkv = l.qkv(l.rms_norm("attn_norm", x));
    l.rope(qkv, rope);
    x = g.add("attn_residual", x, l.attention(qkv, scaled_attention(c)));

    Value h = l.rms_norm("ffn_norm", x);
    if (layer < n_dense) {
      h = l.gated_ffn(h, Activation::kSilu, c.ffn_width);
    } else {
      const Value shared = l.gated_ffn(h, Activation::kSilu, shared_width, "_shexp");
      h = g.add("ffn_out", l.experts(h, experts), shared);
    }
    x = g.add("ffn_residual", x, h);
  }
  g.leave();
  x = g.select_outputs("output_rows", x);
  x = g.rms_norm("output_norm", x, &w.vector("output_norm.weight", c.width));
  return g.finish(g.matmul("logits", x, output_matrix(c, w)));
}

}  // namespace galley
