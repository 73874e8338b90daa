// The values of a block of Q8_0, weighted: integers times integers, two positions at a time.
//
// Weights become 16-bit integers (scalar/attention_steps.h), for every 32 columns anew, as the
// scales of the values differ. The 8 lanes of a register are positions while weights are
// rounded, columns while they are multiplied.
#include <immintrin.h>

#include <cstdint>

#include "kernels/attention_paired.h"
#include "kernels/avx2/attention_inner.h"
#include "kernels/scalar/attention_steps.h"
#include "kernels/unroll.h"

namespace galley::kernels::avx2 {
namespace {

// All bits where begin <= position < end, for 8 positions from j on.
__m256i seen_lanes(std::int32_t begin, std::int32_t end, int j) {
  const __m256i position =
      _mm256_add_epi32(_mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7), _mm256_set1_epi32(j));
  return _mm256_andnot_si256(_mm256_cmpgt_epi32(_mm256_set1_epi32(begin), position),
                             _mm256_cmpgt_epi32(_mm256_set1_epi32(end), position));
}

std::uint32_t largest(__m256i x) {
  const __m128i four = _mm_max_epu32(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1));
  const __m128i two = _mm_max_epu32(four, _mm_shuffle_epi32(four, 0b01'00'11'10));
  const __m128i one = _mm_max_epu32(two, _mm_shuffle_epi32(two, 0b10'11'00'01));
  return static_cast<std::uint32_t>(_mm_cvtsi128_si32(one));
}

// For kernels/attention_paired.h.
struct Rounding {
  GALLEY_INLINE static void round_weights(const float* p, const float* factors,
                                          std::int32_t* pairs) {
    const auto rounded = [&](int j) GALLEY_INLINE {
      return _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(p + j), _mm256_load_ps(factors + j)));
    };
    for (int j = 0; j < kAttentionBlock; j += 16) {
      const __m256i high = _mm256_slli_epi32(rounded(j + 8), 16);
      _mm256_store_si256(reinterpret_cast<__m256i*>(pairs + j / 2),
                         _mm256_blend_epi16(rounded(j), high, 0xaa));
    }
  }
  static float weight_factors(const float* d, std::int32_t begin, std::int32_t end,
                              float* factors) {
    return avx2::weight_factors(d, begin, end, factors);
  }
};

// o = o * keep + take * the weighted values, for the 16 columns from c on.
template <int kRows>
void weigh_columns(const AttentionShape& shape, const AttentionBlock& values,
                   const AttentionRows& rows, const PairedWeights<kRows>& weights,
                   SeenPositions seen, std::int64_t c) {
  const PairedValues<const float> v{reinterpret_cast<const float*>(values.rows), shape.v_columns};
  __m256i sums[kRows][2];
  unroll<kRows>([&](auto row) GALLEY_INLINE {
    sums[row.value][0] = sums[row.value][1] = _mm256_setzero_si256();
  });
  for (int pair = seen.begin / 16 * 8; pair < (seen.end + 15) / 16 * 8; ++pair) {
    ask(*values.ahead);
    const auto* at = reinterpret_cast<const __m256i*>(v.pair(pair) + c);
    const __m256i value[2] = {_mm256_load_si256(at), _mm256_load_si256(at + 1)};
    unroll<kRows>([&](auto row) GALLEY_INLINE {
      const __m256i weight = _mm256_set1_epi32(weights.pairs[row.value][pair]);
      for (int i = 0; i < 2; ++i) {
        sums[row.value][i] =
            _mm256_add_epi32(sums[row.value][i], _mm256_madd_epi16(value[i], weight));
      }
    });
  }
  unroll<kRows>([&](auto row) GALLEY_INLINE {
    if (rows.begin[row.value] >= rows.end[row.value]) return;
    float* o = rows.o + row.value * shape.v_columns + c;
    const __m256 scale = _mm256_set1_ps(weights.scale[row.value]);
    const __m256 keep = _mm256_set1_ps(rows.keep[row.value]);
    const __m256 take = _mm256_set1_ps(rows.take[row.value]);
    for (int i = 0; i < 2; ++i) {
      const __m256 sum = _mm256_mul_ps(_mm256_cvtepi32_ps(sums[row.value][i]), scale);
      _mm256_storeu_ps(o + 8 * i,
                       _mm256_fmadd_ps(_mm256_loadu_ps(o + 8 * i), keep, _mm256_mul_ps(sum, take)));
    }
  });
}

template <int kRows>
void weigh_rows(const AttentionShape& shape, const AttentionBlock& values,
                const AttentionRows& rows) {
  const PairedValues<const float> v{reinterpret_cast<const float*>(values.rows), shape.v_columns};
  const SeenPositions seen = seen_by<kRows>(rows);
  for (std::int64_t c = 0; c < shape.v_columns; c += 32) {
    PairedWeights<kRows> weights;
    kernels::round_weights<Rounding>(rows, v, c / 32, weights);
    weigh_columns(shape, values, rows, weights, seen, c);
    weigh_columns(shape, values, rows, weights, seen, c + 16);
  }
}

}  // namespace

float weight_factors(const float* d, std::int32_t begin, std::int32_t end, float* factors) {
  __m256i scales[kAttentionBlock / 8];
  __m256i bits = _mm256_setzero_si256();
  for (int i = 0; i < kAttentionBlock / 8; ++i) {
    const __m256i all = _mm256_load_si256(reinterpret_cast<const __m256i*>(d + 8 * i));
    scales[i] = _mm256_and_si256(all, seen_lanes(begin, end, 8 * i));
    bits = _mm256_max_epu32(bits, scales[i]);
  }
  const scalar::WeightScale scale = scalar::weight_scale(largest(bits));
  for (int i = 0; i < kAttentionBlock / 8; ++i) {
    _mm256_store_ps(factors + 8 * i, _mm256_mul_ps(_mm256_castsi256_ps(scales[i]),
                                                   _mm256_set1_ps(scale.to_integers)));
  }
  return scale.scale;
}

void weigh_paired(const AttentionShape& shape, const AttentionBlock& values,
                  const AttentionRows& rows) {
  if (rows.count == 4) return weigh_rows<4>(shape, values, rows);
  if (rows.count == 2) return weigh_rows<2>(shape, values, rows);
  return weigh_rows<1>(shape, values, rows);
}

}  // namespace galley::kernels::avx2
