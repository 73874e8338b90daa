// Sixteen rows of weights, one in each 32-bit lane: what the unpackers compute with.
//
// Where it sits: kernels/unpack32.h and unpack256.h are written for any such type; avx2/ has
// the one for eight rows.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "kernels/unroll.h"

namespace galley::kernels::avx512 {

// A float of each row.
struct RowFloats {
  __m512 v;
};

inline RowFloats operator*(RowFloats a, RowFloats b) { return {_mm512_mul_ps(a.v, b.v)}; }
inline RowFloats operator-(RowFloats a) { return {_mm512_xor_ps(a.v, _mm512_set1_ps(-0.0f))}; }

// Four bytes, or an integer, of each row.
struct RowLanes {
  using Floats = RowFloats;
  static constexpr int kRows = 16;

  __m512i v;

  static RowLanes splat(std::uint32_t value) {
    return {_mm512_set1_epi32(static_cast<std::int32_t>(value))};
  }
  // The same 16 bytes of each row, `stride` bytes apart: out[j] has bytes 4 j .. 4 j + 3.
  static void load16(const std::byte* rows, std::int64_t stride, RowLanes* out);
};

inline RowLanes operator&(RowLanes a, RowLanes b) { return {_mm512_and_si512(a.v, b.v)}; }
inline RowLanes operator|(RowLanes a, RowLanes b) { return {_mm512_or_si512(a.v, b.v)}; }
inline RowLanes operator^(RowLanes a, RowLanes b) { return {_mm512_xor_si512(a.v, b.v)}; }
inline RowLanes operator-(RowLanes a, RowLanes b) { return {_mm512_sub_epi32(a.v, b.v)}; }
template <int n>
RowLanes operator<<(RowLanes a, Index<n> /*bits*/) {
  return {_mm512_slli_epi32(a.v, n)};
}
template <int n>
RowLanes operator>>(RowLanes a, Index<n> /*bits*/) {
  return {_mm512_srli_epi32(a.v, n)};
}
template <int n>
RowLanes shift_right_signed(RowLanes a) {
  return {_mm512_srai_epi32(a.v, n)};
}
// To the left by n bits, or to the right by -n.
template <int n>
RowLanes shift(RowLanes a) {
  if constexpr (n >= 0) return a << Index<n>{};
  return a >> Index < n >= 0 ? 0 : -n > {};
}
inline RowLanes multiply(RowLanes a, RowLanes b) { return {_mm512_mullo_epi32(a.v, b.v)}; }
// In 16-bit lanes.
inline RowLanes multiply16(RowLanes a, RowLanes b) { return {_mm512_mullo_epi16(a.v, b.v)}; }
// table[byte] of each byte in 0 .. 15.
inline RowLanes lookup(const std::int8_t (&table)[16], RowLanes bytes) {
  const __m128i t = _mm_loadu_si128(reinterpret_cast<const __m128i*>(table));
  return {_mm512_shuffle_epi8(_mm512_broadcast_i32x4(t), bytes.v)};
}
// The same bits as a float.
inline RowFloats as_floats(RowLanes a) { return {_mm512_castsi512_ps(a.v)}; }
inline RowFloats to_float(RowLanes a) { return {_mm512_cvtepi32_ps(a.v)}; }
// The F16 in the low half of each lane.
inline RowFloats half_to_float(RowLanes a) { return {_mm512_cvtph_ps(_mm512_cvtepi32_epi16(a.v))}; }

// 16 bytes of rows r, r + 4, r + 8 and r + 12.
inline __m512i load_four(const std::byte* row, std::int64_t stride) {
  const auto at = [row, stride](int r) {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(row + r * stride));
  };
  __m512i v = _mm512_castsi128_si512(at(0));
  v = _mm512_inserti32x4(v, at(4), 1);
  v = _mm512_inserti32x4(v, at(8), 2);
  return _mm512_inserti32x4(v, at(12), 3);
}

// Quarter i of a register takes rows 4 i .. 4 i + 3: transposing 4 x 4 dwords in each quarter
// leaves the rows in order.
inline void RowLanes::load16(const std::byte* rows, std::int64_t stride, RowLanes* out) {
  const __m512i a = load_four(rows, stride);
  const __m512i b = load_four(rows + stride, stride);
  const __m512i c = load_four(rows + 2 * stride, stride);
  const __m512i d = load_four(rows + 3 * stride, stride);
  const __m512i ab_low = _mm512_unpacklo_epi32(a, b);
  const __m512i ab_high = _mm512_unpackhi_epi32(a, b);
  const __m512i cd_low = _mm512_unpacklo_epi32(c, d);
  const __m512i cd_high = _mm512_unpackhi_epi32(c, d);
  out[0].v = _mm512_unpacklo_epi64(ab_low, cd_low);
  out[1].v = _mm512_unpackhi_epi64(ab_low, cd_low);
  out[2].v = _mm512_unpacklo_epi64(ab_high, cd_high);
  out[3].v = _mm512_unpackhi_epi64(ab_high, cd_high);
}

}  // namespace galley::kernels::avx512
