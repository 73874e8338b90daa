// From queries and a block of keys to weights, with the running softmax.
//
// The 8 lanes of a register are 8 positions (the keys of a block are turned when they are
// loaded), so the products need no sum across lanes.
#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "kernels/avx2/attention_inner.h"
#include "kernels/avx2/lanes.h"
#include "kernels/avx2/math.h"
#include "kernels/kernels.h"
#include "kernels/unroll.h"
#include "tensor/dtype_enum.h"

namespace galley::kernels::avx2 {
namespace {

// p[row][i] = q[row] . k[i] for kRows rows and 8 kVectors positions; `keys` and `p` point to the
// first of these. (Inlined, the loop has too few registers.)
template <int kRows, int kVectors>
[[gnu::noinline]] void dot_products(const AttentionShape& shape, const float* q, const float* keys,
                                    Ahead& ahead, float* p) {
  __m256 sums[kRows][kVectors];
  unroll<kRows>([&](auto row) GALLEY_INLINE {
    for (__m256& sum : sums[row.value]) sum = _mm256_setzero_ps();
  });
  Ahead to_come = ahead;  // a copy, which stays in registers
  for (std::int64_t c = 0; c < shape.k_size; ++c) {
    for (int i = 0; i < kVectors; i += 4) ask(to_come);
    __m256 key[kVectors];
    for (int i = 0; i < kVectors; ++i) key[i] = _mm256_load_ps(keys + c * kAttentionBlock + 8 * i);
    for (int row = 0; row < kRows; ++row) {
      const __m256 query = _mm256_broadcast_ss(q + row * shape.k_columns + c);
      for (int i = 0; i < kVectors; ++i) {
        sums[row][i] = _mm256_fmadd_ps(query, key[i], sums[row][i]);
      }
    }
  }
  ahead = to_come;
  unroll<kRows>([&](auto row) GALLEY_INLINE {
    for (int i = 0; i < kVectors; ++i) {
      _mm256_storeu_ps(p + row.value * kAttentionBlock + 8 * i, sums[row.value][i]);
    }
  });
}

// A block of a rounded query: QuantizedRows of one row, its codes in 16 bits.
struct QueryBlock {
  alignas(32) std::int16_t q[32];
  __m256 d;

  void load(const std::byte* at) {
    for (int i = 0; i < 32; i += 16) {
      const __m128i codes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at + i));
      _mm256_store_si256(reinterpret_cast<__m256i*>(q + i), _mm256_cvtepi8_epi16(codes));
    }
    d = _mm256_broadcast_ss(reinterpret_cast<const float*>(at + 32));
  }
  // Columns 2 k and 2 k + 1.
  __m256i pair(int k) const {
    std::int32_t both;
    __builtin_memcpy(&both, q + 2 * k, 4);
    return _mm256_set1_epi32(both);
  }
};

// The same for keys of Q8_0: of each block of columns the sum of integers, scaled.
template <int kRows, int kVectors>
void dot_products_q8_0(const AttentionShape& shape, const std::byte* q8, const float* keys,
                       Ahead& ahead, float* p) {
  const float* scales = keys + shape.k_size / 2 * kAttentionBlock;
  for (std::int64_t b = 0; b < shape.k_size / 32; ++b) {
    QueryBlock query[kRows];
    __m256i sums[kRows][kVectors];
    for (int row = 0; row < kRows; ++row) {
      query[row].load(shape.query_block(q8, row, b));
      for (__m256i& sum : sums[row]) sum = _mm256_setzero_si256();
    }
    for (int k = 0; k < 16; ++k) {
      for (int i = 0; i < kVectors; i += 2) ask(ahead);
      __m256i key[kVectors];
      for (int i = 0; i < kVectors; ++i) {
        const float* at = keys + (16 * b + k) * kAttentionBlock + 8 * i;
        key[i] = _mm256_castps_si256(_mm256_load_ps(at));
      }
      for (int row = 0; row < kRows; ++row) {
        const __m256i q = query[row].pair(k);
        for (int i = 0; i < kVectors; ++i) {
          sums[row][i] = _mm256_add_epi32(sums[row][i], _mm256_madd_epi16(key[i], q));
        }
      }
    }
    for (int row = 0; row < kRows; ++row) {
      for (int i = 0; i < kVectors; ++i) {
        float* dot = p + row * kAttentionBlock + 8 * i;
        const __m256 d = _mm256_load_ps(scales + b * kAttentionBlock + 8 * i);
        _mm256_storeu_ps(
            dot, _mm256_fmadd_ps(_mm256_cvtepi32_ps(sums[row][i]), _mm256_mul_ps(query[row].d, d),
                                 b == 0 ? _mm256_setzero_ps() : _mm256_loadu_ps(dot)));
      }
    }
  }
}

// The score of a row and 8 positions from j on, from their dot products: -inf where the row does
// not see the position.
__m256 finish_score(const AttentionShape& shape, const AttentionRows& rows, int row, int j,
                    __m256 dot) {
  __m256 score = _mm256_mul_ps(dot, _mm256_set1_ps(shape.scale));
  if (shape.softcap > 0.0f) {
    const __m256 softcap = _mm256_set1_ps(shape.softcap);
    score = _mm256_mul_ps(softcap, tanh(_mm256_div_ps(score, softcap)));
  }
  const __m256i position =
      _mm256_add_epi32(_mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7), _mm256_set1_epi32(j));
  const __m256i is_seen =
      _mm256_andnot_si256(_mm256_cmpgt_epi32(_mm256_set1_epi32(rows.begin[row]), position),
                          _mm256_cmpgt_epi32(_mm256_set1_epi32(rows.end[row]), position));
  return _mm256_blendv_ps(_mm256_set1_ps(-__builtin_inff()), score, _mm256_castsi256_ps(is_seen));
}

