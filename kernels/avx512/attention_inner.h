// The functions of AttentionInner (kernels/attention.h) for AVX-512, 1, 2, 4 or 8 rows at a time.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "kernels/attention.h"
#include "kernels/unroll.h"

namespace galley::kernels::avx512 {

// attention_load.cpp
void load(const KvTensor& kv, const std::byte* rows, std::int64_t n_rows, float* out,
          std::int64_t columns);
void load_turned(const KvTensor& kv, const std::byte* rows, std::int64_t columns, float* scratch,
                 float* out);  // 16 positions
// attention_scores.cpp
void score(const AttentionShape& shape, const AttentionBlock& keys, AttentionRows& rows);
// attention_values.cpp
void weigh(const AttentionShape& shape, const AttentionBlock& values, const AttentionRows& rows);
// quantize_rows.cpp
void quantize_rows(const QuantizeRowsArgs& args, Part part);

// Fetches the next of what is needed soon into the second-level cache.
GALLEY_INLINE inline void ask(Ahead& ahead) {
  if (ahead.at >= ahead.end) return;
  _mm_prefetch(ahead.at, _MM_HINT_T1);
  _mm_prefetch(ahead.at + ahead.step - 64, _MM_HINT_T1);
  ahead.at += ahead.step;
}

}  // namespace galley::kernels::avx512
