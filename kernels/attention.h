// Attention in tiles: what the fast kernels share.
//
// Where it sits: avx2/attention.cpp and avx512/attention.cpp call attention_in_tiles with their
// inner functions. The walk over tokens, heads and blocks is written once, here, compiled
// for the baseline; all arithmetic that takes time is in the inner functions. Its result is the
// scalar kernel's, bit for bit: each row (one token, one head) meets the same blocks in the same
// order. docs/attention.md has the picture.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/args.h"
#include "kernels/quantized_rows.h"
#include "kernels/read_ahead.h"
#include "kernels/unroll.h"

namespace galley::kernels {

// The most rows (pairs of a token and a query head) that the inner functions take at once.
inline constexpr int kMostRows = 8;

// Rows are padded to a multiple of this many floats, with zeros.
inline constexpr std::int64_t kColumnStep = 16;

// What is the same for all rows and blocks.
struct AttentionShape {
  std::int64_t k_size = 0;     // head size of k,
  std::int64_t k_columns = 0;  // and both, padded
  std::int64_t v_columns = 0;
  float scale = 1;
  float softcap = 0;
  BlockWalk walk{};  // of the blocks of a rounded query

  // Where block b of the rounded query of `row` begins. (Inlined: a copy compiled for one
  // instruction set must not be called by another.)
  GALLEY_INLINE const std::byte* query_block(const std::byte* q8, int row, std::int64_t b) const {
    const std::int64_t place = walk.start[b % 8] + b / 8;
    return q8 + (row * (k_size / 32) + place) * kQuantizedBlockBytes;
  }
};

// Bytes of the cache that will be needed next. The inner loops ask for a little of them in each
// turn: asked for all at once, they would keep the loads of these loops waiting.
struct Ahead {
  const std::byte* at = nullptr;
  const std::byte* end = nullptr;
  std::int64_t step = 0;  // bytes at a time: a line of the cache or two
};

// Asks for the next of them, to the second-level cache.
GALLEY_INLINE inline void ask(Ahead& ahead) {
  if (ahead.at >= ahead.end) return;
  __builtin_prefetch(ahead.at, 0, 2);
  __builtin_prefetch(ahead.at + ahead.step - kLineBytes, 0, 2);
  ahead.at += ahead.step;
}

// The keys or the values of one block of positions.
struct AttentionBlock {
  // Keys: as load_turned leaves them. Values: [kAttentionBlock, columns] of F32, or of F16, or of
  // Q8_0 as load_paired leaves them.
  const std::byte* rows = nullptr;
  DType type{};
  // The same of the next block.
  Ahead* ahead = nullptr;
};

// A few rows that meet the same block, and their running softmax.
struct AttentionRows {
  int count = 0;                       // 1, 2, 4 or 8
  std::int32_t begin[kMostRows] = {};  // row i sees positions begin[i] .. end[i] - 1 of the block;
  std::int32_t end[kMostRows] = {};    // it may see none
  const float* q = nullptr;            // [count, k_columns], and if the keys are Q8_0,
  const std::byte* q8 = nullptr;       // the same, each as round_query leaves it
  float* p = nullptr;                  // [count, kAttentionBlock] scores, then weights
  float* o = nullptr;                  // [count, v_columns] values weighted by e^(score - m)
  float* m = nullptr;                  // [count] largest score so far
  float* l = nullptr;                  // [count] sum of e^(score - m)
  float keep[kMostRows] = {};          // by what to multiply o when the block is merged,
  float take[kMostRows] = {};          // and by what the values of the block
};

// The positions of the block that any of the rows sees.
struct SeenPositions {
  int begin = static_cast<int>(kAttentionBlock);
  int end = 0;
  bool all = true;  // every row sees every position
};

template <int kRows>
GALLEY_INLINE inline SeenPositions seen_by(const AttentionRows& rows) {
  SeenPositions seen;
  for (int row = 0; row < kRows; ++row) {
    seen.all = seen.all && rows.begin[row] == 0 && rows.end[row] == kAttentionBlock;
    if (rows.begin[row] >= rows.end[row]) continue;
    seen.begin = rows.begin[row] < seen.begin ? rows.begin[row] : seen.begin;
    seen.end = rows.end[row] > seen.end ? rows.end[row] : seen.end;
  }
  return seen;
}

// What quantize_rows is asked for a query q[n]: one row, its blocks at `out`.
GALLEY_INLINE inline QuantizeRowsArgs one_query(const float* q, std::int64_t n, std::byte* out) {
  QuantizeRowsArgs args;
  args.x = q;
  args.tokens = 1;
  args.cols = n;
  args.out = {out, 1};
  return args;
}

// The functions of one instruction set.
struct AttentionInner {
  int most_rows = 1;        // the largest count it takes: 4 or 8
  int most_positions = 16;  // how many positions load_turned takes: 8 or 16
  // `n_rows` cached rows of kv (F32 or F16) from `rows` on, as floats: out[n_rows, columns],
  // columns being the padded head size. For values that weigh cannot read where they are.
  void (*load)(const KvTensor& kv, const std::byte* rows, std::int64_t n_rows, float* out,
               std::int64_t columns);
  // most_positions keys, turned, so that the same column of many positions is one register:
  // out[c * kAttentionBlock + position]. Keys of Q8_0 stay integers: out has a dword of so many
  // columns as score multiplies at once, then the scales of the blocks, [columns / 32,
  // kAttentionBlock], then where their sums begin, likewise, if not with zero. `scratch` has room
  // for [most_positions, columns].
  void (*load_turned)(const KvTensor& kv, const std::byte* rows, std::int64_t columns,
                      float* scratch, float* out);
  // Values of Q8_0 of the positions begin .. end - 1 of the block at `rows`, and some around them,
  // for products of pairs: PairedValues (attention_paired.h) at `out`.
  void (*load_paired)(const KvTensor& kv, const std::byte* rows, std::int64_t begin,
                      std::int64_t end, std::int64_t columns, float* out);
  // A query rounded like the inputs of matmuls, for keys of Q8_0: [n / 32] blocks of
  // kQuantizedBlockBytes, as score reads them.
  void (*round_query)(const float* q, std::int64_t n, std::byte* out);
  // From the keys of a block: the weights p, merged m and l, and the factors for o.
  void (*score)(const AttentionShape& shape, const AttentionBlock& keys, AttentionRows& rows);
  // Merges the weighted values of the block into o.
  void (*weigh)(const AttentionShape& shape, const AttentionBlock& values,
                const AttentionRows& rows);
};

void attention_in_tiles(const AttentionArgs& args, Part part, const AttentionInner& inner);

}  // namespace galley::kernels
