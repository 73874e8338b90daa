// AVX-512 for kernels/float_matmul.h and float_panels.h: 16 partial sums per output, in the order
// of docs/exactness.md, and their total. Nothing here throws.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "kernels/avx512/dword_lanes.h"
#include "kernels/avx512/lanes.h"
#include "kernels/float_elements.h"
#include "kernels/float_matmul.h"
#include "kernels/unroll.h"

namespace galley::kernels::avx512 {

// 16 elements as floats, the first n of 16 (1 or more).
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

// Column `i` of 16 elements, where an element may be two columns, of which the odd one is column 0.
template <int i, class Element>
GALLEY_INLINE inline __m512 load_column(const Element* w) {
  return load(w);
}
template <int i>
GALLEY_INLINE inline __m512 load_column(const BF16Pair* w) {
  const __m512i words = _mm512_loadu_si512(w);
  if constexpr (i == 0) {
    return _mm512_castsi512_ps(
        _mm512_and_si512(words, _mm512_set1_epi32(static_cast<std::int32_t>(0xffff0000u))));
  }
  return _mm512_castsi512_ps(_mm512_slli_epi32(words, 16));
}
// The same of the first n columns, from 1 on; the others are zero.
template <int i, class Element>
__m512 load_some_column(const Element* w, std::int64_t n) {
  return load_some(w, n);
}
template <int i>
__m512 load_some_column(const BF16Pair* w, std::int64_t n) {
  BF16Pair copy[16] = {};
  __builtin_memcpy(copy, w, static_cast<std::size_t>(2 * n));
  return load_column<i>(copy);
}

// What FloatMatmul and FloatPanels ask of an instruction set.
struct FloatIsa {
  using Sums = __m512;

  static float total(__m512 sums) { return avx512::total(sums); }

  // Tokens at once, at most.
  static constexpr std::int64_t kStreamTokens = kTileTokens;

  // sums[row * x.count + token] = products of n columns. `ahead` is told what is read.
  template <class Element, class Ahead>
  static void multiply(const WeightRows& w, const FloatRows& x, std::int64_t n, Ahead& ahead,
                       __m512* sums) {
    for_n_tokens(x.count, [&](auto count) {
      constexpr int c = decltype(count)::value;
      constexpr int n_at_once = c == 1 ? kRowsForOneToken<Element> : kFloatGroupRows;
      std::int64_t r = 0;
      if (w.count == kFloatGroupRows && n <= kShortFloatRow) {
        return multiply_rows<Element, kFloatGroupRows, c>(w, x, n, ahead, sums);
      }
      for (; r + n_at_once <= w.count; r += n_at_once) {
        multiply_rows<Element, n_at_once, c>(w.from(r), x, n, ahead, sums + r * c);
      }
      for (; r < w.count; ++r) multiply_rows<Element, 1, c>(w.from(r), x, n, ahead, sums + r * c);
    });
  }

  // ---- rows in lanes ----

  using Lanes = DwordLanes;
  using Register = __m512;
  static constexpr std::int64_t kPanelTokens = 12;
  static constexpr bool kMultipliesPairs = false;

  // 16 values of a row as floats, or the n there are.
  template <class Element>
  GALLEY_INLINE static void to_floats(const Element* row, std::int64_t n, float* out) {
    _mm512_storeu_ps(out, n >= 16 ? avx512::load(row) : load_some(row, n));
  }
  GALLEY_INLINE static __m512 load(const float* at) { return _mm512_load_ps(at); }
  GALLEY_INLINE static __m512 broadcast(const float* at) { return _mm512_set1_ps(*at); }
  GALLEY_INLINE static __m512 multiply_add(__m512 w, __m512 x, __m512 sum) {
    return _mm512_fmadd_ps(w, x, sum);
  }
  // Reads or writes the first n lanes; those of kPanelTokens.
  GALLEY_INLINE static __m512 load(const float* at, std::int64_t n) {
    return _mm512_maskz_loadu_ps(first_lanes(n), at);
  }
  GALLEY_INLINE static void store(FloatLanes value, float* to, std::int64_t n) {
    _mm512_mask_storeu_ps(to, first_lanes(n), value.v);
  }
  GALLEY_INLINE static void store_tokens(FloatLanes value, float* to) {
    _mm512_mask_storeu_ps(to, (1u << kPanelTokens) - 1u, value.v);
  }

 private:
  // For 4 rows and 6 tokens: 24 registers of sums, 1 of weights, 6 of activations.
  template <class Element, int n_rows, int c, class Ahead>
  static void multiply_rows(const WeightRows& w, const FloatRows& x, std::int64_t n, Ahead& ahead,
                            __m512* sums) {
    constexpr int kColumns = kElementColumns<Element>;
    const auto weights = [&w](int r) {
      return reinterpret_cast<const Element*>(w.first + r * w.stride);
    };
    __m512 p[n_rows][c] = {};
    const std::int64_t n_whole = n / (16 * kColumns) * 16;
    for (std::int64_t i = 0; i < n_whole; i += 16) {
      ahead.read(16 * n_rows * static_cast<std::int64_t>(sizeof(Element)));
      unroll<kColumns>([&](auto column) GALLEY_INLINE {
        constexpr int k = decltype(column)::value;
        __m512 activations[c];
        for (int t = 0; t < c; ++t) {
          activations[t] = _mm512_loadu_ps(x.first + t * x.stride + kColumns * i + 16 * k);
        }
        unroll<n_rows>([&](auto row) GALLEY_INLINE {
          constexpr int r = decltype(row)::value;
          const __m512 weight = load_column<k>(weights(r) + i);
          for (int t = 0; t < c; ++t) p[r][t] = _mm512_fmadd_ps(weight, activations[t], p[r][t]);
        });
      });
    }
    const std::int64_t rest = n - n_whole * kColumns;
    ahead.read(n_rows * rest * kElementBytes<Element>);
    for (int r = 0; r < n_rows; ++r) {
      for (int t = 0; t < c; ++t) {
        const float* activations = x.first + t * x.stride + kColumns * n_whole;
        if (rest > 0) p[r][t] = add_rest<Element>(weights(r) + n_whole, activations, rest, p[r][t]);
        sums[r * c + t] = p[r][t];
      }
    }
  }

  // p plus the products of the last n columns. Lanes without an element stay as they are, even the
  // sign of a zero.
  template <class Element>
  static __m512 add_rest(const Element* w, const float* x, std::int64_t n, __m512 p) {
    constexpr int kColumns = kElementColumns<Element>;
    const std::int64_t n_elements = (n + kColumns - 1) / kColumns;
    unroll<kColumns>([&](auto column) GALLEY_INLINE {
      constexpr int k = decltype(column)::value;
      const __m512 weight = load_some_column<k>(w, n);
      const __m512 activation = load_some(x + 16 * k, n_elements);
      p = _mm512_mask3_fmadd_ps(weight, activation, p, first_lanes(n_elements));
    });
    return p;
  }
};

}  // namespace galley::kernels::avx512
