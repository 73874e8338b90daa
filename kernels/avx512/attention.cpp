// Attention for 1, 2, 4 or 8 rows at a time: the inner functions of kernels/attention.h.
//
// Scores are kept as p[position][row], so that the 16 lanes of a register are 16 / kRows positions
// of kRows rows, and maxima and sums over positions are taken for all rows at once.
#include "kernels/attention.h"

#include <immintrin.h>

#include "kernels/avx512/lanes.h"
#include "kernels/avx512/math.h"
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

// ---- scores ---------------------------------------------------------------------------------

// 16 columns of a cached row.
__m512 load_columns(const float* x) { return _mm512_loadu_ps(x); }
__m512 load_columns(const Half* x) {
  return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(x)));
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

// The other half of a register, of its halves, of its quarters, of its eighths.
template <int kLanes>
__m512 swapped(__m512 x) {
  if constexpr (kLanes == 8) return _mm512_shuffle_f32x4(x, x, 0x4e);
  if constexpr (kLanes == 4) return _mm512_shuffle_f32x4(x, x, 0xb1);
  if constexpr (kLanes == 2) return _mm512_permute_ps(x, 0x4e);
  if constexpr (kLanes == 1) return _mm512_permute_ps(x, 0xb1);
}

// Lane by lane: a where the mask of the lanes' group of kLanes is 0, b where it is 1.
template <int kLanes>
__m512 blended(__m512 a, __m512 b) {
  constexpr __mmask16 kMask = kLanes == 8   ? 0xff00
                              : kLanes == 4 ? 0xf0f0
                              : kLanes == 2 ? 0xcccc
                                            : 0xaaaa;
  return _mm512_mask_blend_ps(kMask, a, b);
}

// swapped(blended(b, a)): what `blended` left of a and b, each next to its other half. One
// shuffle does it where that takes halves of two registers in order.
template <int kLanes>
__m512 crossed(__m512 a, __m512 b) {
  if constexpr (kLanes == 8) return _mm512_shuffle_f32x4(a, b, 0x4e);
  if constexpr (kLanes == 2) {
    return _mm512_castpd_ps(_mm512_shuffle_pd(_mm512_castps_pd(a), _mm512_castps_pd(b), 0x55));
  }
  return swapped<kLanes>(blended<kLanes>(b, a));
}

// Adds the halves of a and those of b: a's sums where `blended` takes a, b's in the other lanes.
template <int kLanes>
__m512 add_halves(__m512 a, __m512 b) {
  return _mm512_add_ps(blended<kLanes>(a, b), crossed<kLanes>(a, b));
}

// The 16 partial sums in each of 16 registers, each through the tree of `total` in lanes.h:
// lane i of the result is the total of sums[i].
[[gnu::always_inline]] inline __m512 totals(const __m512 (&sums)[16]) {
  __m512 eights[8];
  for (int i = 0; i < 8; ++i) eights[i] = add_halves<8>(sums[i], sums[i + 8]);
  __m512 fours[4];
  for (int i = 0; i < 4; ++i) fours[i] = add_halves<4>(eights[i], eights[i + 4]);
  return add_halves<1>(add_halves<2>(fours[0], fours[2]), add_halves<2>(fours[1], fours[3]));
}

// Combines the lanes of the same row: every lane gets the result of its row.
template <int kRows, typename Op>
__m512 across_positions(__m512 x, Op op) {
  if constexpr (kRows <= 8) x = op(x, swapped<8>(x));
  if constexpr (kRows <= 4) x = op(x, swapped<4>(x));
  if constexpr (kRows <= 2) x = op(x, swapped<2>(x));
  if constexpr (kRows <= 1) x = op(x, swapped<1>(x));
  return x;
}

__m512i lane_index() {
  return _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
}

// Lane i gets x[i % kRows].
template <int kRows>
__m512i for_each_position(const std::int32_t (&x)[kMostRows]) {
  const __m512i row = _mm512_and_si512(lane_index(), _mm512_set1_epi32(kRows - 1));
  const __m256i rows = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(x));
  return _mm512_permutexvar_epi32(row, _mm512_castsi256_si512(rows));
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

