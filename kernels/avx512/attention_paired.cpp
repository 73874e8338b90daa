// The values of a block of Q8_0, weighted: integers times integers, two positions at a time.
//
// Weights become 16-bit integers (scalar/attention_steps.h), for every 32 columns anew, as the
// scales of the values differ. The 16 lanes of a register are positions while weights are
// rounded, columns while they are multiplied.
#include <immintrin.h>

#include <cstdint>

#include "kernels/attention_paired.h"
#include "kernels/avx512/attention_inner.h"
#include "kernels/scalar/attention_steps.h"
#include "kernels/unroll.h"

namespace galley::kernels::avx512 {
namespace {

// For kernels/attention_paired.h.
struct Rounding {
  GALLEY_INLINE static void round_weights(const float* p, const float* factors,
                                          std::int32_t* pairs) {
    const auto rounded = [&](int j) GALLEY_INLINE {
      return _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_loadu_ps(p + j), _mm512_load_ps(factors + j)));
    };
    for (int j = 0; j < kAttentionBlock; j += 32) {
      const __m512i high = _mm512_slli_epi32(rounded(j + 16), 16);
      _mm512_store_si512(pairs + j / 2, _mm512_mask_blend_epi16(0xaaaaaaaa, rounded(j), high));
    }
  }
  static float weight_factors(const float* d, std::int32_t begin, std::int32_t end,
                              float* factors) {
    return avx512::weight_factors(d, begin, end, factors);
  }
};

// sums[row] = the products of the rows' weights with the values of 32 columns, `stride` dwords from
// pair to pair. (Inlined, the loop has too few registers.)
template <int kRows>
[[gnu::noinline]] void multiply_pairs(const PairedWeights<kRows>& weights, SeenPositions seen,
                                      const float* values, std::int64_t stride, Ahead& ahead,
                                      __m512i (*sums)[2]) {
  __m512i sum[kRows][2];
  unroll<kRows>([&](auto row) GALLEY_INLINE {
    sum[row.value][0] = sum[row.value][1] = _mm512_setzero_si512();
  });
  Ahead to_come = ahead;  // a copy, which stays in registers
  for (int pair = seen.begin / 32 * 16; pair < (seen.end + 31) / 32 * 16; ++pair) {
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
                   const AttentionRows& rows, SeenPositions seen, std::int64_t c) {
  const PairedValues<const float> v{reinterpret_cast<const float*>(values.rows), shape.v_columns};
  PairedWeights<kRows> weights;
  kernels::round_weights<Rounding>(rows, v, c / 32, weights);
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
  const SeenPositions seen = seen_by<kRows>(rows);
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
