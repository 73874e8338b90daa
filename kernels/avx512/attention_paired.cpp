// The values of a block of Q8_0, weighted: integers times integers, two positions at a time.
//
// Weights become 16-bit integers (scalar/attention_steps.h), for every 32 columns anew, as the
// scales of the values differ. The 16 lanes of a register are positions while weights are
// rounded, columns while they are multiplied.
#include <immintrin.h>

#include <cstdint>
#include <limits>

#include "kernels/avx512/attention_inner.h"
#include "kernels/avx512/lanes.h"
#include "kernels/scalar/attention_steps.h"
#include "kernels/unroll.h"

namespace galley::kernels::avx512 {
namespace {

constexpr int kPairs = kAttentionBlock / 2;

// The weights of some rows as integers: a dword has those of two positions 16 apart.
template <int kRows>
struct PairedWeights {
  alignas(64) std::int32_t pairs[kRows][kPairs];
  float scale[kRows];  // what they are worth
};

// The weights p of a row.
GALLEY_INLINE inline void round_weights(const float* p, const float* factors, std::int32_t* pairs) {
  const auto rounded = [&](int j) GALLEY_INLINE {
    return _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_loadu_ps(p + j), _mm512_load_ps(factors + j)));
  };
  for (int j = 0; j < kAttentionBlock; j += 32) {
    const __m512i high = _mm512_slli_epi32(rounded(j + 16), 16);
    _mm512_store_si512(pairs + j / 2, _mm512_mask_blend_epi16(0xaaaaaaaa, rounded(j), high));
  }
}

// Those of all rows, for block b of columns.
template <int kRows>
GALLEY_INLINE inline void round_weights(const AttentionRows& rows,
                                        const PairedValues<const float>& values, std::int64_t b,
                                        PairedWeights<kRows>& out) {
  const float* d = values.d(b);
  const float* whole_factors = values.factors(b);
  const float whole_scale = values.scale(b);
  unroll<kRows>([&](auto row) GALLEY_INLINE {
    const std::int32_t begin = rows.begin[row.value];
    const std::int32_t end = rows.end[row.value];
    const float* p = rows.p + row.value * kAttentionBlock;
    if (begin == 0 && end == kAttentionBlock) {
      out.scale[row.value] = whole_scale;
      round_weights(p, whole_factors, out.pairs[row.value]);
    } else {
      alignas(64) float factors[kAttentionBlock];
      out.scale[row.value] = weight_factors(d, begin, end, factors);
      round_weights(p, factors, out.pairs[row.value]);
    }
  });
}

// What the rows see of the block, in pairs.
struct Seen {
  int begin = kPairs;
  int end = 0;
};

template <int kRows>
Seen seen_by(const AttentionRows& rows) {
  Seen seen;
  for (int row = 0; row < kRows; ++row) {
    if (rows.begin[row] >= rows.end[row]) continue;
    const int begin = rows.begin[row] / 32 * 16;
    const int end = (rows.end[row] + 31) / 32 * 16;
    seen.begin = begin < seen.begin ? begin : seen.begin;
    seen.end = end > seen.end ? end : seen.end;
  }
  return seen;
}

// sums[row] = the products of the rows' weights with the values of 32 columns, `stride` dwords from
// pair to pair. (Inlined, the loop has too few registers.)
template <int kRows>
[[gnu::noinline]] void multiply_pairs(const PairedWeights<kRows>& weights, Seen seen,
                                      const float* values, std::int64_t stride, Ahead& ahead,
                                      __m512i (*sums)[2]) {
  __m512i sum[kRows][2];
  unroll<kRows>([&](auto row) GALLEY_INLINE {
    sum[row.value][0] = sum[row.value][1] = _mm512_setzero_si512();
  });
  Ahead to_come = ahead;  // a copy, which stays in registers
  for (int pair = seen.begin; pair < seen.end; ++pair) {
    ask(to_come);
    ask(to_come);
    const float* at = values + pair * stride;
    const __m512i value[2] = {_mm512_load_si512(at), _mm512_load_si512(at + 16)};
    for (int row = 0; row < kRows; ++row) {
      const __m512i weight = _mm512_set1_epi32(weights.pairs[row][pair]);
      for (int i = 0; i < 2; ++i) {
        sum[row][i] = _mm512_dpwssd_epi32(sum[row][i], value[i], weight);
      }
    }
  }
  ahead = to_come;
  unroll<kRows>([&](auto row) GALLEY_INLINE {
    for (int i = 0; i < 2; ++i) sums[row.value][i] = sum[row.value][i];
  });
}

