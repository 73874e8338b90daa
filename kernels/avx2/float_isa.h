// AVX2 for kernels/float_matmul.h and float_panels.h: 16 partial sums per output, in the order of
// docs/exactness.md, and their total. Nothing here throws.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "kernels/avx2/dword_lanes.h"
#include "kernels/avx2/lanes.h"
#include "kernels/float_elements.h"
#include "kernels/float_matmul.h"
#include "kernels/unroll.h"

namespace galley::kernels::avx2 {

// 8 elements as floats.
inline __m256 load(const float* w) { return _mm256_loadu_ps(w); }
inline __m256 load(const F16* w) {
  return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(w)));
}
inline __m256 load(const BF16* w) {
  const __m128i bits = _mm_loadu_si128(reinterpret_cast<const __m128i*>(w));
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(bits), 16));
}

// Column `i` of 8 elements, where an element may be two columns, of which the odd one is column 0.
template <int i, class Element>
GALLEY_INLINE inline __m256 load_column(const Element* w) {
  return load(w);
}
template <int i>
GALLEY_INLINE inline __m256 load_column(const BF16Pair* w) {
  const __m256i words = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(w));
  if constexpr (i == 0) {
    return _mm256_castsi256_ps(
        _mm256_and_si256(words, _mm256_set1_epi32(static_cast<std::int32_t>(0xffff0000u))));
  }
  return _mm256_castsi256_ps(_mm256_slli_epi32(words, 16));
}
// The same of the first n columns, from 1 on, fewer than there could be; the others are zero.
template <int i, class Element>
__m256 load_some_column(const Element* w, std::int64_t n) {
  Element copy[8] = {};
  __builtin_memcpy(copy, w, static_cast<std::size_t>(n * kElementBytes<Element>));
  return load_column<i>(copy);
}

// What FloatMatmul and FloatPanels ask of an instruction set.
struct FloatIsa {
  // Partial sums 0 .. 7 and 8 .. 15.
  struct Sums {
    __m256 half[2];
  };

  static float total(const Sums& sums) { return avx2::total(sums.half); }

  // Tokens at once, at most.
  static constexpr std::int64_t kStreamTokens = 3;

  // sums[row * x.count + token] = products of n columns. `ahead` is told what is read.
  template <class Element, class Ahead>
  static void multiply(const WeightRows& w, const FloatRows& x, std::int64_t n, Ahead& ahead,
                       Sums* sums) {
    switch (x.count) {
      case 1:
        return multiply_tokens<Element, 1>(w, x, n, ahead, sums);
      case 2:
        return multiply_tokens<Element, 2>(w, x, n, ahead, sums);
      default:
        return multiply_tokens<Element, 3>(w, x, n, ahead, sums);
    }
  }

  // ---- rows in lanes ----

  using Lanes = DwordLanes;
  using Register = __m256;
  static constexpr std::int64_t kPanelTokens = 6;
  static constexpr bool kMultipliesPairs = false;

  // 8 values of a row as floats, or the n there are.
  template <class Element>
  GALLEY_INLINE static void to_floats(const Element* row, std::int64_t n, float* out) {
    _mm256_storeu_ps(out, n >= 8 ? avx2::load(row) : load_some_column<0>(row, n));
  }
  GALLEY_INLINE static __m256 load(const float* at) { return _mm256_load_ps(at); }
  GALLEY_INLINE static __m256 broadcast(const float* at) { return _mm256_broadcast_ss(at); }
  GALLEY_INLINE static __m256 multiply_add(__m256 w, __m256 x, __m256 sum) {
    return _mm256_fmadd_ps(w, x, sum);
  }
  // Reads or writes the first n lanes; those of kPanelTokens.
  GALLEY_INLINE static __m256 load(const float* at, std::int64_t n) {
    if (n == Lanes::kLanes) return _mm256_loadu_ps(at);
    return _mm256_maskload_ps(at, first_lanes(n));
  }
  GALLEY_INLINE static void store(FloatLanes value, float* to, std::int64_t n) {
    if (n == Lanes::kLanes) return _mm256_storeu_ps(to, value.v);
    _mm256_maskstore_ps(to, first_lanes(n), value.v);
  }
  GALLEY_INLINE static void store_tokens(FloatLanes value, float* to) {
    _mm_storeu_ps(to, _mm256_castps256_ps128(value.v));
    _mm_storel_pi(reinterpret_cast<__m64*>(to + 4), _mm256_extractf128_ps(value.v, 1));
  }

 private:
  template <class Element>
  static const Element* weights(const WeightRows& w, std::int64_t r) {
    return reinterpret_cast<const Element*>(w.first + r * w.stride);
  }

