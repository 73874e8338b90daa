// Attention, four rows and 8 lanes at a time: the inner functions of kernels/attention.h.
//
// The scores of four rows are kept as p[position][row], so that one register holds two
// positions of all four rows and nothing is ever summed across a row alone.
#include "kernels/attention.h"

#include <immintrin.h>

#include "kernels/avx2/lanes.h"
#include "kernels/avx2/math.h"
#include "tensor/blocks.h"
#include "tensor/dtype_enum.h"

namespace galley::kernels::avx2 {
namespace {

constexpr std::int64_t kBlockScores = kAttentionBlock * kRowsAtOnce;

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

void load_rows(const KvTensor& kv, const std::byte* rows, std::int64_t n_rows, float* out,
               std::int64_t stride) {
  for (std::int64_t i = 0; i < n_rows; ++i) {
    const std::byte* row = rows + i * kv.row_bytes;
    float* out_row = out + i * stride;
    if (kv.type == DType::kF16) {
      load_f16(row, kv.head_size, out_row);
    } else if (kv.type == DType::kQ8_0) {
      load_q8_0(row, kv.head_size, out_row);
    } else {
      load_f32(row, kv.head_size, out_row);
    }
    // The loads above wrote whole registers; the padding may reach one register further.
    if (stride - kv.head_size >= 8) _mm256_storeu_ps(out_row + stride - 8, _mm256_setzero_ps());
  }
}

// ---- scores ---------------------------------------------------------------------------------

// The eight sums p[i] + p[i + 8] of 4 rows x 2 positions, each through the rest of the tree of
// `total` in lanes.h; the result has position j in 128-bit lane j and row i in its element i.
__m256 totals(const __m256 (&eights)[4][2]) {
  __m256 fours[4];  // of one row: (p0 + p8) + (p4 + p12), ... in 128-bit lane j
  for (int i = 0; i < 4; ++i) {
    fours[i] = _mm256_add_ps(_mm256_permute2f128_ps(eights[i][0], eights[i][1], 0x20),
                             _mm256_permute2f128_ps(eights[i][0], eights[i][1], 0x31));
  }
  const auto twos = [](__m256 a, __m256 b) {
    const __m256d x = _mm256_castps_pd(a);
    const __m256d y = _mm256_castps_pd(b);
    return _mm256_add_ps(_mm256_castpd_ps(_mm256_unpacklo_pd(x, y)),
                         _mm256_castpd_ps(_mm256_unpackhi_pd(x, y)));
  };
  const __m256 twos01 = twos(fours[0], fours[1]);
  const __m256 twos23 = twos(fours[2], fours[3]);
  return _mm256_add_ps(_mm256_shuffle_ps(twos01, twos23, 0x88),
                       _mm256_shuffle_ps(twos01, twos23, 0xdd));
}

// The sums p[i] + p[i + 8] for kRows rows of q and two neighbouring keys.
template <int kRows>
void two_keys(const AttentionBlock& block, const float* q, const float* k, __m256 (*eights)[2]) {
  __m256 low[kRows][2];
  __m256 high[kRows][2];
  for (int row = 0; row < kRows; ++row) {
    for (int i = 0; i < 2; ++i) low[row][i] = high[row][i] = _mm256_setzero_ps();
  }
  for (std::int64_t c = 0; c < block.k_columns; c += 16) {
    __m256 keys[2];
    for (int half = 0; half < 2; ++half) {
      auto& sums = half == 0 ? low : high;
      for (int i = 0; i < 2; ++i) {
        keys[i] = _mm256_loadu_ps(k + i * block.k_stride + c + 8 * half);
      }
      for (int row = 0; row < kRows; ++row) {
        const __m256 query = _mm256_loadu_ps(q + row * block.k_columns + c + 8 * half);
        for (int i = 0; i < 2; ++i) sums[row][i] = _mm256_fmadd_ps(query, keys[i], sums[row][i]);
      }
    }
  }
  for (int row = 0; row < kRows; ++row) {
    for (int i = 0; i < 2; ++i) eights[row][i] = _mm256_add_ps(low[row][i], high[row][i]);
  }
}

// p[j][i] = q[i] . k[j] for positions j of begin .. end - 1 (and perhaps one before and after).
template <int kRows>
void dot_products(const AttentionBlock& block, const float* q, int begin, int end, float* p) {
  for (std::int64_t j = begin / 2 * 2; j < end; j += 2) {
    __m256 eights[4][2];
    for (auto& row : eights) row[0] = row[1] = _mm256_setzero_ps();
    const float* k = block.k + j * block.k_stride;
    two_keys < kRows<2 ? kRows : 2>(block, q, k, eights);
    if constexpr (kRows > 2) two_keys<kRows - 2>(block, q + 2 * block.k_columns, k, eights + 2);
    _mm256_store_ps(p + kRowsAtOnce * j, totals(eights));
  }
}

// ---- softmax --------------------------------------------------------------------------------

__m256 twice(__m128 x) { return _mm256_set_m128(x, x); }
__m256i twice(const std::int32_t (&x)[kRowsAtOnce]) {
  return _mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(x)));
}

