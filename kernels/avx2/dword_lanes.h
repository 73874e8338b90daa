// Eight lanes of 32 bits: what the unpackers of weights compute with.
//
// Where it sits: the unpackers in kernels/ are written for any such type; avx512/ has the one of
// sixteen lanes. There are two ways to fill it. With many tokens a lane is a row (eight rows;
// unpack32.h, unpack256.h). With one token a lane is a block of 32 columns (the eight blocks of
// a group, of one row; row_unpack32.h, row_unpack256.h). Nothing here throws.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "kernels/token_groups.h"
#include "kernels/unroll.h"

namespace galley::kernels::avx2 {

// A float of each lane.
struct FloatLanes {
  __m256 v;

  void store(float* to) const { _mm256_storeu_ps(to, v); }
};

inline FloatLanes operator*(FloatLanes a, FloatLanes b) { return {_mm256_mul_ps(a.v, b.v)}; }
inline FloatLanes operator-(FloatLanes a) { return {_mm256_xor_ps(a.v, _mm256_set1_ps(-0.0f))}; }

// Four bytes, or an integer, of each lane.
struct DwordLanes {
  using Floats = FloatLanes;
  static constexpr int kLanes = 8;

  __m256i v;

  static DwordLanes splat(std::uint32_t value) {
    return {_mm256_set1_epi32(static_cast<std::int32_t>(value))};
  }
  // The same 16 bytes of each row, `stride` bytes apart: out[j] has bytes 4 j .. 4 j + 3.
  static void load16(const std::byte* rows, std::int64_t stride, DwordLanes* out);
  // The same 32 bytes of each row, one dword for each lane.
  static void load_square(const std::byte* rows, std::int64_t stride, DwordLanes (&out)[kLanes]) {
    load16(rows, stride, out);
    load16(rows + 16, stride, out + 4);
  }

  // Lanes as blocks of one row (avx512/dword_lanes.h has two, hence the stride).
  // 16 bytes at `even` in lanes 0 .. 3, 16 at `odd` in lanes 4 .. 7.
  static DwordLanes load_pair(const std::byte* even, const std::byte* odd,
                              std::int64_t /*stride*/) {
    return {_mm256_inserti128_si256(_mm256_castsi128_si256(load_16_bytes(even)), load_16_bytes(odd),
                                    1)};
  }
  // The same the other way round.
  void store_pair(std::byte* even, std::byte* odd, std::int64_t /*stride*/) const {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(even), _mm256_castsi256_si128(v));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(odd), _mm256_extracti128_si256(v, 1));
  }
  void store(std::int32_t* to) const { _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), v); }
  // The same 16 bytes in lanes 0 .. 3 and 4 .. 7.
  static DwordLanes load_twice(const std::byte* at, std::int64_t /*stride*/) {
    return {_mm256_broadcastsi128_si256(load_16_bytes(at))};
  }
  // The F16 at `offset` of each block of n_bytes, eight blocks from `group` on.
  template <int n_bytes, int offset>
  static FloatLanes load_halves(const std::byte* group, std::int64_t stride);
  // The two F16 at `at`, each in all lanes.
  static void load_two_halves(const std::byte* at, std::int64_t stride, FloatLanes (&out)[2]);
  // The float at `at`, in all lanes.
  static FloatLanes load_float(const std::byte* at, std::int64_t /*stride*/) {
    float value;
    __builtin_memcpy(&value, at, 4);
    return {_mm256_set1_ps(value)};
  }
  // The 16 dwords at `at`, two of each block: the first ones in out[0], the second ones in out[1].
  static void load_alternating(const std::byte* at, std::int64_t stride, DwordLanes (&out)[2]);
  // The 8 dwords at `at`, one of each block.
  static DwordLanes load_blocks(const std::byte* at, std::int64_t stride);
  // What eight(row, odd, i) gives: eight bytes, the i-th of the even or the odd block of a pair.
  template <class Eight>
  GALLEY_INLINE static DwordLanes of_eights(const Eight& eight) {
    const auto at = [&](int odd, int i)
                        GALLEY_INLINE { return static_cast<long long>(eight(0, odd, i)); };
    return {_mm256_set_epi64x(at(1, 1), at(1, 0), at(0, 1), at(0, 0))};
  }
  // Constants: of the eight blocks, or of the 32 bytes in eight lanes.
  static DwordLanes of_blocks(const std::int32_t (&eight)[8]) { return load(eight); }
  static DwordLanes of_bytes(const std::int8_t (&bytes)[32]) { return load(bytes); }

 private:
  static DwordLanes load(const void* from) {
    return {_mm256_loadu_si256(static_cast<const __m256i*>(from))};
  }
  static __m128i load_16_bytes(const std::byte* from) {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
  }
};

