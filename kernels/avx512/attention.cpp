// Attention for 1, 2, 4 or 8 rows at a time: the inner functions of kernels/attention.h.
//
// For scores the 16 lanes of a register are 16 positions (the keys of a block are turned when they
// are loaded), for values they are 16 columns: neither needs a sum across lanes.
#include "kernels/attention.h"

#include <immintrin.h>

#include <cstddef>

#include "kernels/avx512/dword_lanes.h"
#include "kernels/avx512/lanes.h"
#include "kernels/avx512/math.h"
#include "kernels/unroll.h"
#include "tensor/blocks.h"
#include "tensor/dtype_enum.h"

namespace galley::kernels::avx512 {
namespace {

using Half = std::uint16_t;  // the bits of an F16

// ---- cached rows as floats ------------------------------------------------------------------

void load_f16(const std::byte* row, std::int64_t n, float* out) {
  for (std::int64_t i = 0; i < n; i += 16) {
    const __m256i halves = _mm256_maskz_loadu_epi16(first_lanes(n - i), row + 2 * i);
    _mm512_storeu_ps(out + i, _mm512_cvtph_ps(halves));
  }
}

void load_f32(const std::byte* row, std::int64_t n, float* out) {
  for (std::int64_t i = 0; i < n; i += 16) {
    _mm512_storeu_ps(out + i, _mm512_maskz_loadu_ps(first_lanes(n - i), row + 4 * i));
  }
}

void load_q8_0(const std::byte* row, std::int64_t n, float* out) {
  const auto* blocks = reinterpret_cast<const BlockQ8_0*>(row);
  for (std::int64_t b = 0; b < n / 32; ++b) {
    const __m512 d = _mm512_cvtph_ps(_mm256_set1_epi16(static_cast<short>(blocks[b].d)));
    for (int half = 0; half < 2; ++half) {
      const auto* qs = reinterpret_cast<const __m128i*>(blocks[b].qs + 16 * half);
      const __m512 q = _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(qs)));
      _mm512_storeu_ps(out + 32 * b + 16 * half, _mm512_mul_ps(d, q));
    }
  }
}

void load(const KvTensor& kv, const std::byte* rows, std::int64_t n_rows, float* out,
          std::int64_t columns) {
  for (std::int64_t i = 0; i < n_rows; ++i) {
    const std::byte* row = rows + i * kv.row_bytes;
    if (kv.type == DType::kF16) {
      load_f16(row, kv.head_size, out + i * columns);
    } else if (kv.type == DType::kQ8_0) {
      load_q8_0(row, kv.head_size, out + i * columns);
    } else {
      load_f32(row, kv.head_size, out + i * columns);
    }
  }
}

// ---- keys, turned: out[c * kAttentionBlock + position], 16 positions ------------------------

void transpose(const float* rows, std::int64_t columns, float* out) {
  for (std::int64_t c = 0; c < columns; c += 4) {
    DwordLanes turned[4];
    DwordLanes::load16(reinterpret_cast<const std::byte*>(rows + c), 4 * columns, turned);
    for (int i = 0; i < 4; ++i) {
      _mm512_store_si512(out + (c + i) * kAttentionBlock, turned[i].v);
    }
  }
}

// Quarter i of `pairs` has rows 4 i .. 4 i + 3 of one column, then of the next, in words: puts all
// rows of the first before all of the second.
__m512i join_quarters(__m512i pairs) {
  return _mm512_permutexvar_epi64(_mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7), pairs);
}

// Turned as halves, eight columns at a time: half as many shuffles as for floats.
void turn_f16(const KvTensor& kv, const std::byte* rows, float* out) {
  for (std::int64_t c = 0; c < kv.head_size; c += 8) {
    __m512i row[4];  // and the 4th, the 8th and the 12th after it
    for (int i = 0; i < 4; ++i) row[i] = load_four(rows + 2 * c + i * kv.row_bytes, kv.row_bytes);
    const __m512i low01 = _mm512_unpacklo_epi16(row[0], row[1]);
    const __m512i low23 = _mm512_unpacklo_epi16(row[2], row[3]);
    const __m512i high01 = _mm512_unpackhi_epi16(row[0], row[1]);
    const __m512i high23 = _mm512_unpackhi_epi16(row[2], row[3]);
    const __m512i pairs[4] = {
        _mm512_unpacklo_epi32(low01, low23), _mm512_unpackhi_epi32(low01, low23),
        _mm512_unpacklo_epi32(high01, high23), _mm512_unpackhi_epi32(high01, high23)};
    for (int i = 0; i < 4; ++i) {
      const __m512i both = join_quarters(pairs[i]);
      float* column = out + (c + 2 * i) * kAttentionBlock;
      _mm512_store_ps(column, _mm512_cvtph_ps(_mm512_castsi512_si256(both)));
      _mm512_store_ps(column + kAttentionBlock,
                      _mm512_cvtph_ps(_mm512_extracti64x4_epi64(both, 1)));
    }
  }
}