// What is subtracted from scores whose maximum is m: m, but 0 where m is -inf.
__m128 offset(__m128 m) {
  const __m128 lowest = _mm_set1_ps(-__builtin_inff());
  return _mm_andnot_ps(_mm_cmpeq_ps(m, lowest), m);
}

// What becomes of the dot products of one block: each row's weights in p, and their maximum and
// sum.
struct BlockSoftmax {
  __m128 m;
  __m128 l;
};

BlockSoftmax softmax(const AttentionBlock& block, const AttentionRows& rows, int begin, int end,
                     float* p) {
  const __m256i first = twice(rows.begin);
  const __m256i last = twice(rows.end);
  const __m256i lane_position = _mm256_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1);
  const __m256 scale = _mm256_set1_ps(block.scale);
  const __m256 softcap = _mm256_set1_ps(block.softcap);
  const __m256 lowest = _mm256_set1_ps(-__builtin_inff());
  __m256 max = lowest;
  for (int j = begin / 16 * 16; j < (end + 15) / 16 * 16; j += 2) {
    __m256 score = _mm256_mul_ps(_mm256_load_ps(p + kRowsAtOnce * j), scale);
    if (block.softcap > 0.0f) {
      score = _mm256_mul_ps(softcap, tanh(_mm256_div_ps(score, softcap)));
    }
    const __m256i position = _mm256_add_epi32(lane_position, _mm256_set1_epi32(j));
    const __m256i seen = _mm256_andnot_si256(_mm256_cmpgt_epi32(first, position),
                                             _mm256_cmpgt_epi32(last, position));
    score = _mm256_blendv_ps(lowest, score, _mm256_castsi256_ps(seen));
    _mm256_store_ps(p + kRowsAtOnce * j, score);
    max = _mm256_max_ps(score, max);  // the second operand if the score is a NaN
  }
  BlockSoftmax result;
  result.m = _mm_max_ps(_mm256_castps256_ps128(max), _mm256_extractf128_ps(max, 1));
  const __m256 shift = twice(offset(result.m));
  __m256 sums[8];  // partials 2 i and 2 i + 1 of each row in sums[i]
  for (__m256& sum : sums) sum = _mm256_setzero_ps();
  for (int j = begin / 16 * 16; j < end; j += 16) {
    for (int i = 0; i < 8; ++i) {
      float* scores = p + kRowsAtOnce * (j + 2 * i);
      const __m256 power = exp(_mm256_sub_ps(_mm256_load_ps(scores), shift));
      _mm256_store_ps(scores, power);
      sums[i] = _mm256_add_ps(sums[i], power);
    }
  }
  for (int i = 0; i < 4; ++i) sums[i] = _mm256_add_ps(sums[i], sums[i + 4]);
  const __m256 twos =
      _mm256_add_ps(_mm256_add_ps(sums[0], sums[2]), _mm256_add_ps(sums[1], sums[3]));
  result.l = _mm_add_ps(_mm256_castps256_ps128(twos), _mm256_extractf128_ps(twos, 1));
  return result;
}

// By what the sums so far, and those of the block, are multiplied when they are merged.
struct Factors {
  float keep[kRowsAtOnce];
  float take[kRowsAtOnce];
};

