// The functions of AttentionInner (kernels/attention.h) for AVX2, 1, 2 or 4 rows at a time.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "kernels/attention.h"
#include "kernels/unroll.h"

namespace galley::kernels::avx2 {

// attention_load.cpp
void load(const KvTensor& kv, const std::byte* rows, std::int64_t n_rows, float* out,
          std::int64_t columns);
void load_turned(const KvTensor& kv, const std::byte* rows, std::int64_t columns, float* scratch,
                 float* out);  // 8 positions
void load_paired(const KvTensor& kv, const std::byte* rows, std::int64_t begin, std::int64_t end,
                 std::int64_t columns, float* out);
// attention_scores.cpp
void round_query(const float* q, std::int64_t n, std::byte* out);
void score(const AttentionShape& shape, const AttentionBlock& keys, AttentionRows& rows);
// attention_values.cpp
void weigh(const AttentionShape& shape, const AttentionBlock& values, const AttentionRows& rows);
// attention_paired.cpp: scalar::weight_factors of the scales d of the positions begin .. end - 1 of
// a block; the factors of the others become zero.
float weight_factors(const float* d, std::int32_t begin, std::int32_t end, float* factors);
void weigh_paired(const AttentionShape& shape, const AttentionBlock& values,
                  const AttentionRows& rows);

}  // namespace galley::kernels::avx2