// The F16 at the beginning of each of 16 rows.
__m512 load_halves(const std::byte* rows, std::int64_t stride) {
  __m512i row[4];
  for (int i = 0; i < 4; ++i) row[i] = load_four(rows + i * stride, stride);
  const __m512i pairs = _mm512_unpacklo_epi32(_mm512_unpacklo_epi16(row[0], row[1]),
                                              _mm512_unpacklo_epi16(row[2], row[3]));
  return _mm512_cvtph_ps(_mm512_castsi512_si256(join_quarters(pairs)));
}

// Turned as dwords of four codes. A code becomes a number as the highest byte of a dword, 2^24
// times as large, and the scale is made as much smaller: exact, so the product is that of load.
void turn_q8_0(const KvTensor& kv, const std::byte* rows, float* out) {
  for (std::int64_t c = 0; c < kv.head_size; c += 32) {
    const std::byte* block = rows + c / 32 * static_cast<std::int64_t>(sizeof(BlockQ8_0));
    const __m512 d = _mm512_mul_ps(load_halves(block, kv.row_bytes), _mm512_set1_ps(0x1p-24f));
    for (int i = 0; i < 32; i += 16) {
      DwordLanes four_columns[4];
      DwordLanes::load16(block + offsetof(BlockQ8_0, qs) + i, kv.row_bytes, four_columns);
      float* columns = out + (c + i) * kAttentionBlock;
      unroll<16>([&](auto column) GALLEY_INLINE {
        constexpr int n = decltype(column)::value;
        const __m512i highest = _mm512_set1_epi32(((n % 4) << 24) | 0x808080);  // 0x80: a zero
        const __m512i in_quarter = _mm512_add_epi32(
            highest, _mm512_broadcast_i32x4(_mm_setr_epi32(0, 4 << 24, 8 << 24, 12 << 24)));
        const __m512i code = _mm512_shuffle_epi8(four_columns[n / 4].v, in_quarter);
        _mm512_store_ps(columns + n * kAttentionBlock, _mm512_mul_ps(_mm512_cvtepi32_ps(code), d));
      });
    }
  }
}

void load_turned(const KvTensor& kv, const std::byte* rows, std::int64_t columns, float* scratch,
                 float* out) {
  if (kv.type == DType::kQ8_0) return turn_q8_0(kv, rows, out);
  if (kv.type == DType::kF16 && kv.head_size == columns) return turn_f16(kv, rows, out);
  load(kv, rows, 16, scratch, columns);
  transpose(scratch, columns, out);
}

// Fetches the next of what is needed soon into the second-level cache.
GALLEY_INLINE inline void ask(Ahead& ahead) {
  if (ahead.at >= ahead.end) return;
  _mm_prefetch(ahead.at, _MM_HINT_T1);
  _mm_prefetch(ahead.at + ahead.step - 64, _MM_HINT_T1);
  ahead.at += ahead.step;
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

// p[row][i] = q[row] . k[i] for kRows rows and 16 kVectors positions; `keys` and `p` point to the
// first of these.
template <int kRows, int kVectors>
void dot_products(const AttentionShape& shape, const float* q, const float* keys, Ahead& ahead,
                  float* p) {
  __m512 sums[kRows][kVectors];
  unroll<kRows>([&](auto row) GALLEY_INLINE {
    for (__m512& sum : sums[row.value]) sum = _mm512_setzero_ps();
  });
  Ahead to_come = ahead;  // a copy, which stays in registers
  for (std::int64_t c = 0; c < shape.k_size; ++c) {
    ask(to_come);
    __m512 key[kVectors];
    for (int i = 0; i < kVectors; ++i) key[i] = _mm512_load_ps(keys + c * kAttentionBlock + 16 * i);
    for (int row = 0; row < kRows; ++row) {
      const __m512 query = _mm512_set1_ps(q[row * shape.k_columns + c]);
      for (int i = 0; i < kVectors; ++i) {
        sums[row][i] = _mm512_fmadd_ps(query, key[i], sums[row][i]);
      }
    }
  }
  ahead = to_come;
  unroll<kRows>([&](auto row) GALLEY_INLINE {
    for (int i = 0; i < kVectors; ++i) {
      _mm512_storeu_ps(p + row.value * kAttentionBlock + 16 * i, sums[row.value][i]);
    }
  });
}

// The score of a row and 16 positions from j on, from their dot products: -inf where the row does
// not see the position.
__m512 finish_score(const AttentionShape& shape, const AttentionRows& rows, int row, int j,
                    __m512 dot) {
  __m512 score = _mm512_mul_ps(dot, _mm512_set1_ps(shape.scale));
  if (shape.softcap > 0.0f) {
    const __m512 softcap = _mm512_set1_ps(shape.softcap);
    score = _mm512_mul_ps(softcap, tanh(_mm512_div_ps(score, softcap)));
  }
  const __m512i position =
      _mm512_add_epi32(_mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15),
                       _mm512_set1_epi32(j));
  const __mmask16 is_seen = _mm512_cmpge_epi32_mask(position, _mm512_set1_epi32(rows.begin[row])) &
                            _mm512_cmplt_epi32_mask(position, _mm512_set1_epi32(rows.end[row]));
  return _mm512_mask_mov_ps(_mm512_set1_ps(-__builtin_inff()), is_seen, score);
}

