// Attention, four rows and 16 lanes at a time: the inner functions of kernels/attention.h.
//
// The scores of four rows are kept as p[position][row], so that one register holds four
// positions of all four rows and nothing is ever summed across a row alone.
#include "kernels/attention.h"

#include <immintrin.h>

#include "kernels/avx512/lanes.h"
#include "kernels/avx512/math.h"
#include "tensor/blocks.h"
#include "tensor/dtype_enum.h"

namespace galley::kernels::avx512 {
namespace {

constexpr std::int64_t kBlockScores = kAttentionBlock * kRowsAtOnce;

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

void load_rows(const KvTensor& kv, const std::byte* rows, std::int64_t n_rows, float* out,
               std::int64_t stride) {
  for (std::int64_t i = 0; i < n_rows; ++i) {
    const std::byte* row = rows + i * kv.row_bytes;
    if (kv.type == DType::kF16) {
      load_f16(row, kv.head_size, out + i * stride);
    } else if (kv.type == DType::kQ8_0) {
      load_q8_0(row, kv.head_size, out + i * stride);
    } else {
      load_f32(row, kv.head_size, out + i * stride);
    }
  }
}

// ---- scores ---------------------------------------------------------------------------------

// The 16 partial sums of 4 rows x 4 positions, each through the tree of `total` in lanes.h;
// the result has position j in 128-bit lane j and row i in its element i.
__m512 totals(const __m512 (&sums)[4][4]) {
  __m512 fours[4];  // of one row: (p0 + p8) + (p4 + p12), ... in 128-bit lane j
  for (int i = 0; i < 4; ++i) {
    const __m512* s = sums[i];
    const __m512 eights01 = _mm512_add_ps(_mm512_shuffle_f32x4(s[0], s[1], 0x44),
                                          _mm512_shuffle_f32x4(s[0], s[1], 0xee));
    const __m512 eights23 = _mm512_add_ps(_mm512_shuffle_f32x4(s[2], s[3], 0x44),
                                          _mm512_shuffle_f32x4(s[2], s[3], 0xee));
    fours[i] = _mm512_add_ps(_mm512_shuffle_f32x4(eights01, eights23, 0x88),
                             _mm512_shuffle_f32x4(eights01, eights23, 0xdd));
  }
  const auto twos = [](__m512 a, __m512 b) {
    const __m512d x = _mm512_castps_pd(a);
    const __m512d y = _mm512_castps_pd(b);
    return _mm512_add_ps(_mm512_castpd_ps(_mm512_unpacklo_pd(x, y)),
                         _mm512_castpd_ps(_mm512_unpackhi_pd(x, y)));
  };
  const __m512 twos01 = twos(fours[0], fours[1]);
  const __m512 twos23 = twos(fours[2], fours[3]);
  return _mm512_add_ps(_mm512_shuffle_ps(twos01, twos23, 0x88),
                       _mm512_shuffle_ps(twos01, twos23, 0xdd));
}

// p[j][i] = q[i] . k[j] for positions j of begin .. end - 1 (and a few around them).
template <int kRows>
void dot_products(const AttentionBlock& block, const float* q, int begin, int end, float* p) {
  for (std::int64_t j = begin / 4 * 4; j < end; j += 4) {
    __m512 sums[4][4];
    for (auto& row : sums) {
      for (__m512& sum : row) sum = _mm512_setzero_ps();
    }
    const float* k = block.k + j * block.k_stride;
    for (std::int64_t c = 0; c < block.k_columns; c += 16) {
      __m512 keys[4];
      for (int i = 0; i < 4; ++i) keys[i] = _mm512_loadu_ps(k + i * block.k_stride + c);
      for (int row = 0; row < kRows; ++row) {
        const __m512 query = _mm512_loadu_ps(q + row * block.k_columns + c);
        for (int i = 0; i < 4; ++i) sums[row][i] = _mm512_fmadd_ps(query, keys[i], sums[row][i]);
      }
    }
    _mm512_store_ps(p + kRowsAtOnce * j, totals(sums));
  }
}

// ---- softmax --------------------------------------------------------------------------------

__m512 four_times(__m128 x) { return _mm512_broadcast_f32x4(x); }

// The largest of the four 128-bit lanes, element by element.
__m128 largest(__m512 x) {
  const __m256 two = _mm256_max_ps(_mm512_castps512_ps256(x), _mm512_extractf32x8_ps(x, 1));
  return _mm_max_ps(_mm256_castps256_ps128(two), _mm256_extractf128_ps(two, 1));
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
  const __m512i first =
      _mm512_broadcast_i32x4(_mm_loadu_si128(reinterpret_cast<const __m128i*>(rows.begin)));
  const __m512i last =
      _mm512_broadcast_i32x4(_mm_loadu_si128(reinterpret_cast<const __m128i*>(rows.end)));
  const __m512i lane_position = _mm512_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3);
  const __m512 scale = _mm512_set1_ps(block.scale);
  const __m512 softcap = _mm512_set1_ps(block.softcap);
  const __m512 lowest = _mm512_set1_ps(-__builtin_inff());
  __m512 max = lowest;
  for (int j = begin / 16 * 16; j < (end + 15) / 16 * 16; j += 4) {
    __m512 score = _mm512_mul_ps(_mm512_load_ps(p + kRowsAtOnce * j), scale);
    if (block.softcap > 0.0f) {
      score = _mm512_mul_ps(softcap, tanh(_mm512_div_ps(score, softcap)));
    }
    const __m512i position = _mm512_add_epi32(lane_position, _mm512_set1_epi32(j));
    const __mmask16 seen =
        _mm512_cmpge_epi32_mask(position, first) & _mm512_cmplt_epi32_mask(position, last);
    score = _mm512_mask_mov_ps(lowest, seen, score);
    _mm512_store_ps(p + kRowsAtOnce * j, score);
    max = _mm512_max_ps(score, max);  // the second operand if the score is a NaN
  }
  BlockSoftmax result;
  result.m = largest(max);
  const __m512 shift = four_times(offset(result.m));
  __m512 sums[4] = {_mm512_setzero_ps(), _mm512_setzero_ps(), _mm512_setzero_ps(),
                    _mm512_setzero_ps()};  // partials 4 i .. 4 i + 3 of each row in sums[i]
  for (int j = begin / 16 * 16; j < end; j += 16) {
    for (int i = 0; i < 4; ++i) {
      float* scores = p + kRowsAtOnce * (j + 4 * i);
      const __m512 power = exp(_mm512_sub_ps(_mm512_load_ps(scores), shift));
      _mm512_store_ps(scores, power);
      sums[i] = _mm512_add_ps(sums[i], power);
    }
  }
  const __m512 fours =
      _mm512_add_ps(_mm512_add_ps(sums[0], sums[2]), _mm512_add_ps(sums[1], sums[3]));
  const __m256 twos =
      _mm256_add_ps(_mm512_castps512_ps256(fours), _mm512_extractf32x8_ps(fours, 1));
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
  const __mmask8 seen =
      _mm_cmplt_epi32_mask(_mm_loadu_si128(reinterpret_cast<const __m128i*>(rows.begin)),
                           _mm_loadu_si128(reinterpret_cast<const __m128i*>(rows.end)));
  const __m128 m = _mm_maskz_loadu_ps(seen, rows.m);
  const __m128 l = _mm_maskz_loadu_ps(seen, rows.l);
  const __m128 max = _mm_max_ps(softmax.m, m);
  const __m128 shift = offset(max);
  const __m512 both = _mm512_castps128_ps512(_mm_sub_ps(m, shift));
  const __m512 powers = exp(_mm512_insertf32x4(both, _mm_sub_ps(softmax.m, shift), 1));
  const __m128 keep = _mm512_castps512_ps128(powers);
  const __m128 take = _mm512_extractf32x4_ps(powers, 1);
  _mm_mask_storeu_ps(rows.m, seen, max);
  _mm_mask_storeu_ps(rows.l, seen, _mm_fmadd_ps(l, keep, _mm_mul_ps(softmax.l, take)));
  Factors factors;
  _mm_storeu_ps(factors.keep, keep);
  _mm_storeu_ps(factors.take, take);
  return factors;
}

// ---- values ---------------------------------------------------------------------------------

// o[row] = o[row] * keep + take * sum over j of p[j][row] * v[j], for 16 kColumns columns from c
// on. Each row takes its positions in order; those that all rows see are done together.
template <int kRows, int kColumns>
void weigh_values(const AttentionBlock& block, const AttentionRows& rows, const Factors& factors,
                  const float* p, std::int64_t c) {
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
  const float* v = block.v + c;
  int j = rows.begin[0];
  for (; same_begin && j < common_end; ++j) {
    __m512 values[kColumns];
    for (int i = 0; i < kColumns; ++i) values[i] = _mm512_loadu_ps(v + j * block.v_stride + 16 * i);
    for (int row = 0; row < kRows; ++row) {
      const __m512 weight = _mm512_set1_ps(p[kRowsAtOnce * j + row]);
      for (int i = 0; i < kColumns; ++i) {
        sums[row][i] = _mm512_fmadd_ps(weight, values[i], sums[row][i]);
      }
    }
  }
  for (int row = 0; row < kRows; ++row) {
    if (rows.begin[row] >= rows.end[row]) continue;
    for (int rest = same_begin ? j : rows.begin[row]; rest < rows.end[row]; ++rest) {
      const __m512 weight = _mm512_set1_ps(p[kRowsAtOnce * rest + row]);
      for (int i = 0; i < kColumns; ++i) {
        const __m512 value = _mm512_loadu_ps(v + rest * block.v_stride + 16 * i);
        sums[row][i] = _mm512_fmadd_ps(weight, value, sums[row][i]);
      }
    }
    float* o = rows.o + row * block.v_columns + c;
    const __m512 keep = _mm512_set1_ps(factors.keep[row]);
    const __m512 take = _mm512_set1_ps(factors.take[row]);
    for (int i = 0; i < kColumns; ++i) {
      const __m512 taken = _mm512_mul_ps(sums[row][i], take);
      _mm512_storeu_ps(o + 16 * i, _mm512_fmadd_ps(_mm512_loadu_ps(o + 16 * i), keep, taken));
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
  alignas(64) float p[kBlockScores];
  dot_products<kRows>(block, rows.q, begin, end, p);
  const Factors factors = merge(softmax(block, rows, begin, end, p), rows);
  std::int64_t c = 0;
  for (; c + 64 <= block.v_columns; c += 64) weigh_values<kRows, 4>(block, rows, factors, p, c);
  for (; c < block.v_columns; c += 16) weigh_values<kRows, 1>(block, rows, factors, p, c);
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

}  // namespace galley::kernels::avx512
