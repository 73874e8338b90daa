// Sixteen lanes of 32 bits: what the unpackers of weights compute with.
//
// Where it sits: the unpackers in kernels/ are written for any such type; avx2/ has the one of
// eight lanes. There are two ways to fill it. With many tokens a lane is a row (sixteen rows;
// unpack32.h, unpack256.h). With one token a lane is a block of 32 columns (the eight blocks of
// a group, of two rows; row_unpack32.h, row_unpack256.h). Nothing here throws.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "kernels/token_groups.h"
#include "kernels/unroll.h"

namespace galley::kernels::avx512 {

// A float of each lane.
struct FloatLanes {
  __m512 v;

  void store(float* to) const { _mm512_storeu_ps(to, v); }
};

inline FloatLanes operator*(FloatLanes a, FloatLanes b) { return {_mm512_mul_ps(a.v, b.v)}; }
inline FloatLanes operator-(FloatLanes a) { return {_mm512_xor_ps(a.v, _mm512_set1_ps(-0.0f))}; }

// Four bytes, or an integer, of each lane.
struct DwordLanes {
  using Floats = FloatLanes;
  static constexpr int kLanes = 16;

  __m512i v;

  static DwordLanes splat(std::uint32_t value) {
    return {_mm512_set1_epi32(static_cast<std::int32_t>(value))};
  }
  // The same 16 bytes of each row, `stride` bytes apart: out[j] has bytes 4 j .. 4 j + 3.
  static void load16(const std::byte* rows, std::int64_t stride, DwordLanes* out);
  // The same 64 bytes of each row, one dword for each lane.
  static void load_square(const std::byte* rows, std::int64_t stride, DwordLanes (&out)[kLanes]);

  // Lanes as blocks; the second row's bytes are `stride` after the first's.
  // 16 bytes at `even` in lanes 0 .. 3, 16 at `odd` in lanes 4 .. 7.
  static DwordLanes load_pair(const std::byte* even, const std::byte* odd, std::int64_t stride);
  // The same the other way round.
  void store_pair(std::byte* even, std::byte* odd, std::int64_t stride) const;
  void store(std::int32_t* to) const { _mm512_storeu_si512(to, v); }
  // The same 16 bytes in lanes 0 .. 3 and 4 .. 7.
  static DwordLanes load_twice(const std::byte* at, std::int64_t stride);
  // The F16 at `offset` of each block of n_bytes, eight blocks from `group` on.
  template <int n_bytes, int offset>
  static FloatLanes load_halves(const std::byte* group, std::int64_t stride);
  // The two F16 at `at`, each in all lanes of its row.
  static void load_two_halves(const std::byte* at, std::int64_t stride, FloatLanes (&out)[2]);
  // The float at `at`, in all lanes of its row.
  static FloatLanes load_float(const std::byte* at, std::int64_t stride);
  // The 16 dwords at `at`, two of each block: the first ones in out[0], the second ones in out[1].
  static void load_alternating(const std::byte* at, std::int64_t stride, DwordLanes (&out)[2]);
  // The 8 dwords at `at`, one of each block.
  static DwordLanes load_blocks(const std::byte* at, std::int64_t stride);
  // What eight(row, odd, i) gives: eight bytes, the i-th of the even or the odd block of a pair.
  template <class Eight>
  GALLEY_INLINE static DwordLanes of_eights(const Eight& eight) {
    const auto at = [&](int row, int odd, int i)
                        GALLEY_INLINE { return static_cast<long long>(eight(row, odd, i)); };
    return {_mm512_set_epi64(at(1, 1, 1), at(1, 1, 0), at(1, 0, 1), at(1, 0, 0),  //
                             at(0, 1, 1), at(0, 1, 0), at(0, 0, 1), at(0, 0, 0))};
  }
  // Constants: of the eight blocks, or of the 32 bytes in eight lanes.
  static DwordLanes of_blocks(const std::int32_t (&eight)[8]) { return repeat(eight); }
  static DwordLanes of_bytes(const std::int8_t (&bytes)[32]) { return repeat(bytes); }