// Fills p with the scores of the positions seen and those around them, and m with the largest of
// each row.
template <int kRows>
void score_positions(const AttentionShape& shape, const AttentionBlock& keys,
                     const AttentionRows& rows, const Seen& seen, float* m) {
  constexpr int kVectors = kRows <= 4 ? 4 : 2;
  constexpr int kStep = 16 * kVectors;
  for (int j = seen.begin / kStep * kStep; j < seen.end; j += kStep) {
    const float* k = reinterpret_cast<const float*>(keys.rows) + j;
    dot_products<kRows, kVectors>(shape, rows.q, k, *keys.ahead, rows.p + j);
  }
  const bool is_plain = seen.all && shape.softcap <= 0.0f;
  const __m512 scale = _mm512_set1_ps(shape.scale);
  for (int row = 0; row < kRows; ++row) {
    __m512 max = _mm512_set1_ps(-__builtin_inff());
    for (int j = seen.begin / 16 * 16; j < seen.end; j += 16) {
      float* p = rows.p + row * kAttentionBlock + j;
      const __m512 dot = _mm512_loadu_ps(p);
      const __m512 score =
          is_plain ? _mm512_mul_ps(dot, scale) : finish_score(shape, rows, row, j, dot);
      _mm512_storeu_ps(p, score);
      max = _mm512_max_ps(score, max);  // the second operand if the score is a NaN
    }
    m[row] = _mm512_reduce_max_ps(max);
  }
}

// What is subtracted from scores whose maximum is m: m, but 0 where m is -inf.
__m512 offset(__m512 m) {
  const __m512 lowest = _mm512_set1_ps(-__builtin_inff());
  return _mm512_maskz_mov_ps(_mm512_cmpneq_ps_mask(m, lowest), m);
}

// Turns the scores in p into weights e^(score - m); l gets the sum of each row.
template <int kRows>
void weigh_positions(const float* m, const Seen& seen, float* p, float* l) {
  for (int row = 0; row < kRows; ++row) {
    const __m512 shift = offset(_mm512_set1_ps(m[row]));
    __m512 sums = _mm512_setzero_ps();  // 16 partial sums
    for (int j = seen.begin / 16 * 16; j < seen.end; j += 16) {
      float* scores = p + row * kAttentionBlock + j;
      const __m512 weight = exp(_mm512_sub_ps(_mm512_loadu_ps(scores), shift));
      _mm512_storeu_ps(scores, weight);
      sums = _mm512_add_ps(sums, weight);
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
  const auto all = static_cast<__mmask8>((1u << kRows) - 1u);
  const __mmask16 sees_any =
      _mm256_mask_cmplt_epi32_mask(all, integers(rows.begin), integers(rows.end));
  const __m512 m = _mm512_maskz_loadu_ps(sees_any, rows.m);
  const __m512 l = _mm512_maskz_loadu_ps(sees_any, rows.l);
  const __m512 new_m = _mm512_maskz_loadu_ps(all, block_m);
  const __m512 new_l = _mm512_maskz_loadu_ps(all, block_l);
  const __m512 max = _mm512_max_ps(new_m, m);
  const __m512 keep = exp(_mm512_sub_ps(m, offset(max)));
  const __m512 take = exp(_mm512_sub_ps(new_m, offset(max)));
  _mm512_mask_storeu_ps(rows.m, sees_any, max);
  _mm512_mask_storeu_ps(rows.l, sees_any, _mm512_fmadd_ps(l, keep, _mm512_mul_ps(new_l, take)));
  _mm512_mask_storeu_ps(rows.keep, all, keep);
  _mm512_mask_storeu_ps(rows.take, all, take);
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
  if (rows.count == 8) return score_rows<8>(shape, keys, rows);
  if (rows.count == 4) return score_rows<4>(shape, keys, rows);
  if (rows.count == 2) return score_rows<2>(shape, keys, rows);
  return score_rows<1>(shape, keys, rows);
}

// ---- values ---------------------------------------------------------------------------------

// 16 columns of a cached row.
__m512 load_columns(const float* x) { return _mm512_loadu_ps(x); }
__m512 load_columns(const Half* x) {
  return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(x)));
}

