// One declaration per architecture file, and what several of them share.
#pragma once

#include <cstdint>
#include <string>

#include "model/config.h"
#include "model/graph.h"
#include "model/weights.h"

namespace galley {

Graph build_gpt2(const Config& c, const Metadata& meta, Weights& w);
Graph build_llama(const Config& c, const Metadata& meta, Weights& w);

// "blk.3." + suffix, the GGUF name of a tensor of a layer.
std::string block_tensor(int layer, const std::string& suffix);

// The angles of rotary position embedding as the metadata describes them (rope.freq_base,
// rope.dimension_count, rope.scaling.*; and the tensors rope_freqs.weight, rope_factors_long and
// rope_factors_short if the file has them). Frequencies: base^(-2i / n_rotated), changed by the
// scaling: linear divides them by the factor; YaRN (Peng et al. 2023) divides the slow ones only;
// Llama 3.1 and long-rope divide each by its own stored factor.
// Throws Error kBadModel for senseless values or an unknown scaling.
RopeSpec read_rope(const Config& c, const Metadata& meta, Weights& w, RopeLayout layout);

// base^(-2i / n_rotated) for each pair i, unscaled.
RopeSpec plain_rope(std::int64_t n_rotated, double base, RopeLayout layout);

// output.weight, or token_embd.weight where the file ties them: [n_vocab, width].
const Tensor& output_matrix(const Config& c, Weights& w);

}  // namespace galley
