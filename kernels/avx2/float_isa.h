// AVX2 for kernels/float_matmul.h: 16 partial sums per output, in the order of
// docs/exactness.md, and their total. Nothing here throws.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "kernels/avx2/lanes.h"
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
// The first n of 8, n in 1 .. 7.
template <class Element>
__m256 load_some(const Element* w, std::int64_t n) {
  Element copy[8] = {};
  __builtin_memcpy(copy, w, static_cast<std::size_t>(n) * sizeof(Element));
  return load(copy);
}

// What FloatMatmul asks of an instruction set.
struct FloatIsa {
  // Partial sums 0 .. 7 and 8 .. 15.
  struct Sums {
    __m256 half[2];
  };

  static float total(const Sums& sums) { return avx2::total(sums.half); }

  // The n values of a row as floats.
  template <class Element>
  static void to_floats(const Element* row, std::int64_t n, float* out) {
    std::int64_t i = 0;
    for (; i + 8 <= n; i += 8) _mm256_storeu_ps(out + i, load(row + i));
    if (i < n) _mm256_storeu_ps(out + i, load_some(row + i, n - i));
  }

  // sums[row * x.count + token] += products of n columns. If is_stream, the rows that follow in
  // memory are fetched into the second-level cache: four of them may be more than the first holds.
  template <class Element, bool is_stream>
  static void multiply(const WeightRows& w, const FloatRows& x, std::int64_t n, Sums* sums) {
    if (x.count == 1) return multiply_one<Element, is_stream>(w, x, n, sums);
    for (std::int64_t t = 0; t < x.count; t += 3) {
      switch (x.count - t) {
        case 1:
          multiply_tokens<Element, 1>(w, x, t, n, sums);
          break;
        case 2:
          multiply_tokens<Element, 2>(w, x, t, n, sums);
          break;
        default:
          multiply_tokens<Element, 3>(w, x, t, n, sums);
          break;
      }
    }
  }

 private:
  template <class Element>
  static const Element* weights(const WeightRows& w, std::int64_t r) {
    return reinterpret_cast<const Element*>(w.first + r * w.stride);
  }

  // One token: all rows at once, both halves.
  template <class Element, bool is_stream>
  static void multiply_one(const WeightRows& w, const FloatRows& x, std::int64_t n, Sums* sums) {
    if (w.count == kFloatGroupRows) {
      return multiply_one_rows<Element, is_stream, kFloatGroupRows>(w, x, n, sums);
    }
    for (std::int64_t r = 0; r < w.count; ++r) {
      const WeightRows one = {w.first + r * w.stride, w.stride, 1};
      multiply_one_rows<Element, is_stream, 1>(one, x, n, sums + r);
    }
  }

  template <class Element, bool is_stream, int n_rows>
  static void multiply_one_rows(const WeightRows& w, const FloatRows& x, std::int64_t n,
                                Sums* sums) {
    __m256 p[n_rows][2];
    for (int r = 0; r < n_rows; ++r) {
      for (int half = 0; half < 2; ++half) p[r][half] = sums[r].half[half];
    }
    std::int64_t i = 0;
    for (; i + 16 <= n; i += 16) {
      for (int r = 0; r < n_rows; ++r) {
        if constexpr (is_stream) {
          __builtin_prefetch(
              w.first + (r + n_rows) * w.stride + i * static_cast<std::int64_t>(sizeof(Element)), 0,
              2);
        }
        for (int half = 0; half < 2; ++half) {
          p[r][half] = _mm256_fmadd_ps(load(weights<Element>(w, r) + i + 8 * half),
                                       load(x.first + i + 8 * half), p[r][half]);
        }
      }
    }
    for (int r = 0; r < n_rows; ++r) {
      for (int half = 0; half < 2; ++half) {
        const std::int64_t at = i + 8 * half;
        sums[r].half[half] =
            add_tail(weights<Element>(w, r) + at, x.first + at, n - at, p[r][half]);
      }
    }
  }

  // Tokens t .. t + c - 1: one half of the partial sums after the other, so that four rows and
  // three tokens have 12 registers of sums, 1 of weights and 3 of activations.
  template <class Element, int c>
  static void multiply_tokens(const WeightRows& w, const FloatRows& x, std::int64_t t,
                              std::int64_t n, Sums* sums) {
    const FloatRows some = {x.first + t * x.stride, x.stride, x.count};
    for (int half = 0; half < 2; ++half) {
      if (w.count == kFloatGroupRows) {
        multiply_half<Element, kFloatGroupRows, c>(w, some, half, n, sums + t);
        continue;
      }
      for (std::int64_t r = 0; r < w.count; ++r) {
        const WeightRows one = {w.first + r * w.stride, w.stride, 1};
        multiply_half<Element, 1, c>(one, some, half, n, sums + r * x.count + t);
      }
    }
  }

  template <class Element, int n_rows, int c>
  static void multiply_half(const WeightRows& w, const FloatRows& x, int half, std::int64_t n,
                            Sums* sums) {
    __m256 p[n_rows][c];
    for (int r = 0; r < n_rows; ++r) {
      for (int t = 0; t < c; ++t) p[r][t] = sums[r * x.count + t].half[half];
    }
    std::int64_t i = 8 * half;
    for (; i + 8 <= n; i += 16) {
      __m256 activations[c];
      for (int t = 0; t < c; ++t) activations[t] = load(x.first + t * x.stride + i);
      for (int r = 0; r < n_rows; ++r) {
        const __m256 weight = load(weights<Element>(w, r) + i);
        for (int t = 0; t < c; ++t) p[r][t] = _mm256_fmadd_ps(weight, activations[t], p[r][t]);
      }
    }
    for (int r = 0; r < n_rows; ++r) {
      for (int t = 0; t < c; ++t) {
        sums[r * x.count + t].half[half] =
            add_tail(weights<Element>(w, r) + i, x.first + t * x.stride + i, n - i, p[r][t]);
      }
    }
  }

  // p plus the products of the first n of 8 elements, if n > 0. Lanes without an element stay
  // as they are, even the sign of a zero.
  template <class Element>
  static __m256 add_tail(const Element* w, const float* x, std::int64_t n, __m256 p) {
    if (n <= 0) return p;
    if (n >= 8) return _mm256_fmadd_ps(load(w), load(x), p);
    const __m256 sum = _mm256_fmadd_ps(load_some(w, n), load_some(x, n), p);
    return _mm256_blendv_ps(p, sum, _mm256_castsi256_ps(first_lanes(n)));
  }
};

}  // namespace galley::kernels::avx2