// q . k of kRows rows and the 16 / kRows positions from k on.
template <int kRows, typename T>
[[gnu::always_inline]] inline __m512 dot_products(const float* q, const T* k,
                                                  std::int64_t columns) {
  __m512 sums[16];
  for (__m512& sum : sums) sum = _mm512_setzero_ps();
  for (std::int64_t c = 0; c < columns; c += 16) {
    __m512 query[kRows];
    for (int row = 0; row < kRows; ++row) query[row] = _mm512_loadu_ps(q + row * columns + c);
    for (int i = 0; i < 16 / kRows; ++i) {
      const __m512 key = load_columns(k + i * columns + c);
      for (int row = 0; row < kRows; ++row) {
        __m512& sum = sums[i * kRows + row];
        sum = _mm512_fmadd_ps(query[row], key, sum);
      }
    }
  }
  return totals(sums);
}

// Fills p with the scores, -inf where a row does not see a position, in whole steps of 16
// positions around those seen; returns the rows' maxima.
template <int kRows, typename T>
__m512 score_positions(const AttentionShape& shape, const AttentionBlock& keys,
                       const AttentionRows& rows, const Seen& seen) {
  constexpr int kPositions = 16 / kRows;
  const __m512i first = for_each_position<kRows>(rows.begin);
  const __m512i last = for_each_position<kRows>(rows.end);
  const __m512i lane_position = _mm512_srli_epi32(lane_index(), kRows == 8   ? 3
                                                                : kRows == 4 ? 2
                                                                : kRows == 2 ? 1
                                                                             : 0);
  const __m512 scale = _mm512_set1_ps(shape.scale);
  const __m512 softcap = _mm512_set1_ps(shape.softcap);
  const __m512 lowest = _mm512_set1_ps(-__builtin_inff());
  __m512 max = lowest;
  for (int j = seen.begin / 16 * 16; j < (seen.end + 15) / 16 * 16; j += kPositions) {
    prefetch(keys, j, kPositions);
    const T* k = reinterpret_cast<const T*>(keys.rows) + j * shape.k_columns;
    __m512 score = _mm512_mul_ps(dot_products<kRows>(rows.q, k, shape.k_columns), scale);
    if (shape.softcap > 0.0f) {
      score = _mm512_mul_ps(softcap, tanh(_mm512_div_ps(score, softcap)));
    }
    if (!seen.all) {
      const __m512i position = _mm512_add_epi32(lane_position, _mm512_set1_epi32(j));
      const __mmask16 is_seen =
          _mm512_cmpge_epi32_mask(position, first) & _mm512_cmplt_epi32_mask(position, last);
      score = _mm512_mask_mov_ps(lowest, is_seen, score);
    }
    _mm512_storeu_ps(rows.p + kRows * j, score);
    max = _mm512_max_ps(score, max);  // the second operand if the score is a NaN
  }
  return across_positions<kRows>(max, [](__m512 a, __m512 b) { return _mm512_max_ps(a, b); });
}

// What is subtracted from scores whose maximum is m: m, but 0 where m is -inf.
__m512 offset(__m512 m) {
  const __m512 lowest = _mm512_set1_ps(-__builtin_inff());
  return _mm512_maskz_mov_ps(_mm512_cmpneq_ps_mask(m, lowest), m);
}

// Turns the scores in p into weights e^(score - m); returns the rows' sums.
template <int kRows>
__m512 weigh_positions(__m512 m, const Seen& seen, float* p) {
  const __m512 shift = offset(m);
  __m512 sums[kRows];  // 16 partial sums of each row
  for (__m512& sum : sums) sum = _mm512_setzero_ps();
  for (int j = seen.begin / 16 * 16; j < seen.end; j += 16) {
    for (int i = 0; i < kRows; ++i) {
      float* scores = p + kRows * j + 16 * i;
      const __m512 weight = exp(_mm512_sub_ps(_mm512_loadu_ps(scores), shift));
      _mm512_storeu_ps(scores, weight);
      sums[i] = _mm512_add_ps(sums[i], weight);
    }
  }
  for (int n = kRows / 2; n > 0; n /= 2) {
    for (int i = 0; i < n; ++i) sums[i] = _mm512_add_ps(sums[i], sums[i + n]);
  }
  return across_positions<kRows>(sums[0], [](__m512 a, __m512 b) { return _mm512_add_ps(a, b); });
}