 private:
  static DwordLanes repeat(const void* eight) {
    return {_mm512_broadcast_i64x4(_mm256_loadu_si256(static_cast<const __m256i*>(eight)))};
  }
};

inline DwordLanes operator&(DwordLanes a, DwordLanes b) { return {_mm512_and_si512(a.v, b.v)}; }
inline DwordLanes operator|(DwordLanes a, DwordLanes b) { return {_mm512_or_si512(a.v, b.v)}; }
inline DwordLanes operator^(DwordLanes a, DwordLanes b) { return {_mm512_xor_si512(a.v, b.v)}; }
inline DwordLanes operator-(DwordLanes a, DwordLanes b) { return {_mm512_sub_epi32(a.v, b.v)}; }
template <int n>
DwordLanes operator<<(DwordLanes a, Index<n> /*bits*/) {
  return {_mm512_slli_epi32(a.v, n)};
}
template <int n>
DwordLanes operator>>(DwordLanes a, Index<n> /*bits*/) {
  return {_mm512_srli_epi32(a.v, n)};
}
template <int n>
DwordLanes shift_right_signed(DwordLanes a) {
  return {_mm512_srai_epi32(a.v, n)};
}
// To the left by n bits, or to the right by -n.
template <int n>
DwordLanes shift(DwordLanes a) {
  if constexpr (n >= 0) return a << Index<n>{};
  return a >> Index < n >= 0 ? 0 : -n > {};
}
// By as many bits as the lane of `bits` says.
inline DwordLanes shift_left(DwordLanes a, DwordLanes bits) {
  return {_mm512_sllv_epi32(a.v, bits.v)};
}
inline DwordLanes shift_right(DwordLanes a, DwordLanes bits) {
  return {_mm512_srlv_epi32(a.v, bits.v)};
}
inline DwordLanes multiply(DwordLanes a, DwordLanes b) { return {_mm512_mullo_epi32(a.v, b.v)}; }
// In 16-bit lanes.
inline DwordLanes multiply16(DwordLanes a, DwordLanes b) { return {_mm512_mullo_epi16(a.v, b.v)}; }
// table[byte] of each byte in 0 .. 15.
inline DwordLanes lookup(const std::int8_t (&table)[16], DwordLanes bytes) {
  const __m128i t = _mm_loadu_si128(reinterpret_cast<const __m128i*>(table));
  return {_mm512_shuffle_epi8(_mm512_broadcast_i32x4(t), bytes.v)};
}
// Byte i is byte index[i] of the 16 in its quarter of the register, or 0 where index[i] is -1.
inline DwordLanes shuffle_bytes(DwordLanes a, DwordLanes index) {
  return {_mm512_shuffle_epi8(a.v, index.v)};
}
// Each byte of `codes`, with `value` added where the byte of `a` has the bit of `bit`.
inline DwordLanes add_where(DwordLanes codes, DwordLanes a, DwordLanes bit, DwordLanes value) {
  const __mmask64 has = _mm512_test_epi8_mask(a.v, bit.v);
  return {_mm512_mask_add_epi8(codes.v, has, codes.v, value.v)};
}
// 128 - codes where the byte of `a` has the bit of `bit`.
inline DwordLanes negate_where(DwordLanes codes, DwordLanes a, DwordLanes bit) {
  const __mmask64 has = _mm512_test_epi8_mask(a.v, bit.v);
  return {_mm512_mask_sub_epi8(codes.v, has, _mm512_set1_epi8(-128), codes.v)};
}
// The same bits as a float.
inline FloatLanes as_floats(DwordLanes a) { return {_mm512_castsi512_ps(a.v)}; }
inline FloatLanes to_float(DwordLanes a) { return {_mm512_cvtepi32_ps(a.v)}; }
// The F16 in the low half of each lane.
inline FloatLanes half_to_float(DwordLanes a) {
  return {_mm512_cvtph_ps(_mm512_cvtepi32_epi16(a.v))};
}

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
inline void DwordLanes::load16(const std::byte* rows, std::int64_t stride, DwordLanes* out) {
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

// 4 x 4 dwords are transposed in each quarter, then 4 x 4 quarters.
inline void DwordLanes::load_square(const std::byte* rows, std::int64_t stride,
                                    DwordLanes (&out)[kLanes]) {
  __m512i four[4][4];  // [j][i]: in quarter k dword 4 k + j of rows 4 i .. 4 i + 3
  for (int i = 0; i < 4; ++i) {
    const std::byte* row = rows + 4 * i * stride;
    const __m512i a = _mm512_loadu_si512(row);
    const __m512i b = _mm512_loadu_si512(row + stride);
    const __m512i c = _mm512_loadu_si512(row + 2 * stride);
    const __m512i d = _mm512_loadu_si512(row + 3 * stride);
    const __m512i ab_low = _mm512_unpacklo_epi32(a, b);
    const __m512i ab_high = _mm512_unpackhi_epi32(a, b);
    const __m512i cd_low = _mm512_unpacklo_epi32(c, d);
    const __m512i cd_high = _mm512_unpackhi_epi32(c, d);
    four[0][i] = _mm512_unpacklo_epi64(ab_low, cd_low);
    four[1][i] = _mm512_unpackhi_epi64(ab_low, cd_low);
    four[2][i] = _mm512_unpacklo_epi64(ab_high, cd_high);
    four[3][i] = _mm512_unpackhi_epi64(ab_high, cd_high);
  }
  for (int j = 0; j < 4; ++j) {
    const __m512i even_0 = _mm512_shuffle_i32x4(four[j][0], four[j][1], 0b10001000);
    const __m512i odd_0 = _mm512_shuffle_i32x4(four[j][0], four[j][1], 0b11011101);
    const __m512i even_1 = _mm512_shuffle_i32x4(four[j][2], four[j][3], 0b10001000);
    const __m512i odd_1 = _mm512_shuffle_i32x4(four[j][2], four[j][3], 0b11011101);
    out[j].v = _mm512_shuffle_i32x4(even_0, even_1, 0b10001000);
    out[4 + j].v = _mm512_shuffle_i32x4(odd_0, odd_1, 0b10001000);
    out[8 + j].v = _mm512_shuffle_i32x4(even_0, even_1, 0b11011101);
    out[12 + j].v = _mm512_shuffle_i32x4(odd_0, odd_1, 0b11011101);
  }
}

// ---- lanes as blocks ----

inline DwordLanes DwordLanes::load_pair(const std::byte* even, const std::byte* odd,
                                        std::int64_t stride) {
  const auto at = [](const std::byte* from) {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
  };
  __m512i v = _mm512_castsi128_si512(at(even));
  v = _mm512_inserti32x4(v, at(odd), 1);
  v = _mm512_inserti32x4(v, at(even + stride), 2);
  return {_mm512_inserti32x4(v, at(odd + stride), 3)};
}

inline void DwordLanes::store_pair(std::byte* even, std::byte* odd, std::int64_t stride) const {
  const auto put = [](std::byte* to, __m128i bytes) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to), bytes);
  };
  put(even, _mm512_castsi512_si128(v));
  put(odd, _mm512_extracti32x4_epi32(v, 1));
  put(even + stride, _mm512_extracti32x4_epi32(v, 2));
  put(odd + stride, _mm512_extracti32x4_epi32(v, 3));
}

