// AVX-512 for kernels/float_matmul.h: 16 partial sums per output, in the order of
// docs/exactness.md, and their total. Nothing here throws.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "kernels/avx512/lanes.h"
#include "kernels/float_matmul.h"
#include "kernels/unroll.h"

namespace galley::kernels::avx512 {

// 16 elements as floats, the first n of 16.
inline __m512 load(const float* w) { return _mm512_loadu_ps(w); }
inline __m512 load(const F16* w) {
  return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(w)));
}
inline __m512 load(const BF16* w) {
  const __m256i bits = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(w));
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16));
}
inline __m512 load_some(const float* w, std::int64_t n) {
  return _mm512_maskz_loadu_ps(first_lanes(n), w);
}
inline __m512 load_some(const F16* w, std::int64_t n) {
  return _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(first_lanes(n), w));
}
inline __m512 load_some(const BF16* w, std::int64_t n) {
  const __m256i bits = _mm256_maskz_loadu_epi16(first_lanes(n), w);
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16));
}

// What FloatMatmul asks of an instruction set.
struct FloatIsa {
  using Sums = __m512;

  static float total(__m512 sums) { return avx512::total(sums); }

  // The n values of a row as floats.
  template <class Element>
  static void to_floats(const Element* row, std::int64_t n, float* out) {
    std::int64_t i = 0;
    for (; i + 16 <= n; i += 16) _mm512_storeu_ps(out + i, load(row + i));
    if (i < n) _mm512_storeu_ps(out + i, load_some(row + i, n - i));
  }

  // sums[row * x.count + token] += products of n columns. If is_stream, the rows that follow in
  // memory are fetched into the second-level cache: four of them may be more than the first holds.
  template <class Element, bool is_stream>
  static void multiply(const WeightRows& w, const FloatRows& x, std::int64_t n, __m512* sums) {
    switch (x.count) {
      case 1:
        return multiply_tokens<Element, is_stream, 1>(w, x, n, sums);
      case 2:
        return multiply_tokens<Element, is_stream, 2>(w, x, n, sums);
      case 3:
        return multiply_tokens<Element, is_stream, 3>(w, x, n, sums);
      case 4:
        return multiply_tokens<Element, is_stream, 4>(w, x, n, sums);
      case 5:
        return multiply_tokens<Element, is_stream, 5>(w, x, n, sums);
      default:
        return multiply_tokens<Element, is_stream, 6>(w, x, n, sums);
    }
  }

 private:
  template <class Element, bool is_stream, int c>
  static void multiply_tokens(const WeightRows& w, const FloatRows& x, std::int64_t n,
                              __m512* sums) {
    if (w.count == kFloatGroupRows) {
      return multiply_rows<Element, is_stream, kFloatGroupRows, c>(w, x, n, sums);
    }
    for (std::int64_t r = 0; r < w.count; ++r) {
      const WeightRows one = {w.first + r * w.stride, w.stride, 1};
      multiply_rows<Element, is_stream, 1, c>(one, x, n, sums + r * c);
    }
  }

  // For 4 rows and 6 tokens: 24 registers of sums, 1 of weights, 6 of activations.
  template <class Element, bool is_stream, int n_rows, int c>
  static void multiply_rows(const WeightRows& w, const FloatRows& x, std::int64_t n, __m512* sums) {
    const auto weights = [&w](int r) {
      return reinterpret_cast<const Element*>(w.first + r * w.stride);
    };
    __m512 p[n_rows][c];
    for (int r = 0; r < n_rows; ++r) {
      for (int t = 0; t < c; ++t) p[r][t] = sums[r * c + t];
    }
    std::int64_t i = 0;
    for (; i + 16 <= n; i += 16) {
      __m512 activations[c];
      for (int t = 0; t < c; ++t) activations[t] = _mm512_loadu_ps(x.first + t * x.stride + i);
      unroll<n_rows>([&](auto row) GALLEY_INLINE {
        constexpr int r = decltype(row)::value;
        if constexpr (is_stream) {
          __builtin_prefetch(
              w.first + (r + n_rows) * w.stride + i * static_cast<std::int64_t>(sizeof(Element)), 0,
              2);
        }
        const __m512 weight = load(weights(r) + i);
        for (int t = 0; t < c; ++t) p[r][t] = _mm512_fmadd_ps(weight, activations[t], p[r][t]);
      });
    }
    for (int r = 0; r < n_rows; ++r) {
      for (int t = 0; t < c; ++t) {
        if (i < n) {
          const __m512 weight = load_some(weights(r) + i, n - i);
          const __m512 activation = load_some(x.first + t * x.stride + i, n - i);
          // Lanes without an element stay as they are, even the sign of a zero.
          p[r][t] = _mm512_mask3_fmadd_ps(weight, activation, p[r][t], first_lanes(n - i));
        }
        sums[r * c + t] = p[r][t];
      }
    }
  }
};

}  // namespace galley::kernels::avx512