// Merges the maxima and sums of the block into the rows', and tells how to merge their values.
template <int kRows>
void merge(__m512 block_m, __m512 block_l, AttentionRows& rows) {
  const __mmask16 sees_any =
      first_lanes(kRows) & _mm512_cmplt_epi32_mask(for_each_position<kRows>(rows.begin),
                                                   for_each_position<kRows>(rows.end));
  const __m512 m = _mm512_maskz_loadu_ps(sees_any, rows.m);
  const __m512 l = _mm512_maskz_loadu_ps(sees_any, rows.l);
  const __m512 max = _mm512_max_ps(block_m, m);
  const __m512 keep = exp(_mm512_sub_ps(m, offset(max)));
  const __m512 take = exp(_mm512_sub_ps(block_m, offset(max)));
  _mm512_mask_storeu_ps(rows.m, sees_any, max);
  _mm512_mask_storeu_ps(rows.l, sees_any, _mm512_fmadd_ps(l, keep, _mm512_mul_ps(block_l, take)));
  _mm512_mask_storeu_ps(rows.keep, first_lanes(kRows), keep);
  _mm512_mask_storeu_ps(rows.take, first_lanes(kRows), take);
}

template <int kRows, typename T>
void score_rows(const AttentionShape& shape, const AttentionBlock& keys, AttentionRows& rows) {
  const Seen seen = seen_by<kRows>(rows);
  const __m512 m = score_positions<kRows, T>(shape, keys, rows, seen);
  merge<kRows>(m, weigh_positions<kRows>(m, seen, rows.p), rows);
}

template <typename T>
void score_as(const AttentionShape& shape, const AttentionBlock& keys, AttentionRows& rows) {
  if (rows.count == 8) return score_rows<8, T>(shape, keys, rows);
  if (rows.count == 4) return score_rows<4, T>(shape, keys, rows);
  if (rows.count == 2) return score_rows<2, T>(shape, keys, rows);
  return score_rows<1, T>(shape, keys, rows);
}

void score(const AttentionShape& shape, const AttentionBlock& keys, AttentionRows& rows) {
  return keys.is_f16 ? score_as<Half>(shape, keys, rows) : score_as<float>(shape, keys, rows);
}

// ---- values ---------------------------------------------------------------------------------

// o[row] = o[row] * keep + take * sum over j of p[j][row] * v[j], for 16 kColumns columns from c
// on. Each row takes its positions in order; those that all rows see are done together.
template <int kRows, int kColumns, typename T>
void weigh_columns(const AttentionShape& shape, const AttentionBlock& values,
                   const AttentionRows& rows, std::int64_t c) {
  const std::int64_t stride = shape.v_columns;
  const float* p = rows.p;
  const T* v = reinterpret_cast<const T*>(values.rows) + c;
  __m512 sums[kRows][kColumns];
  for (auto& row : sums) {
    for (__m512& sum : row) sum = _mm512_setzero_ps();
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
    __m512 value[kColumns];
    for (int i = 0; i < kColumns; ++i) value[i] = load_columns(v + j * stride + 16 * i);
    for (int row = 0; row < kRows; ++row) {
      const __m512 weight = _mm512_set1_ps(p[kRows * j + row]);
      for (int i = 0; i < kColumns; ++i) {
        sums[row][i] = _mm512_fmadd_ps(weight, value[i], sums[row][i]);
      }
    }
  }
  for (int row = 0; row < kRows; ++row) {
    if (rows.begin[row] >= rows.end[row]) continue;
    for (int rest = same_begin ? j : rows.begin[row]; rest < rows.end[row]; ++rest) {
      const __m512 weight = _mm512_set1_ps(p[kRows * rest + row]);
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
  attention_in_tiles(args, part, AttentionInner{8, load, score, weigh});
}

}  // namespace galley::kernels::avx512