// o[row] = o[row] * keep + take * sum over j of p[row][j] * v[j], for 16 kColumns columns from c
// on. Each row takes its positions in order; those that all rows see are done together.
template <int kRows, int kColumns, typename T>
void weigh_columns(const AttentionShape& shape, const AttentionBlock& values,
                   const AttentionRows& rows, std::int64_t c) {
  const std::int64_t stride = shape.v_columns;
  const float* p = rows.p;
  const T* v = reinterpret_cast<const T*>(values.rows) + c;
  __m512 sums[kRows][kColumns];
  unroll<kRows>([&](auto row) GALLEY_INLINE {
    for (__m512& sum : sums[row.value]) sum = _mm512_setzero_ps();
  });
  int common_end = rows.end[0];
  bool same_begin = true;
  for (int row = 1; row < kRows; ++row) {
    common_end = rows.end[row] < common_end ? rows.end[row] : common_end;
    same_begin = same_begin && rows.begin[row] == rows.begin[0];
  }
  int j = rows.begin[0];
  Ahead to_come = *values.ahead;  // a copy, which stays in registers
  for (; same_begin && j < common_end; ++j) {
    ask(to_come);
    __m512 value[kColumns];
    for (int i = 0; i < kColumns; ++i) value[i] = load_columns(v + j * stride + 16 * i);
    for (int row = 0; row < kRows; ++row) {
      const __m512 weight = _mm512_set1_ps(p[row * kAttentionBlock + j]);
      for (int i = 0; i < kColumns; ++i) {
        sums[row][i] = _mm512_fmadd_ps(weight, value[i], sums[row][i]);
      }
    }
  }
  *values.ahead = to_come;
  for (int row = 0; row < kRows; ++row) {
    if (rows.begin[row] >= rows.end[row]) continue;
    for (int rest = same_begin ? j : rows.begin[row]; rest < rows.end[row]; ++rest) {
      const __m512 weight = _mm512_set1_ps(p[row * kAttentionBlock + rest]);
      for (int i = 0; i < kColumns; ++i) {
        const __m512 value = load_columns(v + rest * stride + 16 * i);
        sums[row][i] = _mm512_fmadd_ps(weight, value, sums[row][i]);
      }
    }
    float* o = rows.o + row * stride + c;
    const __m512 keep = _mm512_set1_ps(rows.keep[row]);
    const __m512 take = _mm512_set1_ps(rows.take[row]);
    for (int i = 0; i < kColumns; ++i) {
      const __m512 taken = _mm512_mul_ps(sums[row][i], take);
      _mm512_storeu_ps(o + 16 * i, _mm512_fmadd_ps(_mm512_loadu_ps(o + 16 * i), keep, taken));
    }
  }
}

template <int kRows, typename T>
void weigh_rows(const AttentionShape& shape, const AttentionBlock& values,
                const AttentionRows& rows) {
  constexpr int kColumns = kRows == 8 ? 2 : 4;
  std::int64_t c = 0;
  for (; c + 16 * kColumns <= shape.v_columns; c += 16 * kColumns) {
    weigh_columns<kRows, kColumns, T>(shape, values, rows, c);
  }
  for (; c < shape.v_columns; c += 16) weigh_columns<kRows, 1, T>(shape, values, rows, c);
}

template <typename T>
void weigh_as(const AttentionShape& shape, const AttentionBlock& values,
              const AttentionRows& rows) {
  if (rows.count == 8) return weigh_rows<8, T>(shape, values, rows);
  if (rows.count == 4) return weigh_rows<4, T>(shape, values, rows);
  if (rows.count == 2) return weigh_rows<2, T>(shape, values, rows);
  return weigh_rows<1, T>(shape, values, rows);
}

void weigh(const AttentionShape& shape, const AttentionBlock& values, const AttentionRows& rows) {
  return values.is_f16 ? weigh_as<Half>(shape, values, rows) : weigh_as<float>(shape, values, rows);
}

}  // namespace

void attention(const AttentionArgs& args, Part part) {
  attention_in_tiles(args, part, AttentionInner{8, 16, load, load_turned, score, weigh});
}

}  // namespace galley::kernels::avx512