inline float largest(__m256 x) {
  const __m128 four = _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
  const __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
}

// Fills p with the scores of the positions seen and those around them, and m with the largest of
// each row.
template <int kRows>
void score_positions(const AttentionShape& shape, const AttentionBlock& keys,
                     const AttentionRows& rows, const SeenPositions& seen, float* m) {
  constexpr int kVectors = 8 / kRows;
  constexpr int kStep = 8 * kVectors;
  for (int j = seen.begin / kStep * kStep; j < seen.end; j += kStep) {
    const float* k = reinterpret_cast<const float*>(keys.rows) + j;
    if (keys.type == DType::kQ8_0) {
      dot_products_q8_0<kRows, kVectors>(shape, rows.q8, k, *keys.ahead, rows.p + j);
    } else {
      dot_products<kRows, kVectors>(shape, rows.q, k, *keys.ahead, rows.p + j);
    }
  }
  const bool is_plain = seen.all && shape.softcap <= 0.0f;
  const __m256 scale = _mm256_set1_ps(shape.scale);
  for (int row = 0; row < kRows; ++row) {
    __m256 max = _mm256_set1_ps(-__builtin_inff());
    for (int j = seen.begin / 16 * 16; j < (seen.end + 15) / 16 * 16; j += 8) {
      float* p = rows.p + row * kAttentionBlock + j;
      const __m256 dot = _mm256_loadu_ps(p);
      const __m256 score =
          is_plain ? _mm256_mul_ps(dot, scale) : finish_score(shape, rows, row, j, dot);
      _mm256_storeu_ps(p, score);
      max = _mm256_max_ps(score, max);  // the second operand if the score is a NaN
    }
    m[row] = largest(max);
  }
}

// What is subtracted from scores whose maximum is m: m, but 0 where m is -inf.
__m256 offset(__m256 m) {
  const __m256 lowest = _mm256_set1_ps(-__builtin_inff());
  return _mm256_andnot_ps(_mm256_cmp_ps(m, lowest, _CMP_EQ_OQ), m);
}

// Turns the scores in p into weights e^(score - m); l gets the sum of each row.
template <int kRows>
void weigh_positions(const float* m, const SeenPositions& seen, float* p, float* l) {
  for (int row = 0; row < kRows; ++row) {
    const __m256 shift = offset(_mm256_set1_ps(m[row]));
    __m256 sums[2] = {_mm256_setzero_ps(), _mm256_setzero_ps()};  // 16 partial sums
    for (int j = seen.begin / 16 * 16; j < seen.end; j += 16) {
      for (int half = 0; half < 2; ++half) {
        float* scores = p + row * kAttentionBlock + j + 8 * half;
        const __m256 weight = exp(_mm256_sub_ps(_mm256_loadu_ps(scores), shift));
        _mm256_storeu_ps(scores, weight);
        sums[half] = _mm256_add_ps(sums[half], weight);
      }
    }
    l[row] = total(sums);
  }
}

// Merges the maxima and sums of the block into the rows', and tells how to merge their values.
template <int kRows>
void merge(const float* block_m, const float* block_l, AttentionRows& rows) {
  const auto integers = [](const std::int32_t* x) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(x));
  };
  const __m256i all = first_lanes(kRows);
  const __m256i sees_any =
      _mm256_and_si256(all, _mm256_cmpgt_epi32(integers(rows.end), integers(rows.begin)));
  const __m256 m = _mm256_maskload_ps(rows.m, sees_any);
  const __m256 l = _mm256_maskload_ps(rows.l, sees_any);
  const __m256 new_m = _mm256_maskload_ps(block_m, all);
  const __m256 new_l = _mm256_maskload_ps(block_l, all);
  const __m256 max = _mm256_max_ps(new_m, m);
  const __m256 keep = exp(_mm256_sub_ps(m, offset(max)));
  const __m256 take = exp(_mm256_sub_ps(new_m, offset(max)));
  _mm256_maskstore_ps(rows.m, sees_any, max);
  _mm256_maskstore_ps(rows.l, sees_any, _mm256_fmadd_ps(l, keep, _mm256_mul_ps(new_l, take)));
  _mm256_maskstore_ps(rows.keep, all, keep);
  _mm256_maskstore_ps(rows.take, all, take);
}

template <int kRows>
void score_rows(const AttentionShape& shape, const AttentionBlock& keys, AttentionRows& rows) {
  const SeenPositions seen = seen_by<kRows>(rows);
  float m[kRows];
  float l[kRows];
  score_positions<kRows>(shape, keys, rows, seen, m);
  weigh_positions<kRows>(m, seen, rows.p, l);
  merge<kRows>(m, l, rows);
}

}  // namespace

void round_query(const float* q, std::int64_t n, std::byte* out) {
  quantize_rows(one_query(q, n, out), Part{});
}

void score(const AttentionShape& shape, const AttentionBlock& keys, AttentionRows& rows) {
  if (rows.count == 4) return score_rows<4>(shape, keys, rows);
  if (rows.count == 2) return score_rows<2>(shape, keys, rows);
  return score_rows<1>(shape, keys, rows);
}

}  // namespace galley::kernels::avx2
