// Qwen 2 and 2.5 (Yang et al. 2024), DeepSeek's distilled Qwens: LLaMA with biases on Q, K and V
// (EXAONE 3: without). The text part of Qwen2-VL is the same: its three kinds of positions are
// equal in text.
// Qwen2-MoE adds experts, whose weights are not made to sum to 1, beside one that every token uses.
#include "model/architectures/builders.h"
#include "model/architectures/layer_builder.h"

namespace galley {
namespace {

// The shared expert's output times sigmoid(h . w): [T, width].
Value shared_expert(GraphBuilder& g, LayerBuilder& l, Weights& w, Value h, std::int64_t ffn_width) {
  const Value out = l.gated_ffn(h, Activation::kSilu, ffn_width, "_shexp");
  const Value score = g.matmul("ffn_gate_inp_shexp", h,
                               w.matrix(l.tensor("ffn_gate_inp_shexp.weight"), 1, g.width(h)));
  const Value share = g.activate("ffn_share_shexp", Activation::kSigmoid, score);  // [T, 1]
  return g.scale_rows("ffn_scaled_shexp", out, share);
}

Graph build(const Config& c, const Metadata& meta, Weights& w, bool moe) {
  GraphBuilder g(c);
  const int rope = g.add_rope(read_rope(c, meta, w, RopeLayout::kHalfSplit));
  const std::int64_t shared_width =
      moe ? meta.int_or("expert_shared_feed_forward_length", c.ffn_width, 1, kMaxFfnWidth) : 0;
  const ExpertsSpec experts{.ffn_width = moe ? expert_width(c, meta) : 0, .normalize = false};

  Value x = g.embed("embd", w.matrix("token_embd.weight", c.n_vocab, c.width));
  for (int layer = 0; layer < c.n_layers; ++layer) {
    LayerBuilder l(g, c, w, layer);
    Value h = l.rms_norm("attn_norm", x);
    Qkv qkv = l.qkv(h);
    l.rope(qkv, rope);
    x = g.add("attn_residual", x, l.attention(qkv, scaled_attention(c)));

    h = l.rms_norm("ffn_norm", x);
    if (moe) {
      const Value shared = shared_expert(g, l, w, h, shared_width);
      h = g.add("ffn_out", l.experts(h, experts), shared);
    } else {
      h = l.gated_ffn(h, Activation::kSilu, c.ffn_width);
    }
    x = g.add("ffn_residual", x, h);
  }
  g.leave();
  x = g.select_outputs("output_rows", x);
  x = g.rms_norm("output_norm", x, &w.vector("output_norm.weight", c.width));
  return g.finish(
      g.matmul("logits", x, output_matrix(c, w), w.vector_or_null("output.bias", c.n_vocab)));
}

}  // namespace

Graph build_qwen2(const Config& c, const Metadata& meta, Weights& w) {
  return build(c, meta, w, false);
}

Graph build_qwen2moe(const Config& c, const Metadata& meta, Weights& w) {
  return build(c, meta, w, true);
}

}  // namespace galley
