// Attention for 1, 2 or 4 rows at a time: the inner functions of kernels/attention.h.
//
// For scores the 8 lanes of a register are 8 positions (the keys of a block are turned when they
// are loaded), for values they are 8 columns: neither needs a sum across lanes.
#include "kernels/attention.h"

#include <immintrin.h>

#include "kernels/avx2/dword_lanes.h"
#include "kernels/avx2/lanes.h"
#include "kernels/avx2/math.h"
#include "tensor/blocks.h"
#include "tensor/dtype_enum.h"

namespace galley::kernels::avx2 {
namespace {

using Half = std::uint16_t;  // the bits of an F16

// ---- cached rows as floats ------------------------------------------------------------------

void load_f16(const std::byte* row, std::int64_t n, float* out) {
  std::int64_t i = 0;
  for (; i + 8 <= n; i += 8) {
    const __m128i halves = _mm_loadu_si128(reinterpret_cast<const __m128i*>(row + 2 * i));
    _mm256_storeu_ps(out + i, _mm256_cvtph_ps(halves));
  }
  if (i < n) {
    __m128i halves = _mm_setzero_si128();
    __builtin_memcpy(&halves, row + 2 * i, static_cast<std::size_t>(2 * (n - i)));
    _mm256_storeu_ps(out + i, _mm256_cvtph_ps(halves));
  }
}

void load_f32(const std::byte* row, std::int64_t n, float* out) {
  for_lanes(0, n, [&](std::int64_t i, auto lanes) {
    _mm256_storeu_ps(out + i, lanes.load(reinterpret_cast<const float*>(row) + i));
  });
}

void load_q8_0(const std::byte* row, std::int64_t n, float* out) {
  const auto* blocks = reinterpret_cast<const BlockQ8_0*>(row);
  for (std::int64_t b = 0; b < n / 32; ++b) {
    const __m256 d = _mm256_cvtph_ps(_mm_set1_epi16(static_cast<short>(blocks[b].d)));
    for (int i = 0; i < 32; i += 8) {
      const auto* qs = reinterpret_cast<const __m128i*>(blocks[b].qs + i);
      const __m256 q = _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64(qs)));
      _mm256_storeu_ps(out + 32 * b + i, _mm256_mul_ps(d, q));
    }
  }
}

void load(const KvTensor& kv, const std::byte* rows, std::int64_t n_rows, float* out,
          std::int64_t columns) {
  for (std::int64_t i = 0; i < n_rows; ++i) {
    const std::byte* row = rows + i * kv.row_bytes;
    float* out_row = out + i * columns;
    if (kv.type == DType::kF16) {
      load_f16(row, kv.head_size, out_row);
    } else if (kv.type == DType::kQ8_0) {
      load_q8_0(row, kv.head_size, out_row);
    } else {
      load_f32(row, kv.head_size, out_row);
    }
    // The loads above wrote whole registers; the padding may reach one register further.
    if (columns - kv.head_size >= 8) _mm256_storeu_ps(out_row + columns - 8, _mm256_setzero_ps());
  }
}

// out[c][position] = rows[position][c], for 8 positions; out's rows are kAttentionBlock apart.
void transpose(const float* rows, std::int64_t columns, float* out) {
  for (std::int64_t c = 0; c < columns; c += 4) {
    DwordLanes turned[4];
    DwordLanes::load16(reinterpret_cast<const std::byte*>(rows + c), 4 * columns, turned);
    for (int i = 0; i < 4; ++i) {
      _mm256_store_ps(out + (c + i) * kAttentionBlock, _mm256_castsi256_ps(turned[i].v));
    }
  }
}

void load_turned(const KvTensor& kv, const std::byte* rows, std::int64_t columns, float* scratch,
                 float* out) {
  load(kv, rows, 8, scratch, columns);
  transpose(scratch, columns, out);
}

// Fetches the next of what is needed soon into the second-level cache.
GALLEY_INLINE inline void ask(Ahead& ahead) {
  for (std::int64_t i = 0; i < ahead.step; i += 64) _mm_prefetch(ahead.at + i, _MM_HINT_T1);
  ahead.at += ahead.step;
  if (ahead.at >= ahead.end) ahead.step = 0;
}

// ---- scores ---------------------------------------------------------------------------------

// The positions that any of the rows sees.
struct Seen {
  int begin = kAttentionBlock;
  int end = 0;
  bool all = true;  // every row sees every position of the block
};

template <int kRows>
Seen seen_by(const AttentionRows& rows) {
  Seen seen;
  for (int row = 0; row < kRows; ++row) {
    seen.all = seen.all && rows.begin[row] == 0 && rows.end[row] == kAttentionBlock;
    if (rows.begin[row] >= rows.end[row]) continue;
    seen.begin = rows.begin[row] < seen.begin ? rows.begin[row] : seen.begin;
    seen.end = rows.end[row] > seen.end ? rows.end[row] : seen.end;
  }
  return seen;
}