  template <class Element, int c, class Ahead>
  static void multiply_tokens(const WeightRows& w, const FloatRows& x, std::int64_t n, Ahead& ahead,
                              Sums* sums) {
    constexpr int n_at_once = c == 1 ? kRowsForOneToken<Element> : kFloatGroupRows;
    std::int64_t r = 0;
    if (w.count == kFloatGroupRows && n <= kShortFloatRow) {
      return multiply_rows<Element, kFloatGroupRows, c>(w, x, n, ahead, sums);
    }
    for (; r + n_at_once <= w.count; r += n_at_once) {
      multiply_rows<Element, n_at_once, c>(w.from(r), x, n, ahead, sums + r * c);
    }
    for (; r < w.count; ++r) multiply_rows<Element, 1, c>(w.from(r), x, n, ahead, sums + r * c);
  }

  // One token: all partial sums at once, so that the rows are read once. More: one half of them
  // after the other, so that four rows and three tokens have 12 registers of sums, 1 of weights and
  // 3 of activations.
  template <class Element, int n_rows, int c, class Ahead>
  static void multiply_rows(const WeightRows& w, const FloatRows& x, std::int64_t n, Ahead& ahead,
                            Sums* sums) {
    if constexpr (c == 1) {
      multiply_halves<Element, n_rows, c, 2>(w, x, 0, n, ahead, sums);
    } else {
      NoReadAhead here;
      multiply_halves<Element, n_rows, c, 1>(w, x, 0, n, ahead, sums);
      multiply_halves<Element, n_rows, c, 1>(w, x, 1, n, here, sums);
    }
  }

  // n_halves of the partial sums, from `half` on.
  template <class Element, int n_rows, int c, int n_halves, class Ahead>
  static void multiply_halves(const WeightRows& w, const FloatRows& x, int half, std::int64_t n,
                              Ahead& ahead, Sums* sums) {
    constexpr int kColumns = kElementColumns<Element>;
    __m256 p[n_rows][c][n_halves] = {};
    const std::int64_t n_whole = n / (16 * kColumns) * 16;
    for (std::int64_t i = 0; i < n_whole; i += 16) {
      ahead.read(16 * n_rows * static_cast<std::int64_t>(sizeof(Element)));
      unroll<kColumns * n_halves>([&](auto step) GALLEY_INLINE {
        constexpr int k = decltype(step)::value / n_halves;
        constexpr int h = decltype(step)::value % n_halves;
        const int at = 8 * (half + h);
        __m256 activations[c];
        for (int t = 0; t < c; ++t) {
          activations[t] = avx2::load(x.first + t * x.stride + kColumns * i + 16 * k + at);
        }
        for (int r = 0; r < n_rows; ++r) {
          const __m256 weight = load_column<k>(weights<Element>(w, r) + i + at);
          for (int t = 0; t < c; ++t) {
            p[r][t][h] = _mm256_fmadd_ps(weight, activations[t], p[r][t][h]);
          }
        }
      });
    }
    ahead.read(n_rows * (n - n_whole * kColumns) * kElementBytes<Element>);
    for (int r = 0; r < n_rows; ++r) {
      for (int t = 0; t < c; ++t) {
        for (int h = 0; h < n_halves; ++h) {
          const int at = 8 * (half + h);
          sums[r * c + t].half[half + h] =
              add_rest(weights<Element>(w, r) + n_whole + at,
                       x.first + t * x.stride + kColumns * n_whole + at,
                       n - (n_whole + at) * kColumns, p[r][t][h]);
        }
      }
    }
  }

  // p plus the products of the first n columns of 8 elements, if n > 0. Lanes without an element
  // stay as they are, even the sign of a zero.
  template <class Element>
  static __m256 add_rest(const Element* w, const float* x, std::int64_t n, __m256 p) {
    constexpr int kColumns = kElementColumns<Element>;
    if (n <= 0) return p;
    const std::int64_t n_elements = (n + kColumns - 1) / kColumns;
    unroll<kColumns>([&](auto column) GALLEY_INLINE {
      constexpr int k = decltype(column)::value;
      const bool is_whole = n >= 8 * kColumns;
      const __m256 weight = is_whole ? load_column<k>(w) : load_some_column<k>(w, n);
      const __m256 activation =
          n_elements >= 8 ? avx2::load(x + 16 * k) : load_some_column<0>(x + 16 * k, n_elements);
      const __m256 sum = _mm256_fmadd_ps(weight, activation, p);
      p = _mm256_blendv_ps(p, sum, _mm256_castsi256_ps(first_lanes(n_elements)));
    });
    return p;
  }
};

}  // namespace galley::kernels::avx2
