// Attention for 1, 2 or 4 rows at a time: the inner functions of kernels/attention.h.
//
// Scores are kept as p[position][row], so that the 8 lanes of a register are 8 / kRows positions
// of kRows rows, and maxima and sums over positions are taken for all rows at once.
#include "kernels/attention.h"

#include <immintrin.h>

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

// ---- scores ---------------------------------------------------------------------------------

// 8 columns of a cached row.
__m256 load_columns(const float* x) { return _mm256_loadu_ps(x); }
__m256 load_columns(const Half* x) {
  return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(x)));
}

// Fetches what the next block needs of the positions j .. j + n - 1 into the second-level cache.
void prefetch(const AttentionBlock& block, std::int64_t j, std::int64_t n) {
  if (block.prefetch == nullptr) return;
  const std::byte* data = block.prefetch + j * block.prefetch_bytes;
  for (std::int64_t i = 0; i < n * block.prefetch_bytes; i += 64) {
    _mm_prefetch(data + i, _MM_HINT_T1);
  }
}

// ---- across lanes ---------------------------------------------------------------------------

// The other half of a register, of its halves, of its quarters.
template <int kLanes>
__m256 swapped(__m256 x) {
  if constexpr (kLanes == 4) return _mm256_permute2f128_ps(x, x, 0x01);
  if constexpr (kLanes == 2) return _mm256_permute_ps(x, 0x4e);
  if constexpr (kLanes == 1) return _mm256_permute_ps(x, 0xb1);
}

// Adds the halves of a and those of b, crosswise: the blend keeps every other group of kLanes of
// each where it is, a single shuffle brings their other halves there.
template <int kLanes>
__m256 add_halves(__m256 a, __m256 b) {
  if constexpr (kLanes == 4) {
    return _mm256_add_ps(_mm256_blend_ps(a, b, 0xf0), _mm256_permute2f128_ps(a, b, 0x21));
  }
  if constexpr (kLanes == 2) {
    const __m256d crossed = _mm256_shuffle_pd(_mm256_castps_pd(a), _mm256_castps_pd(b), 0x5);
    return _mm256_add_ps(_mm256_blend_ps(a, b, 0xcc), _mm256_castpd_ps(crossed));
  }
  if constexpr (kLanes == 1) {
    return _mm256_add_ps(_mm256_blend_ps(a, b, 0xaa), swapped<1>(_mm256_blend_ps(b, a, 0xaa)));
  }
}

// The eight sums p[i] + p[i + 8] in each of 8 registers, each through the rest of the tree of
// `total` in lanes.h: lane i of the result is the total of eights[i].
[[gnu::always_inline]] inline __m256 totals(const __m256 (&eights)[8]) {
  __m256 fours[4];
  for (int i = 0; i < 4; ++i) fours[i] = add_halves<4>(eights[i], eights[i + 4]);
  return add_halves<1>(add_halves<2>(fours[0], fours[2]), add_halves<2>(fours[1], fours[3]));
}

// Combines the lanes of the same row: every lane gets the result of its row.
template <int kRows, typename Op>
__m256 across_positions(__m256 x, Op op) {
  if constexpr (kRows <= 4) x = op(x, swapped<4>(x));
  if constexpr (kRows <= 2) x = op(x, swapped<2>(x));
  if constexpr (kRows <= 1) x = op(x, swapped<1>(x));
  return x;
}

__m256i lane_index() { return _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7); }

// Lane i gets x[i % kRows].
template <int kRows>
__m256i for_each_position(const std::int32_t (&x)[kMostRows]) {
  const __m256i row = _mm256_and_si256(lane_index(), _mm256_set1_epi32(kRows - 1));
  const __m256i rows = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(x));
  return _mm256_permutevar8x32_epi32(rows, row);
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

