// What one head of one token does in attention, step by step.
//
// Where it sits: explanations, attention maps and the page read it. The numbers are those of the
// engine: scores by its dot product, softmax in blocks of 64 positions, merged in order
// (docs/attention.md). The engine never stores attention weights; here the weight of a position
// is what its arithmetic gives if the value vectors are unit vectors, so rows sum to 1 up to
// rounding and weights times values give the head's output.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "kernels/scalar/block_products.h"
#include "tensor/blocks.h"
#include "tools/glass/run_data.h"

namespace galley::glass {

// A block of positions [begin, end): its largest score m and its sum l of e^(score - m); then what
// the softmax so far and the block are multiplied by when they are merged, and the merged m and l.
struct AttentionBlock {
  std::int64_t begin = 0;
  std::int64_t end = 0;
  float m = 0;
  float l = 0;
  float keep = 0;  // factor of what was there before
  float take = 0;  // factor of the block
  float merged_m = 0;
  float merged_l = 0;
};

struct AttentionTrace {
  std::int64_t position = 0;  // of the token
  std::int64_t first = 0;     // position it can see: 0, or the begin of the window
  std::int64_t kv_head = 0;
  std::vector<float> scores;        // [position + 1], -inf before `first`
  std::vector<float> exponentials;  // e^(score - m of the block), 0 before `first`
  std::vector<float> weights;       // [position + 1]
  std::vector<AttentionBlock> blocks;
  float inverse = 0;  // 1 / the final l
};

// Of the kAttention op `op`. Throws Error kUsage if what it needs was not recorded.
AttentionTrace trace_attention(const RunData& run, const Op& op, std::int64_t token,
                               std::int64_t head);

// A row of a Q8_0 cache as it lies there, from its values (rounding them again changes nothing: the
// largest code of a block is 127), and a query as it is rounded for such keys.
std::vector<BlockQ8_0> cached_blocks(std::span<const float> row);
std::vector<kernels::scalar::QuantizedBlock> query_blocks(std::span<const float> q);

// q . k as the engine computes it: q [n], k [n] a cached key. n is a multiple of 32 for Q8_0.
float score_product(DType kv_type, std::span<const float> q, std::span<const float> k);

}  // namespace galley::glass