inline DwordLanes operator&(DwordLanes a, DwordLanes b) { return {_mm256_and_si256(a.v, b.v)}; }
inline DwordLanes operator|(DwordLanes a, DwordLanes b) { return {_mm256_or_si256(a.v, b.v)}; }
inline DwordLanes operator^(DwordLanes a, DwordLanes b) { return {_mm256_xor_si256(a.v, b.v)}; }
inline DwordLanes operator-(DwordLanes a, DwordLanes b) { return {_mm256_sub_epi32(a.v, b.v)}; }
template <int n>
DwordLanes operator<<(DwordLanes a, Index<n> /*bits*/) {
  return {_mm256_slli_epi32(a.v, n)};
}
template <int n>
DwordLanes operator>>(DwordLanes a, Index<n> /*bits*/) {
  return {_mm256_srli_epi32(a.v, n)};
}
template <int n>
DwordLanes shift_right_signed(DwordLanes a) {
  return {_mm256_srai_epi32(a.v, n)};
}
// To the left by n bits, or to the right by -n.
template <int n>
DwordLanes shift(DwordLanes a) {
  if constexpr (n >= 0) return a << Index<n>{};
  return a >> Index < n >= 0 ? 0 : -n > {};
}
// By as many bits as the lane of `bits` says.
inline DwordLanes shift_left(DwordLanes a, DwordLanes bits) {
  return {_mm256_sllv_epi32(a.v, bits.v)};
}
inline DwordLanes shift_right(DwordLanes a, DwordLanes bits) {
  return {_mm256_srlv_epi32(a.v, bits.v)};
}
inline DwordLanes multiply(DwordLanes a, DwordLanes b) { return {_mm256_mullo_epi32(a.v, b.v)}; }
// In 16-bit lanes.
inline DwordLanes multiply16(DwordLanes a, DwordLanes b) { return {_mm256_mullo_epi16(a.v, b.v)}; }
// table[byte] of each byte in 0 .. 15.
inline DwordLanes lookup(const std::int8_t (&table)[16], DwordLanes bytes) {
  const __m128i t = _mm_loadu_si128(reinterpret_cast<const __m128i*>(table));
  return {_mm256_shuffle_epi8(_mm256_broadcastsi128_si256(t), bytes.v)};
}
// Byte i is byte index[i] of the 16 in its half of the register, or 0 where index[i] is -1.
inline DwordLanes shuffle_bytes(DwordLanes a, DwordLanes index) {
  return {_mm256_shuffle_epi8(a.v, index.v)};
}
// Each byte of `codes`, with `value` added where the byte of `a` has the bit of `bit`.
inline DwordLanes add_where(DwordLanes codes, DwordLanes a, DwordLanes bit, DwordLanes value) {
  const __m256i has = _mm256_cmpeq_epi8(_mm256_and_si256(a.v, bit.v), bit.v);
  return {_mm256_add_epi8(codes.v, _mm256_and_si256(has, value.v))};
}
// Bytes 2 `half` and 2 `half` + 1 of each lane, as signed numbers of 16 bits.
template <int half>
__m256i widened(DwordLanes codes) {
  constexpr char k = 2 * half;
  const __m256i high_bytes = _mm256_setr_epi8(  // to the upper halves of the numbers
      -1, k, -1, k + 1, -1, k + 4, -1, k + 5, -1, k + 8, -1, k + 9, -1, k + 12, -1, k + 13,  //
      -1, k, -1, k + 1, -1, k + 4, -1, k + 5, -1, k + 8, -1, k + 9, -1, k + 12, -1, k + 13);
  return _mm256_srai_epi16(_mm256_shuffle_epi8(codes.v, high_bytes), 8);
}
// 128 - codes where the byte of `a` has the bit of `bit`.
inline DwordLanes negate_where(DwordLanes codes, DwordLanes a, DwordLanes bit) {
  const __m256i has = _mm256_cmpeq_epi8(_mm256_and_si256(a.v, bit.v), bit.v);
  // -1 - code, and 129 more: 127 less, as bytes wrap around
  return {_mm256_sub_epi8(_mm256_xor_si256(codes.v, has),
                          _mm256_and_si256(has, _mm256_set1_epi8(127)))};
}
// The same bits as a float.
inline FloatLanes as_floats(DwordLanes a) { return {_mm256_castsi256_ps(a.v)}; }
inline FloatLanes to_float(DwordLanes a) { return {_mm256_cvtepi32_ps(a.v)}; }
// The F16 in the low half of each lane.
inline FloatLanes half_to_float(DwordLanes a) {
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
inline void DwordLanes::load16(const std::byte* rows, std::int64_t stride, DwordLanes* out) {
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

// ---- lanes as blocks ----

template <int n_bytes, int offset>
FloatLanes DwordLanes::load_halves(const std::byte* group, std::int64_t /*stride*/) {
  __m128i halves = _mm_setzero_si128();
  unroll<8>([&](auto i) GALLEY_INLINE {
    constexpr int lane = decltype(i)::value;
    std::int16_t half;
    __builtin_memcpy(&half, group + kBlockOfLane[lane] * n_bytes + offset, 2);
    halves = _mm_insert_epi16(halves, half, lane);
  });
  return {_mm256_cvtph_ps(halves)};
}

inline void DwordLanes::load_alternating(const std::byte* at, std::int64_t /*stride*/,
                                         DwordLanes (&out)[2]) {
  const __m256i a = load(at).v;       // blocks 0 .. 3, of which 0 and 2 go to the lower half
  const __m256i b = load(at + 32).v;  // blocks 4 .. 7
  for (int i = 0; i < 2; ++i) {
    const __m256i place =
        _mm256_add_epi32(_mm256_setr_epi32(0, 4, 0, 4, 2, 6, 2, 6), _mm256_set1_epi32(i));
    out[i].v = _mm256_blend_epi32(_mm256_permutevar8x32_epi32(a, place),
                                  _mm256_permutevar8x32_epi32(b, place), 0b11001100);
  }
}

inline DwordLanes DwordLanes::load_blocks(const std::byte* at, std::int64_t /*stride*/) {
  return {_mm256_permutevar8x32_epi32(load(at).v, load(kBlockOfLane).v)};
}

inline void DwordLanes::load_two_halves(const std::byte* at, std::int64_t /*stride*/,
                                        FloatLanes (&out)[2]) {
  std::int32_t both;
  __builtin_memcpy(&both, at, 4);
  const __m256 alternating = _mm256_cvtph_ps(_mm_set1_epi32(both));
  out[0].v = _mm256_moveldup_ps(alternating);
  out[1].v = _mm256_movehdup_ps(alternating);
}

}  // namespace galley::kernels::avx2
