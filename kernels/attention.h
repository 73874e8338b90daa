// Attention in tiles: what the fast kernels share.
//
// Where it sits: avx2/attention.cpp and avx512/attention.cpp call attention_in_tiles with their
// two inner functions. The walk over tokens, heads and blocks is written once, here, compiled
// for the baseline; all arithmetic that takes time is in the inner functions. Its result is the
// scalar kernel's, bit for bit: each row (one token, one head) meets the same blocks in the same
// order. docs/attention.md has the picture.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/args.h"

namespace galley::kernels {

// Rows (pairs of token and query head) that the inner function works on at once.
inline constexpr int kRowsAtOnce = 4;

// Rows are padded to a multiple of this many floats, with zeros.
inline constexpr std::int64_t kColumnStep = 16;

// One block of cached positions as floats.
struct AttentionBlock {
  const float* k = nullptr;  // [kAttentionBlock, k_stride]
  const float* v = nullptr;  // [kAttentionBlock, v_stride]
  std::int64_t k_stride = 0;
  std::int64_t v_stride = 0;
  std::int64_t k_columns = 0;  // head sizes, padded
  std::int64_t v_columns = 0;
  float scale = 1;
  float softcap = 0;
};

// Up to kRowsAtOnce rows that meet the same block, and their running softmax.
struct AttentionRows {
  int count = 0;
  const float* q = nullptr;              // [count, k_columns]
  float* o = nullptr;                    // [count, v_columns] values weighted by e^(score - m)
  float* m = nullptr;                    // [count] largest score so far
  float* l = nullptr;                    // [count] sum of e^(score - m)
  std::int32_t begin[kRowsAtOnce] = {};  // row i sees positions begin[i] .. end[i] - 1 of the
  std::int32_t end[kRowsAtOnce] = {};    // block; it may see none
};

struct AttentionInner {
  // `n_rows` cached rows of kv from `rows` on, as floats: out[n_rows, stride], stride being the
  // padded head size.
  void (*load_rows)(const KvTensor& kv, const std::byte* rows, std::int64_t n_rows, float* out,
                    std::int64_t stride);
  // Merges what `rows` see of `block` into their running softmax.
  void (*attend)(const AttentionBlock& block, const AttentionRows& rows);
};

void attention_in_tiles(const AttentionArgs& args, Part part, const AttentionInner& inner);

}  // namespace galley::kernels