// One half of the partial sums of kRows rows and the 8 / kRows positions from k on: those of the
// columns c .. c + 7 of every 16, q and k pointing to column c.
template <int kRows, typename T>
[[gnu::always_inline]] inline void half_sums(const float* q, const T* k, std::int64_t columns,
                                             __m256 (&sums)[8]) {
  for (__m256& sum : sums) sum = _mm256_setzero_ps();
  for (std::int64_t c = 0; c < columns; c += 16) {
    __m256 query[kRows];
    for (int row = 0; row < kRows; ++row) query[row] = _mm256_loadu_ps(q + row * columns + c);
    for (int i = 0; i < 8 / kRows; ++i) {
      const __m256 key = load_columns(k + i * columns + c);
      for (int row = 0; row < kRows; ++row) {
        __m256& sum = sums[i * kRows + row];
        sum = _mm256_fmadd_ps(query[row], key, sum);
      }
    }
  }
}

// q . k of kRows rows and the 8 / kRows positions from k on.
template <int kRows, typename T>
[[gnu::always_inline]] inline __m256 dot_products(const float* q, const T* k,
                                                  std::int64_t columns) {
  __m256 low[8];
  half_sums<kRows>(q, k, columns, low);
  __m256 high[8];
  half_sums<kRows>(q + 8, k + 8, columns, high);
  for (int i = 0; i < 8; ++i) low[i] = _mm256_add_ps(low[i], high[i]);
  return totals(low);
}

// Fills p with the scores, -inf where a row does not see a position, in whole steps of 16
// positions around those seen; returns the rows' maxima.
template <int kRows, typename T>
__m256 score_positions(const AttentionShape& shape, const AttentionBlock& keys,
                       const AttentionRows& rows, const Seen& seen) {
  constexpr int kPositions = 8 / kRows;
  const __m256i first = for_each_position<kRows>(rows.begin);
  const __m256i last = for_each_position<kRows>(rows.end);
  const __m256i lane_position = _mm256_srli_epi32(lane_index(), kRows == 4   ? 2
                                                                : kRows == 2 ? 1
                                                                             : 0);
  const __m256 scale = _mm256_set1_ps(shape.scale);
  const __m256 softcap = _mm256_set1_ps(shape.softcap);
  const __m256 lowest = _mm256_set1_ps(-__builtin_inff());
  __m256 max = lowest;
  for (int j = seen.begin / 16 * 16; j < (seen.end + 15) / 16 * 16; j += kPositions) {
    prefetch(keys, j, kPositions);
    const T* k = reinterpret_cast<const T*>(keys.rows) + j * shape.k_columns;
    __m256 score = _mm256_mul_ps(dot_products<kRows>(rows.q, k, shape.k_columns), scale);
    if (shape.softcap > 0.0f) {
      score = _mm256_mul_ps(softcap, tanh(_mm256_div_ps(score, softcap)));
    }
    if (!seen.all) {
      const __m256i position = _mm256_add_epi32(lane_position, _mm256_set1_epi32(j));
      const __m256i is_seen = _mm256_andnot_si256(_mm256_cmpgt_epi32(first, position),
                                                  _mm256_cmpgt_epi32(last, position));
      score = _mm256_blendv_ps(lowest, score, _mm256_castsi256_ps(is_seen));
    }
    _mm256_storeu_ps(rows.p + kRows * j, score);
    max = _mm256_max_ps(score, max);  // the second operand if the score is a NaN
  }
  return across_positions<kRows>(max, [](__m256 a, __m256 b) { return _mm256_max_ps(a, b); });
}

// What is subtracted from scores whose maximum is m: m, but 0 where m is -inf.
__m256 offset(__m256 m) {
  const __m256 lowest = _mm256_set1_ps(-__builtin_inff());
  return _mm256_andnot_ps(_mm256_cmp_ps(m, lowest, _CMP_EQ_OQ), m);
}