inline DwordLanes DwordLanes::load_twice(const std::byte* at, std::int64_t stride) {
  const auto* first = reinterpret_cast<const __m128i*>(at);
  const auto* second = reinterpret_cast<const __m128i*>(at + stride);
  const __m512i v = _mm512_broadcast_i32x4(_mm_loadu_si128(first));
  return {_mm512_mask_broadcast_i32x4(v, 0xff00, _mm_loadu_si128(second))};
}

// How the F16 at `offset` of eight blocks of n_bytes are collected: from registers of 64 bytes that
// hold as many of them as possible and nothing beyond the group.
template <int n_bytes, int offset>
struct HalvesOfBlocks {
  static constexpr int kInOne = 62 / n_bytes + 1;  // F16 that one register holds
  static constexpr int kLoads = (8 + kInOne - 1) / kInOne;

  static constexpr int start(int load) {
    const int first = load * kInOne * n_bytes + offset;
    return first + 64 <= 8 * n_bytes ? first : 8 * n_bytes - 64;
  }
  // The lanes of `row` whose F16 are in this register.
  static constexpr __mmask32 lanes(int load, int row) {
    std::uint32_t mask = 0;
    for (int lane = 0; lane < 8; ++lane) {
      if (kBlockOfLane[lane] / kInOne == load) mask |= 1u << (8 * row + lane);
    }
    return mask;
  }
  // Which 16 bits of its register go to each lane.
  struct Places {
    alignas(64) std::int16_t word[32] = {};
  };
  static constexpr Places places() {
    Places out;
    for (int lane = 0; lane < 16; ++lane) {
      const int block = kBlockOfLane[lane % 8];
      const int byte = block * n_bytes + offset - start(block / kInOne);
      out.word[lane] = static_cast<std::int16_t>(byte / 2);
    }
    return out;
  }
};