// o = o * keep + take * the weighted values, for the 32 columns from c on.
template <int kRows>
void weigh_columns(const AttentionShape& shape, const AttentionBlock& values,
                   const AttentionRows& rows, Seen seen, std::int64_t c) {
  const PairedValues<const float> v{reinterpret_cast<const float*>(values.rows), shape.v_columns};
  PairedWeights<kRows> weights;
  round_weights(rows, v, c / 32, weights);
  __m512i sums[kRows][2];
  multiply_pairs(weights, seen, v.pair(0) + c, shape.v_columns, *values.ahead, sums);
  unroll<kRows>([&](auto row) GALLEY_INLINE {
    if (rows.begin[row.value] >= rows.end[row.value]) return;
    float* o = rows.o + row.value * shape.v_columns + c;
    const __m512 scale = _mm512_set1_ps(weights.scale[row.value]);
    const __m512 keep = _mm512_set1_ps(rows.keep[row.value]);
    const __m512 take = _mm512_set1_ps(rows.take[row.value]);
    for (int i = 0; i < 2; ++i) {
      const __m512 sum = _mm512_mul_ps(_mm512_cvtepi32_ps(sums[row.value][i]), scale);
      _mm512_storeu_ps(
          o + 16 * i, _mm512_fmadd_ps(_mm512_loadu_ps(o + 16 * i), keep, _mm512_mul_ps(sum, take)));
    }
  });
}

template <int kRows>
void weigh_rows(const AttentionShape& shape, const AttentionBlock& values,
                const AttentionRows& rows) {
  const Seen seen = seen_by<kRows>(rows);
  for (std::int64_t c = 0; c < shape.v_columns; c += 32) {
    weigh_columns<kRows>(shape, values, rows, seen, c);
  }
}

}  // namespace

float weight_factors(const float* d, std::int32_t begin, std::int32_t end, float* factors) {
  const std::uint64_t seen =
      begin < end ? ~std::uint64_t{0} >> (kAttentionBlock - end) & ~std::uint64_t{0} << begin : 0;
  __m512i scales[kAttentionBlock / 16];
  __m512i largest = _mm512_setzero_si512();
  for (int i = 0; i < kAttentionBlock / 16; ++i) {
    scales[i] = _mm512_maskz_loadu_epi32(static_cast<__mmask16>(seen >> 16 * i), d + 16 * i);
    largest = _mm512_max_epu32(largest, scales[i]);
  }
  const scalar::WeightScale scale = scalar::weight_scale(_mm512_reduce_max_epu32(largest));
  for (int i = 0; i < kAttentionBlock / 16; ++i) {
    _mm512_store_ps(factors + 16 * i, _mm512_mul_ps(_mm512_castsi512_ps(scales[i]),
                                                    _mm512_set1_ps(scale.to_integers)));
  }
  return scale.scale;
}

void weigh_paired(const AttentionShape& shape, const AttentionBlock& values,
                  const AttentionRows& rows) {
  if (rows.count == 8) return weigh_rows<8>(shape, values, rows);
  if (rows.count == 4) return weigh_rows<4>(shape, values, rows);
  if (rows.count == 2) return weigh_rows<2>(shape, values, rows);
  return weigh_rows<1>(shape, values, rows);
}

}  // namespace galley::kernels::avx512
