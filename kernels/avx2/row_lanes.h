// Eight rows of weights, one in each 32-bit lane: what the unpackers compute with.
//
// Where it sits: kernels/unpack32.h and unpack256.h are written for any such type; avx512/ has
// the one for sixteen rows.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "kernels/unroll.h"

namespace galley::kernels::avx2 {

// A float of each row.
struct RowFloats {
  __m256 v;
};

inline RowFloats operator*(RowFloats a, RowFloats b) { return {_mm256_mul_ps(a.v, b.v)}; }
inline RowFloats operator-(RowFloats a) { return {_mm256_xor_ps(a.v, _mm256_set1_ps(-0.0f))}; }

// Four bytes, or an integer, of each row.
struct RowLanes {
  using Floats = RowFloats;
  static constexpr int kRows = 8;

  __m256i v;

  static RowLanes splat(std::uint32_t value) {
    return {_mm256_set1_epi32(static_cast<std::int32_t>(value))};
  }
  // The same 16 bytes of each row, `stride` bytes apart: out[j] has bytes 4 j .. 4 j + 3.
  static void load16(const std::byte* rows, std::int64_t stride, RowLanes* out);
};

inline RowLanes operator&(RowLanes a, RowLanes b) { return {_mm256_and_si256(a.v, b.v)}; }
inline RowLanes operator|(RowLanes a, RowLanes b) { return {_mm256_or_si256(a.v, b.v)}; }
inline RowLanes operator-(RowLanes a, RowLanes b) { return {_mm256_sub_epi32(a.v, b.v)}; }
template <int n>
RowLanes operator<<(RowLanes a, Index<n> /*bits*/) {
  return {_mm256_slli_epi32(a.v, n)};
}
template <int n>
RowLanes operator>>(RowLanes a, Index<n> /*bits*/) {
  return {_mm256_srli_epi32(a.v, n)};
}
template <int n>
RowLanes shift_right_signed(RowLanes a) {
  return {_mm256_srai_epi32(a.v, n)};
}
// To the left by n bits, or to the right by -n.
template <int n>
RowLanes shift(RowLanes a) {
  if constexpr (n >= 0) return a << Index<n>{};
  return a >> Index < n >= 0 ? 0 : -n > {};
}
inline RowLanes multiply(RowLanes a, RowLanes b) { return {_mm256_mullo_epi32(a.v, b.v)}; }
// In 16-bit lanes.
inline RowLanes multiply16(RowLanes a, RowLanes b) { return {_mm256_mullo_epi16(a.v, b.v)}; }
// table[byte] of each byte in 0 .. 15.
inline RowLanes lookup(const std::int8_t (&table)[16], RowLanes bytes) {
  const __m128i t = _mm_loadu_si128(reinterpret_cast<const __m128i*>(table));
  return {_mm256_shuffle_epi8(_mm256_broadcastsi128_si256(t), bytes.v)};
}
// The same bits as a float.
inline RowFloats as_floats(RowLanes a) { return {_mm256_castsi256_ps(a.v)}; }
inline RowFloats to_float(RowLanes a) { return {_mm256_cvtepi32_ps(a.v)}; }
// The F16 in the low half of each lane.
inline RowFloats half_to_float(RowLanes a) {
  const __m256i low = _mm256_and_si256(a.v, _mm256_set1_epi32(0xffff));
  const __m256i packed = _mm256_permute4x64_epi64(_mm256_packus_epi32(low, low), 0b1000);
  return {_mm256_cvtph_ps(_mm256_castsi256_si128(packed))};
}

// 16 bytes of rows r and r + 4.
inline __m256i load_two(const std::byte* row, std::int64_t stride) {
  const auto at = [row, stride](int r) {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(row + r * stride));
  };
  return _mm256_inserti128_si256(_mm256_castsi128_si256(at(0)), at(4), 1);
}

// Half i of a register takes rows 4 i .. 4 i + 3: transposing 4 x 4 dwords in each half leaves
// the rows in order.
inline void RowLanes::load16(const std::byte* rows, std::int64_t stride, RowLanes* out) {
  const __m256i a = load_two(rows, stride);
  const __m256i b = load_two(rows + stride, stride);
  const __m256i c = load_two(rows + 2 * stride, stride);
  const __m256i d = load_two(rows + 3 * stride, stride);
  const __m256i ab_low = _mm256_unpacklo_epi32(a, b);
  const __m256i ab_high = _mm256_unpackhi_epi32(a, b);
  const __m256i cd_low = _mm256_unpacklo_epi32(c, d);
  const __m256i cd_high = _mm256_unpackhi_epi32(c, d);
  out[0].v = _mm256_unpacklo_epi64(ab_low, cd_low);
  out[1].v = _mm256_unpackhi_epi64(ab_low, cd_low);
  out[2].v = _mm256_unpacklo_epi64(ab_high, cd_high);
  out[3].v = _mm256_unpackhi_epi64(ab_high, cd_high);
}

}  // namespace galley::kernels::avx2