// p[row][i] = q[row] . k[i] for kRows rows and 8 kVectors positions; `keys` and `p` point to the
// first of these.
template <int kRows, int kVectors>
void dot_products(const AttentionShape& shape, const float* q, const float* keys, Ahead& ahead,
                  float* p) {
  __m256 sums[kRows][kVectors];
  for (auto& row : sums) {
    for (__m256& sum : row) sum = _mm256_setzero_ps();
  }
  for (std::int64_t c = 0; c < shape.k_size; ++c) {
    ask(ahead);
    __m256 key[kVectors];
    for (int i = 0; i < kVectors; ++i) key[i] = _mm256_load_ps(keys + c * kAttentionBlock + 8 * i);
    for (int row = 0; row < kRows; ++row) {
      const __m256 query = _mm256_broadcast_ss(q + row * shape.k_columns + c);
      for (int i = 0; i < kVectors; ++i) {
        sums[row][i] = _mm256_fmadd_ps(query, key[i], sums[row][i]);
      }
    }
  }
  for (int row = 0; row < kRows; ++row) {
    for (int i = 0; i < kVectors; ++i) {
      _mm256_storeu_ps(p + row * kAttentionBlock + 8 * i, sums[row][i]);
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
                     const AttentionRows& rows, const Seen& seen, float* m) {
  constexpr int kVectors = 8 / kRows;
  constexpr int kStep = 8 * kVectors;
  for (int j = seen.begin / kStep * kStep; j < seen.end; j += kStep) {
    const float* k = reinterpret_cast<const float*>(keys.rows) + j;
    dot_products<kRows, kVectors>(shape, rows.q, k, *keys.ahead, rows.p + j);
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
void weigh_positions(const float* m, const Seen& seen, float* p, float* l) {
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
  const Seen seen = seen_by<kRows>(rows);
  float m[kRows];
  float l[kRows];
  score_positions<kRows>(shape, keys, rows, seen, m);
  weigh_positions<kRows>(m, seen, rows.p, l);
  merge<kRows>(m, l, rows);
}

void score(const AttentionShape& shape, const AttentionBlock& keys, AttentionRows& rows) {
  if (rows.count == 4) return score_rows<4>(shape, keys, rows);
  if (rows.count == 2) return score_rows<2>(shape, keys, rows);
  return score_rows<1>(shape, keys, rows);
}

// ---- values ---------------------------------------------------------------------------------

// 8 columns of a cached row.
__m256 load_columns(const float* x) { return _mm256_loadu_ps(x); }
__m256 load_columns(const Half* x) {
  return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(x)));
}

// o[row] = o[row] * keep + take * sum over j of p[row][j] * v[j], for 8 kColumns columns from c
// on. Each row takes its positions in order; those that all rows see are done together.
template <int kRows, int kColumns, typename T>
void weigh_columns(const AttentionShape& shape, const AttentionBlock& values,
                   const AttentionRows& rows, std::int64_t c) {
  const std::int64_t stride = shape.v_columns;
  const float* p = rows.p;
  const T* v = reinterpret_cast<const T*>(values.rows) + c;
  __m256 sums[kRows][kColumns];
  for (auto& row : sums) {
    for (__m256& sum : row) sum = _mm256_setzero_ps();
  }
  int common_end = rows.end[0];
  bool same_begin = true;
  for (int row = 1; row < kRows; ++row) {
    common_end = rows.end[row] < common_end ? rows.end[row] : common_end;
    same_begin = same_begin && rows.begin[row] == rows.begin[0];
  }
  int j = rows.begin[0];
  for (; same_begin && j < common_end; ++j) {
    ask(*values.ahead);
    __m256 value[kColumns];
    for (int i = 0; i < kColumns; ++i) value[i] = load_columns(v + j * stride + 8 * i);
    for (int row = 0; row < kRows; ++row) {
      const __m256 weight = _mm256_set1_ps(p[row * kAttentionBlock + j]);
      for (int i = 0; i < kColumns; ++i) {
        sums[row][i] = _mm256_fmadd_ps(weight, value[i], sums[row][i]);
      }
    }
  }
  for (int row = 0; row < kRows; ++row) {
    if (rows.begin[row] >= rows.end[row]) continue;
    for (int rest = same_begin ? j : rows.begin[row]; rest < rows.end[row]; ++rest) {
      const __m256 weight = _mm256_set1_ps(p[row * kAttentionBlock + rest]);
      for (int i = 0; i < kColumns; ++i) {
        const __m256 value = load_columns(v + rest * stride + 8 * i);
        sums[row][i] = _mm256_fmadd_ps(weight, value, sums[row][i]);
      }
    }
    float* o = rows.o + row * stride + c;
    const __m256 keep = _mm256_set1_ps(rows.keep[row]);
    const __m256 take = _mm256_set1_ps(rows.take[row]);
    for (int i = 0; i < kColumns; ++i) {
      const __m256 taken = _mm256_mul_ps(sums[row][i], take);
      _mm256_storeu_ps(o + 8 * i, _mm256_fmadd_ps(_mm256_loadu_ps(o + 8 * i), keep, taken));
    }
  }
}

template <int kRows, typename T>
void weigh_rows(const AttentionShape& shape, const AttentionBlock& values,
                const AttentionRows& rows) {
  std::int64_t c = 0;
  for (; c + 24 <= shape.v_columns; c += 24) weigh_columns<kRows, 3, T>(shape, values, rows, c);
  for (; c + 16 <= shape.v_columns; c += 16) weigh_columns<kRows, 2, T>(shape, values, rows, c);
  for (; c < shape.v_columns; c += 8) weigh_columns<kRows, 1, T>(shape, values, rows, c);
}

template <typename T>
void weigh_as(const AttentionShape& shape, const AttentionBlock& values,
              const AttentionRows& rows) {
  if (rows.count == 4) return weigh_rows<4, T>(shape, values, rows);
  if (rows.count == 2) return weigh_rows<2, T>(shape, values, rows);
  return weigh_rows<1, T>(shape, values, rows);
}

void weigh(const AttentionShape& shape, const AttentionBlock& values, const AttentionRows& rows) {
  return values.is_f16 ? weigh_as<Half>(shape, values, rows) : weigh_as<float>(shape, values, rows);
}

}  // namespace

void attention(const AttentionArgs& args, Part part) {
  attention_in_tiles(args, part, AttentionInner{4, 8, load, load_turned, score, weigh});
}

}  // namespace galley::kernels::avx2
