// LLaMA (Touvron et al. 2023) and what is built the same way: Llama 2 and 3, Mistral, TinyLlama,
// SmolLM, InternLM 2, DeepSeek's distilled Llamas; with experts Mixtral (Jiang et al. 2024).
#include "model/architectures/builders.h"
#include "model/architectures/layer_builder.h"

namespace galley {

Graph build_llama(const Config& c, const Metadata& meta, Weights& w) {
  GraphBuilder g(c);
  const int rope = g.add_rope(read_rope(c, meta, w, RopeLayout::kInterleaved));

  Value x = g.embed("embd", w.matrix("token_embd.weight", c.n_vocab, c.width));  // [T, width]
  for (int layer = 0; layer < c.n_layers; ++layer) {
    LayerBuilder l(g, c, w, layer);
    Value h = l.rms_norm("attn_norm", x);
    Qkv qkv = l.qkv(h);  // [T, heads * head_size] each
    l.rope(qkv, rope);
    x = g.add("attn_residual", x, l.attention(qkv, scaled_attention(c)));

    h = l.rms_norm("ffn_norm", x);
    h = c.n_experts > 0 ? l.experts(h, {.ffn_width = c.ffn_width})
                        : l.gated_ffn(h, Activation::kSilu, c.ffn_width);
    x = g.add("ffn_residual", x, h);
  }
  g.leave();
  x = g.select_outputs("output_rows", x);  // [O, width]
  x = g.rms_norm("output_norm", x, &w.vector("output_norm.weight", c.width));
  return g.finish(g.matmul("logits", x, output_matrix(c, w)));  // [O, n_vocab]
}

}  // namespace galley
