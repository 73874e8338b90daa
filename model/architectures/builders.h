// One declaration per architecture file, and what several of them share.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/config.h"
#include "model/graph.h"
#include "model/weights.h"

namespace galley {

// No model comes near these; a file beyond them is damaged or hostile.
inline constexpr std::int64_t kMaxFfnWidth = std::int64_t{1} << 20;
inline constexpr std::int64_t kMaxWindow = std::int64_t{1} << 31;

Graph build_chatglm(const Config& c, const Metadata& meta, Weights& w);
Graph build_cohere(const Config& c, const Metadata& meta, Weights& w);
Graph build_cohere2(const Config& c, const Metadata& meta, Weights& w);
Graph build_deepseek(const Config& c, const Metadata& meta, Weights& w);
Graph build_exaone4(const Config& c, const Metadata& meta, Weights& w);
Graph build_falcon(const Config& c, const Metadata& meta, Weights& w);
Graph build_gemma(const Config& c, const Metadata& meta, Weights& w);
Graph build_gemma2(const Config& c, const Metadata& meta, Weights& w);
Graph build_gemma3(const Config& c, const Metadata& meta, Weights& w);
Graph build_glm4(const Config& c, const Metadata& meta, Weights& w);
Graph build_gpt2(const Config& c, const Metadata& meta, Weights& w);
Graph build_gptneox(const Config& c, const Metadata& meta, Weights& w);
Graph build_granite(const Config& c, const Metadata& meta, Weights& w);
Graph build_llama(const Config& c, const Metadata& meta, Weights& w);
Graph build_mistral3(const Config& c, const Metadata& meta, Weights& w);
Graph build_nemotron(const Config& c, const Metadata& meta, Weights& w);
Graph build_olmo2(const Config& c, const Metadata& meta, Weights& w);
Graph build_olmoe(const Config& c, const Metadata& meta, Weights& w);
Graph build_phi2(const Config& c, const Metadata& meta, Weights& w);
Graph build_phi3(const Config& c, const Metadata& meta, Weights& w);
Graph build_qwen2(const Config& c, const Metadata& meta, Weights& w);
Graph build_qwen2moe(const Config& c, const Metadata& meta, Weights& w);
Graph build_qwen3(const Config& c, const Metadata& meta, Weights& w);
Graph build_qwen3moe(const Config& c, const Metadata& meta, Weights& w);
Graph build_smollm3(const Config& c, const Metadata& meta, Weights& w);
Graph build_stablelm(const Config& c, const Metadata& meta, Weights& w);
Graph build_starcoder2(const Config& c, const Metadata& meta, Weights& w);

// "blk.3." + suffix, the GGUF name of a tensor of a layer.
std::string block_tensor(int layer, const std::string& suffix);

// The angles of rotary position embedding as the metadata describes them (rope.freq_base,
// rope.dimension_count, rope.scaling.*; and the tensors rope_freqs.weight, rope_factors_long and
// rope_factors_short if the file has them). Frequencies: base^(-2i / n_rotated), changed by the
// scaling: linear divides them by the factor; YaRN (Peng et al. 2023) divides the slow ones only;
// Llama 3.1 and long-rope divide each by its own stored factor.
// Throws Error kBadModel for senseless values or an unknown scaling.
RopeSpec read_rope(const Config& c, const Metadata& meta, Weights& w, RopeLayout layout);

// rope.freq_base, or 10000; and that of the layers with a sliding window, rope.freq_base_swa.
double rope_base(const Metadata& meta);
double window_rope_base(const Metadata& meta, double fallback);

// base^(-2i / n_rotated) for each pair i, unscaled.
RopeSpec plain_rope(std::int64_t n_rotated, double base, RopeLayout layout);

// Which layers see only a sliding window: attention.sliding_window_pattern, either one flag per
// layer, or a period n: every n-th layer sees everything. [n_layers]
std::vector<bool> windowed_layers(const Config& c, const Metadata& meta,
                                  std::int64_t default_period);

// attention.sliding_window in positions (a token sees itself and window - 1 before it); 0: none.
std::int64_t sliding_window(const Metadata& meta, std::int64_t fallback);

// The hidden width of one expert: expert_feed_forward_length, or feed_forward_length shared among
// the experts in use. Throws as check_experts does.
std::int64_t expert_width(const Config& c, const Metadata& meta);

// Throws Error kBadModel if the file names no experts.
void check_experts(const Metadata& meta);

// output.weight, or token_embd.weight where the file ties them: [n_vocab, width].
const Tensor& output_matrix(const Config& c, Weights& w);

}  // namespace galley
