// Unpacking weights for one token, continued: the types with super-blocks of 256, which are one
// group. Offsets are those of the drawings in tensor/blocks.h.
#pragma once

#include "kernels/row_unpack32.h"
#include "kernels/unpack256.h"

namespace galley::kernels {

// 16 bytes that two blocks share: each has its bits at another place, `even` or `odd` bits up.
// Source of the codes of one half of a pair of blocks.
template <int even, int odd, class V>
GALLEY_INLINE inline V bits_from(V bytes) {
  static constexpr std::int32_t kRight[8] = {even, even, even, even, odd, odd, odd, odd};
  static constexpr std::int32_t kLeft[8] = {-even, -even, -even, -even, -odd, -odd, -odd, -odd};
  if constexpr (even >= 0 && odd >= 0) return shift_right(bytes, V::of_blocks(kRight));
  return shift_left(bytes, V::of_blocks(kLeft));
}

// ---- Q4_K and Q5_K --------------------------------------------------------------------------

// Scales from the first 16 bytes: d, dmin and eight scales and minimums of 6 bits.
template <class V>
GALLEY_INLINE inline Scales<V> row_scales_and_minimums(const std::byte* group,
                                                       std::int64_t stride) {
  constexpr std::int8_t z = -1;
  // In the lanes of blocks 0 2 4 6, then 1 3 5 7: the byte with the low bits, then the one whose
  // two upper bits are those of blocks 4 .. 7.
  static constexpr std::int8_t kScale[32] = {4, z, z, z, 6, z, z, z, 12, z, z, z, 14, z, z, z,
                                             5, z, z, z, 7, z, z, z, 13, z, z, z, 15, z, z, z};
  static constexpr std::int8_t kMin[32] = {8, z, z, z, 10, z, z, z, 12, z, z, z, 14, z, z, z,
                                           9, z, z, z, 11, z, z, z, 13, z, z, z, 15, z, z, z};
  static constexpr std::int8_t kScaleUpper[32] = {z, z, z, z, z, z, z, z, 4, z, z, z, 6, z, z, z,
                                                  z, z, z, z, z, z, z, z, 5, z, z, z, 7, z, z, z};
  static constexpr std::int8_t kMinUpper[32] = {z, z, z, z, z, z, z, z, 8, z, z, z, 10, z, z, z,
                                                z, z, z, z, z, z, z, z, 9, z, z, z, 11, z, z, z};
  static constexpr std::int32_t kLow[8] = {63, 63, 15, 15, 63, 63, 15, 15};
  static constexpr std::int32_t kMinShift[8] = {0, 0, 4, 4, 0, 0, 4, 4};
  const V bytes = V::load_twice(group, stride);
  const V low = V::of_blocks(kLow);
  const auto upper = [&](const std::int8_t(&index)[32]) GALLEY_INLINE {
    return (shuffle_bytes(bytes, V::of_bytes(index)) >> Index<2>{}) & V::splat(0x30);
  };
  const V scale = (shuffle_bytes(bytes, V::of_bytes(kScale)) & low) | upper(kScaleUpper);
  const V min_low = shift_right(shuffle_bytes(bytes, V::of_bytes(kMin)), V::of_blocks(kMinShift));
  const V min = (min_low & low) | upper(kMinUpper);
  typename V::Floats d[2];
  V::load_two_halves(group, stride, d);
  Scales<V> scales = {.d = scaled(d[0], scale)};
  scales.min[0] = scaled(-d[1], min);
  return scales;
}

// Nibbles of blocks 2 j (low) and 2 j + 1 (high) from the same 32 bytes.
template <class V>
GALLEY_INLINE inline void shared_nibbles(const std::byte* qs, std::int64_t stride, V (&codes)[8]) {
  for (int i = 0; i < 8; ++i) {
    codes[i] = bits_from<0, 4>(V::load_twice(qs + 16 * i, stride)) & V::splat(0x0f0f0f0f);
  }
}

template <class V>
GALLEY_INLINE inline RowGroup<V> unpack_row_group(const BlockQ4_K* /*type*/, const std::byte* group,
                                                  std::int64_t stride) {
  RowGroup<V> out;
  out.scales = row_scales_and_minimums<V>(group, stride);
  shared_nibbles(group + 16, stride, out.codes);
  return out;
}

template <class V>
GALLEY_INLINE inline RowGroup<V> unpack_row_group(const BlockQ5_K* /*type*/, const std::byte* group,
                                                  std::int64_t stride) {
  RowGroup<V> out;
  out.scales = row_scales_and_minimums<V>(group, stride);
  shared_nibbles(group + 48, stride, out.codes);
  const V fifth = V::splat(0x10101010);
  for (int half = 0; half < 2; ++half) {
    const V qh = V::load_twice(group + 16 + 16 * half, stride);
    out.codes[half] = out.codes[half] | (bits_from<-4, -3>(qh) & fifth);
    out.codes[2 + half] = out.codes[2 + half] | (bits_from<-2, -1>(qh) & fifth);
    out.codes[4 + half] = out.codes[4 + half] | (bits_from<0, 1>(qh) & fifth);
    out.codes[6 + half] = out.codes[6 + half] | (bits_from<2, 3>(qh) & fifth);
  }
  return out;
}

// ---- Q2_K, Q3_K and TQ2_0 -------------------------------------------------------------------

// Two-bit codes: 32 bytes for each four blocks.
template <class V>
GALLEY_INLINE inline void row_two_bits(const std::byte* qs, std::int64_t stride, V (&codes)[8]) {
  const V low = V::splat(0x03030303);
  for (int i = 0; i < 4; ++i) {
    const V q = V::load_twice(qs + 16 * i, stride);
    codes[i / 2 * 4 + i % 2] = bits_from<0, 2>(q) & low;
    codes[i / 2 * 4 + 2 + i % 2] = bits_from<4, 6>(q) & low;
  }
}

// Byte 2 b + half of 16 to the lane of block b.
template <int half, class V>
GALLEY_INLINE inline V byte_of_half(V bytes) {
  constexpr std::int8_t z = -1;
  constexpr std::int8_t h = half;
  static constexpr std::int8_t kIndex[32] = {h,      z, z, z, h + 4,  z, z, z, h + 8, z, z, z,
                                             h + 12, z, z, z, h + 2,  z, z, z, h + 6, z, z, z,
                                             h + 10, z, z, z, h + 14, z, z, z};
  return shuffle_bytes(bytes, V::of_bytes(kIndex));
}

// The same with its sign.
template <int half, class V>
GALLEY_INLINE inline V signed_byte_of_half(V bytes) {
  return shift_right_signed<24>(byte_of_half<half>(bytes) << Index<24>{});
}

template <class V>
GALLEY_INLINE inline RowGroup<V> unpack_row_group(const BlockQ2_K* /*type*/, const std::byte* group,
                                                  std::int64_t stride) {
  RowGroup<V> out;
  row_two_bits(group + 16, stride, out.codes);
  const V bytes = V::load_twice(group, stride);
  const V scale = bytes & V::splat(0x0f0f0f0f);
  const V min = (bytes >> Index<4>{}) & V::splat(0x0f0f0f0f);
  typename V::Floats d[2];
  V::load_two_halves(group + 80, stride, d);
  out.scales = {.d = d[0]};
  out.scales.scale[0] = byte_of_half<0>(scale);
  out.scales.scale[1] = byte_of_half<1>(scale);
  out.scales.min[0] = scaled(-d[1], byte_of_half<0>(min));
  out.scales.min[1] = scaled(-d[1], byte_of_half<1>(min));
  return out;
}

// The scale of the first or last half of each block, from the 16 bytes whose bytes 2 .. 13 are the
// packed scales.
template <int half, class V>
GALLEY_INLINE inline V row_q3_scale(V bytes) {
  constexpr std::int8_t z = -1;
  constexpr std::int8_t h = 2 + half;
  static constexpr std::int8_t kLow[32] = {h, z,     z,     z, h + 4, z,     z,     z, h, z,     z,
                                           z, h + 4, z,     z, z,     h + 2, z,     z, z, h + 6, z,
                                           z, z,     h + 2, z, z,     z,     h + 6, z, z, z};
  static constexpr std::int8_t kUpper[32] = {h + 8,  z, z, z, h + 8,  z, z, z, h + 8,  z, z, z,
                                             h + 8,  z, z, z, h + 10, z, z, z, h + 10, z, z, z,
                                             h + 10, z, z, z, h + 10, z, z, z};
  static constexpr std::int32_t kLowShift[8] = {0, 0, 4, 4, 0, 0, 4, 4};
  static constexpr std::int32_t kUpperShift[8] = {0, 2, 4, 6, 0, 2, 4, 6};
  const V low = shift_right(shuffle_bytes(bytes, V::of_bytes(kLow)), V::of_blocks(kLowShift));
  const V upper = shift_right(shuffle_bytes(bytes, V::of_bytes(kUpper)) << Index<4>{},
                              V::of_blocks(kUpperShift));
  return ((low & V::splat(0x0f)) | (upper & V::splat(0x30))) - V::splat(32);
}

template <class V>
GALLEY_INLINE inline RowGroup<V> unpack_row_group(const BlockQ3_K* /*type*/, const std::byte* group,
                                                  std::int64_t stride) {
  RowGroup<V> out;
  row_two_bits(group + 32, stride, out.codes);
  const V third = V::splat(0x04040404);
  for (int half = 0; half < 2; ++half) {
    const V hmask = V::load_twice(group + 16 * half, stride);
    out.codes[half] = out.codes[half] | (bits_from<-2, -1>(hmask) & third);
    out.codes[2 + half] = out.codes[2 + half] | (bits_from<0, 1>(hmask) & third);
    out.codes[4 + half] = out.codes[4 + half] | (bits_from<2, 3>(hmask) & third);
    out.codes[6 + half] = out.codes[6 + half] | (bits_from<4, 5>(hmask) & third);
  }
  typename V::Floats d[2];
  V::load_two_halves(group + 106, stride, d);
  const V packed = V::load_twice(group + 94, stride);
  out.scales = {.d = d[1]};
  out.scales.scale[0] = row_q3_scale<0>(packed);
  out.scales.scale[1] = row_q3_scale<1>(packed);
  return out;
}

template <class V>
GALLEY_INLINE inline RowGroup<V> unpack_row_group(const BlockTQ2_0* /*type*/,
                                                  const std::byte* group, std::int64_t stride) {
  RowGroup<V> out;
  row_two_bits(group, stride, out.codes);
  typename V::Floats d[2];
  V::load_two_halves(group + 62, stride, d);
  out.scales = {.d = d[1]};
  return out;
}

// ---- Q6_K, IQ4_XS and TQ1_0 -----------------------------------------------------------------

template <class V>
GALLEY_INLINE inline RowGroup<V> unpack_row_group(const BlockQ6_K* /*type*/, const std::byte* group,
                                                  std::int64_t stride) {
  RowGroup<V> out;
  const V low = V::splat(0x0f0f0f0f);
  const V upper = V::splat(0x30303030);
  for (int i = 0; i < 4; ++i) {  // halves of blocks 0 .. 3, then of blocks 4 .. 7
    const std::byte* ql = group + i / 2 * 64 + i % 2 * 16;
    const V q = V::load_pair(ql, ql + 32, stride);
    const V qh = V::load_twice(group + 128 + 16 * i, stride);
    out.codes[i / 2 * 4 + i % 2] = (q & low) | (bits_from<-4, -2>(qh) & upper);
    out.codes[i / 2 * 4 + 2 + i % 2] = ((q >> Index<4>{}) & low) | (bits_from<0, 2>(qh) & upper);
  }
  typename V::Floats d[2];
  V::load_two_halves(group + 206, stride, d);
  const V scales = V::load_twice(group + 192, stride);
  out.scales = {.d = d[1]};
  out.scales.scale[0] = signed_byte_of_half<0>(scales);
  out.scales.scale[1] = signed_byte_of_half<1>(scales);
  return out;
}

template <class V>
GALLEY_INLINE inline RowGroup<V> unpack_row_group(const BlockIQ4_XS* /*type*/,
                                                  const std::byte* group, std::int64_t stride) {
  constexpr std::int8_t z = -1;
  static constexpr std::int8_t kLow[32] = {4, z, z, z, 5, z, z, z, 6, z, z, z, 7, z, z, z,
                                           4, z, z, z, 5, z, z, z, 6, z, z, z, 7, z, z, z};
  static constexpr std::int8_t kHigh[32] = {2, 3, z, z, 2, 3, z, z, 2, 3, z, z, 2, 3, z, z,
                                            2, 3, z, z, 2, 3, z, z, 2, 3, z, z, 2, 3, z, z};
  static constexpr std::int32_t kLowShift[8] = {0, 0, 0, 0, 4, 4, 4, 4};
  static constexpr std::int32_t kHighShift[8] = {0, 4, 8, 12, 2, 6, 10, 14};
  RowGroup<V> out;
  for (int j = 0; j < 4; ++j) {
    const std::byte* qs = group + 8 + 32 * j;
    const V q = V::load_pair(qs, qs + 16, stride);
    out.codes[2 * j] = lookup(kIq4Values, q & V::splat(0x0f0f0f0f));
    out.codes[2 * j + 1] = lookup(kIq4Values, (q >> Index<4>{}) & V::splat(0x0f0f0f0f));
  }
  const V bytes = V::load_twice(group, stride);
  const V low = shift_right(shuffle_bytes(bytes, V::of_bytes(kLow)), V::of_blocks(kLowShift));
  const V high =
      shift_right(shuffle_bytes(bytes, V::of_bytes(kHigh)) << Index<4>{}, V::of_blocks(kHighShift));
  const V scale = ((low & V::splat(0x0f)) | (high & V::splat(0x30))) - V::splat(32);
  typename V::Floats d[2];
  V::load_two_halves(group, stride, d);
  out.scales = {.d = scaled(d[0], scale)};
  return out;
}

template <class V>
GALLEY_INLINE inline RowGroup<V> unpack_row_group(const BlockTQ1_0* /*type*/,
                                                  const std::byte* group, std::int64_t stride) {
  constexpr std::int32_t k = 0x00010001;
  static constexpr std::int32_t kPowers[6][8] = {
      {k, k, k, k, 3 * k, 3 * k, 3 * k, 3 * k},                      // blocks 0 and 1
      {9 * k, 9 * k, 9 * k, 9 * k, 27 * k, 27 * k, 27 * k, 27 * k},  // 2 and 3
      {81 * k, 81 * k, 81 * k, 81 * k, k, k, k, k},                  // 4 and 5, first halves
      {81 * k, 81 * k, 81 * k, 81 * k, 3 * k, 3 * k, 3 * k, 3 * k},  // last halves
      {9 * k, 9 * k, 9 * k, 9 * k, 81 * k, 81 * k, 81 * k, 81 * k},  // 6 and 7, first halves
      {27 * k, 27 * k, 27 * k, 27 * k, k, 3 * k, 9 * k, 27 * k},     // last halves
  };
  // qh, bytes 10 .. 13 of the 16 that end behind d, four times.
  static constexpr std::int8_t kQh[32] = {0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10,
                                          11, 12, 13, 14, 15, 10, 11, 12, 13, 10, 11,
                                          12, 13, 10, 11, 12, 13, 10, 11, 12, 13};
  const std::byte* rest = group + 32;
  const V first = V::load_twice(group, stride);
  const V last = V::load_twice(group + 16, stride);
  RowGroup<V> out;
  out.codes[0] = ternary_digits(first, V::of_blocks(kPowers[0]));
  out.codes[1] = ternary_digits(last, V::of_blocks(kPowers[0]));
  out.codes[2] = ternary_digits(first, V::of_blocks(kPowers[1]));
  out.codes[3] = ternary_digits(last, V::of_blocks(kPowers[1]));
  out.codes[4] = ternary_digits(V::load_pair(group, rest, stride), V::of_blocks(kPowers[2]));
  out.codes[5] = ternary_digits(V::load_pair(group + 16, rest, stride), V::of_blocks(kPowers[3]));
  out.codes[6] = ternary_digits(V::load_twice(rest, stride), V::of_blocks(kPowers[4]));
  const V with_qh = V::load_pair(rest, group + 38, stride);
  out.codes[7] = ternary_digits(shuffle_bytes(with_qh, V::of_bytes(kQh)), V::of_blocks(kPowers[5]));
  typename V::Floats d[2];
  V::load_two_halves(group + 50, stride, d);
  out.scales = {.d = d[1]};
  return out;
}

}  // namespace galley::kernels
