// Loops over rows, 8 elements at a time, and the fixed tree that ends every sum.
//
// Where it sits: the AVX2 kernels of rows and elements. A loop body is written once, for lanes
// that are all there or for the ragged end of a row. The 16 partial sums of a row live in two
// registers p[0] and p[1]; `lanes.half` tells which one the elements at hand belong to.
// Rows may have any length; nothing beyond their end is read or written, and nothing throws.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace galley::kernels::avx2 {

// All bits set in the first n lanes, of 8.
inline __m256i first_lanes(std::int64_t n) {
  const __m256i index = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(n < 8 ? static_cast<int>(n) : 8), index);
}

template <int kHalf>
struct AllLanes {
  static __m256 load(const float* x) { return _mm256_loadu_ps(x); }
  static void store(float* y, __m256 value) { _mm256_storeu_ps(y, value); }
  static __m256 keep(__m256 value) { return value; }
  static constexpr int half = kHalf;
  static constexpr std::int64_t count = 8;
};

// The first `count` lanes; what is loaded or kept is zero in the others.
template <int kHalf>
struct SomeLanes {
  __m256 load(const float* x) const { return _mm256_maskload_ps(x, first_lanes(count)); }
  void store(float* y, __m256 value) const { _mm256_maskstore_ps(y, first_lanes(count), value); }
  __m256 keep(__m256 value) const {
    return _mm256_and_ps(value, _mm256_castsi256_ps(first_lanes(count)));
  }
  static constexpr int half = kHalf;
  std::int64_t count;
};

// Calls body(i, lanes) for i = begin, begin + 8, ... < end; the halves alternate from 0.
template <typename Body>
void for_lanes(std::int64_t begin, std::int64_t end, Body body) {
  std::int64_t i = begin;
  for (; i + 16 <= end; i += 16) {
    body(i, AllLanes<0>{});
    body(i + 8, AllLanes<1>{});
  }
  if (i + 8 <= end) {
    body(i, AllLanes<0>{});
    i += 8;
    if (i < end) body(i, SomeLanes<1>{end - i});
  } else if (i < end) {
    body(i, SomeLanes<0>{end - i});
  }
}

// The tree over 16 partial sums: p[i] + p[i + 8], then
// ((p0 + p4) + (p2 + p6)) + ((p1 + p5) + (p3 + p7)).
inline float total(const __m256 (&p)[2]) {
  const __m256 eight = _mm256_add_ps(p[0], p[1]);
  const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

}  // namespace galley::kernels::avx2