// Merges the block's maximum and sum into the rows'.
Factors merge(const BlockSoftmax& softmax, const AttentionRows& rows) {
  const __m128i seen =
      _mm_cmplt_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(rows.begin)),
                      _mm_loadu_si128(reinterpret_cast<const __m128i*>(rows.end)));
  const __m128 m = _mm_maskload_ps(rows.m, seen);
  const __m128 l = _mm_maskload_ps(rows.l, seen);
  const __m128 max = _mm_max_ps(softmax.m, m);
  const __m128 shift = offset(max);
  const __m256 powers = exp(_mm256_set_m128(_mm_sub_ps(softmax.m, shift), _mm_sub_ps(m, shift)));
  const __m128 keep = _mm256_castps256_ps128(powers);
  const __m128 take = _mm256_extractf128_ps(powers, 1);
  _mm_maskstore_ps(rows.m, seen, max);
  _mm_maskstore_ps(rows.l, seen, _mm_fmadd_ps(l, keep, _mm_mul_ps(softmax.l, take)));
  Factors factors;
  _mm_storeu_ps(factors.keep, keep);
  _mm_storeu_ps(factors.take, take);
  return factors;
}

// ---- values ---------------------------------------------------------------------------------

// o[row] = o[row] * keep + take * sum over j of p[j][row] * v[j], for 16 columns from c on. Each
// row takes its positions in order; those that all rows see are done together.
template <int kRows>
void weigh_values(const AttentionBlock& block, const AttentionRows& rows, const Factors& factors,
                  const float* p, std::int64_t c) {
  __m256 sums[kRows][2];
  for (auto& row : sums) row[0] = row[1] = _mm256_setzero_ps();
  int common_end = rows.end[0];
  bool same_begin = true;
  for (int row = 1; row < kRows; ++row) {
    common_end = rows.end[row] < common_end ? rows.end[row] : common_end;
    same_begin = same_begin && rows.begin[row] == rows.begin[0];
  }
  const float* v = block.v + c;
  int j = rows.begin[0];
  for (; same_begin && j < common_end; ++j) {
    const __m256 low = _mm256_loadu_ps(v + j * block.v_stride);
    const __m256 high = _mm256_loadu_ps(v + j * block.v_stride + 8);
    for (int row = 0; row < kRows; ++row) {
      const __m256 weight = _mm256_broadcast_ss(p + kRowsAtOnce * j + row);
      sums[row][0] = _mm256_fmadd_ps(weight, low, sums[row][0]);
      sums[row][1] = _mm256_fmadd_ps(weight, high, sums[row][1]);
    }
  }
  for (int row = 0; row < kRows; ++row) {
    if (rows.begin[row] >= rows.end[row]) continue;
    for (int rest = same_begin ? j : rows.begin[row]; rest < rows.end[row]; ++rest) {
      const __m256 weight = _mm256_broadcast_ss(p + kRowsAtOnce * rest + row);
      for (int i = 0; i < 2; ++i) {
        const __m256 value = _mm256_loadu_ps(v + rest * block.v_stride + 8 * i);
        sums[row][i] = _mm256_fmadd_ps(weight, value, sums[row][i]);
      }
    }
    float* o = rows.o + row * block.v_columns + c;
    const __m256 keep = _mm256_set1_ps(factors.keep[row]);
    const __m256 take = _mm256_set1_ps(factors.take[row]);
    for (int i = 0; i < 2; ++i) {
      const __m256 taken = _mm256_mul_ps(sums[row][i], take);
      _mm256_storeu_ps(o + 8 * i, _mm256_fmadd_ps(_mm256_loadu_ps(o + 8 * i), keep, taken));
    }
  }
}

template <int kRows>
void attend_rows(const AttentionBlock& block, const AttentionRows& rows) {
  int begin = kAttentionBlock;
  int end = 0;
  for (int row = 0; row < kRows; ++row) {
    if (rows.begin[row] >= rows.end[row]) continue;
    begin = rows.begin[row] < begin ? rows.begin[row] : begin;
    end = rows.end[row] > end ? rows.end[row] : end;
  }
  alignas(32) float p[kBlockScores];
  dot_products<kRows>(block, rows.q, begin, end, p);
  const Factors factors = merge(softmax(block, rows, begin, end, p), rows);
  for (std::int64_t c = 0; c < block.v_columns; c += 16) {
    weigh_values<kRows>(block, rows, factors, p, c);
  }
}

void attend(const AttentionBlock& block, const AttentionRows& rows) {
  switch (rows.count) {
    case 1:
      return attend_rows<1>(block, rows);
    case 2:
      return attend_rows<2>(block, rows);
    case 3:
      return attend_rows<3>(block, rows);
    default:
      return attend_rows<4>(block, rows);
  }
}

}  // namespace

void attention(const AttentionArgs& args, Part part) {
  attention_in_tiles(args, part, AttentionInner{load_rows, attend});
}

}  // namespace galley::kernels::avx2
