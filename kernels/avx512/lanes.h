// Loops over rows, 16 elements at a time, and the fixed tree that ends every sum.
//
// Where it sits: the AVX-512 kernels of rows and elements. A loop body is written once, for
// lanes that are all there or for the ragged end of a row.
// Rows may have any length; nothing beyond their end is read or written, and nothing throws.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace galley::kernels::avx512 {

// The first n lanes, of 16.
inline __mmask16 first_lanes(std::int64_t n) {
  return n >= 16 ? __mmask16{0xffff} : static_cast<__mmask16>((1u << (n > 0 ? n : 0)) - 1u);
}

struct AllLanes {
  static __m512 load(const float* x) { return _mm512_loadu_ps(x); }
  static void store(float* y, __m512 value) { _mm512_storeu_ps(y, value); }
  static __m512 keep(__m512 value) { return value; }
  static constexpr std::int64_t count = 16;
};

// The first `count` lanes; what is loaded or kept is zero in the others.
struct SomeLanes {
  __m512 load(const float* x) const { return _mm512_maskz_loadu_ps(first_lanes(count), x); }
  void store(float* y, __m512 value) const { _mm512_mask_storeu_ps(y, first_lanes(count), value); }
  __m512 keep(__m512 value) const { return _mm512_maskz_mov_ps(first_lanes(count), value); }
  std::int64_t count;
};

// Calls body(i, lanes) for i = begin, begin + 16, ... < end.
template <typename Body>
void for_lanes(std::int64_t begin, std::int64_t end, Body body) {
  std::int64_t i = begin;
  for (; i + 16 <= end; i += 16) body(i, AllLanes{});
  if (i < end) body(i, SomeLanes{end - i});
}

// The tree over 16 partial sums: p[i] + p[i + 8], then
// ((p0 + p4) + (p2 + p6)) + ((p1 + p5) + (p3 + p7)).
inline float total(__m512 p) {
  const __m256 eight = _mm256_add_ps(_mm512_castps512_ps256(p), _mm512_extractf32x8_ps(p, 1));
  const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

}  // namespace galley::kernels::avx512