// Turns the scores in p into weights e^(score - m); returns the rows' sums.
template <int kRows>
__m256 weigh_positions(__m256 m, const Seen& seen, float* p) {
  const __m256 shift = offset(m);
  __m256 sums[2 * kRows];  // 16 partial sums of each row
  for (__m256& sum : sums) sum = _mm256_setzero_ps();
  for (int j = seen.begin / 16 * 16; j < seen.end; j += 16) {
    for (int i = 0; i < 2 * kRows; ++i) {
      float* scores = p + kRows * j + 8 * i;
      const __m256 weight = exp(_mm256_sub_ps(_mm256_loadu_ps(scores), shift));
      _mm256_storeu_ps(scores, weight);
      sums[i] = _mm256_add_ps(sums[i], weight);
    }
  }
  for (int n = kRows; n > 0; n /= 2) {
    for (int i = 0; i < n; ++i) sums[i] = _mm256_add_ps(sums[i], sums[i + n]);
  }
  return across_positions<kRows>(sums[0], [](__m256 a, __m256 b) { return _mm256_add_ps(a, b); });
}

// Merges the maxima and sums of the block into the rows', and tells how to merge their values.
template <int kRows>
void merge(__m256 block_m, __m256 block_l, AttentionRows& rows) {
  const __m256i all = first_lanes(kRows);
  const __m256i sees_any = _mm256_and_si256(
      all,
      _mm256_cmpgt_epi32(for_each_position<kRows>(rows.end), for_each_position<kRows>(rows.begin)));
  const __m256 m = _mm256_maskload_ps(rows.m, sees_any);
  const __m256 l = _mm256_maskload_ps(rows.l, sees_any);
  const __m256 max = _mm256_max_ps(block_m, m);
  const __m256 keep = exp(_mm256_sub_ps(m, offset(max)));
  const __m256 take = exp(_mm256_sub_ps(block_m, offset(max)));
  _mm256_maskstore_ps(rows.m, sees_any, max);
  _mm256_maskstore_ps(rows.l, sees_any, _mm256_fmadd_ps(l, keep, _mm256_mul_ps(block_l, take)));
  _mm256_maskstore_ps(rows.keep, all, keep);
  _mm256_maskstore_ps(rows.take, all, take);
}

template <int kRows, typename T>
void score_rows(const AttentionShape& shape, const AttentionBlock& keys, AttentionRows& rows) {
  const Seen seen = seen_by<kRows>(rows);
  const __m256 m = score_positions<kRows, T>(shape, keys, rows, seen);
  merge<kRows>(m, weigh_positions<kRows>(m, seen, rows.p), rows);
}

template <typename T>
void score_as(const AttentionShape& shape, const AttentionBlock& keys, AttentionRows& rows) {
  if (rows.count == 4) return score_rows<4, T>(shape, keys, rows);
  if (rows.count == 2) return score_rows<2, T>(shape, keys, rows);
  return score_rows<1, T>(shape, keys, rows);
}

void score(const AttentionShape& shape, const AttentionBlock& keys, AttentionRows& rows) {
  return keys.is_f16 ? score_as<Half>(shape, keys, rows) : score_as<float>(shape, keys, rows);
}

// ---- values ---------------------------------------------------------------------------------

// o[row] = o[row] * keep + take * sum over j of p[j][row] * v[j], for 8 kColumns columns from c
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
    if (c == 0) prefetch(values, j, 1);
    __m256 value[kColumns];
    for (int i = 0; i < kColumns; ++i) value[i] = load_columns(v + j * stride + 8 * i);
    for (int row = 0; row < kRows; ++row) {
      const __m256 weight = _mm256_set1_ps(p[kRows * j + row]);
      for (int i = 0; i < kColumns; ++i) {
        sums[row][i] = _mm256_fmadd_ps(weight, value[i], sums[row][i]);
      }
    }
  }
  for (int row = 0; row < kRows; ++row) {
    if (rows.begin[row] >= rows.end[row]) continue;
    for (int rest = same_begin ? j : rows.begin[row]; rest < rows.end[row]; ++rest) {
      const __m256 weight = _mm256_set1_ps(p[kRows * rest + row]);
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
  attention_in_tiles(args, part, AttentionInner{4, load, score, weigh});
}

}  // namespace galley::kernels::avx2