template <int n_bytes, int offset>
FloatLanes DwordLanes::load_halves(const std::byte* group, std::int64_t stride) {
  using Plan = HalvesOfBlocks<n_bytes, offset>;
  static constexpr typename Plan::Places kPlaces = Plan::places();
  const __m512i places = _mm512_load_si512(kPlaces.word);
  __m512i halves = _mm512_setzero_si512();
  unroll<2 * Plan::kLoads>([&](auto i) GALLEY_INLINE {
    constexpr int row = decltype(i)::value / Plan::kLoads;
    constexpr int load = decltype(i)::value % Plan::kLoads;
    const __m512i from = _mm512_loadu_si512(group + row * stride + Plan::start(load));
    halves = _mm512_mask_permutexvar_epi16(halves, Plan::lanes(load, row), places, from);
  });
  return {_mm512_cvtph_ps(_mm512_castsi512_si256(halves))};
}

inline void DwordLanes::load_alternating(const std::byte* at, std::int64_t stride,
                                         DwordLanes (&out)[2]) {
  const __m512i block =
      _mm512_setr_epi32(0, 2, 4, 6, 1, 3, 5, 7, 8, 10, 12, 14, 9, 11, 13, 15);  // second row: + 8
  const __m512i first = _mm512_slli_epi32(block, 1);
  const __m512i a = _mm512_loadu_si512(at);
  const __m512i b = _mm512_loadu_si512(at + stride);
  out[0].v = _mm512_permutex2var_epi32(a, first, b);
  out[1].v = _mm512_permutex2var_epi32(a, _mm512_add_epi32(first, _mm512_set1_epi32(1)), b);
}

inline DwordLanes DwordLanes::load_blocks(const std::byte* at, std::int64_t stride) {
  const auto eight = [](const std::byte* from) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
  };
  const __m512i block = _mm512_setr_epi32(0, 2, 4, 6, 1, 3, 5, 7, 8, 10, 12, 14, 9, 11, 13, 15);
  const __m512i both = _mm512_inserti64x4(_mm512_castsi256_si512(eight(at)), eight(at + stride), 1);
  return {_mm512_permutexvar_epi32(block, both)};
}

inline void DwordLanes::load_two_halves(const std::byte* at, std::int64_t stride,
                                        FloatLanes (&out)[2]) {
  const auto dword = [](const std::byte* from) {
    std::int32_t value;
    __builtin_memcpy(&value, from, 4);
    return value;
  };
  const __m256i both =
      _mm256_mask_set1_epi32(_mm256_set1_epi32(dword(at)), 0xf0, dword(at + stride));
  const __m512 alternating = _mm512_cvtph_ps(both);
  out[0].v = _mm512_moveldup_ps(alternating);
  out[1].v = _mm512_movehdup_ps(alternating);
}

inline FloatLanes DwordLanes::load_float(const std::byte* at, std::int64_t stride) {
  float first;
  float second;
  __builtin_memcpy(&first, at, 4);
  __builtin_memcpy(&second, at + stride, 4);
  return {_mm512_mask_blend_ps(0xff00, _mm512_set1_ps(first), _mm512_set1_ps(second))};
}

}  // namespace galley::kernels::avx512
