// Unpacking weights, continued: the types with super-blocks of 256, which are one group.
// Offsets are those of the drawings in tensor/blocks.h.
#pragma once

#include "kernels/unpack32.h"

namespace galley::kernels {

// d (or dmin) times an integer scale: exact, as both have few bits.
template <class V>
GALLEY_INLINE inline typename V::Floats scaled(typename V::Floats d, V scale) {
  return d * to_float(scale);
}

// ---- Q4_K and Q5_K --------------------------------------------------------------------------

// The eight scales and minima of a super-block, four bytes to a dword.
template <class V>
struct ScalesAndMinima {
  V scale[2];
  V min[2];
};

// From the three dwords of packed scales.
template <class V>
GALLEY_INLINE inline ScalesAndMinima<V> unpack_scales_and_minima(const V* packed) {
  const V six = V::splat(0x3f3f3f3f);
  const V four = V::splat(0x0f0f0f0f);
  const V upper = V::splat(0x30303030);
  ScalesAndMinima<V> out;
  out.scale[0] = packed[0] & six;
  out.min[0] = packed[1] & six;
  out.scale[1] = (packed[2] & four) | ((packed[0] >> Index<2>{}) & upper);
  out.min[1] = ((packed[2] >> Index<4>{}) & four) | ((packed[1] >> Index<2>{}) & upper);
  return out;
}

template <int g, class V>
GALLEY_INLINE inline Scales<V> scales_of_group(typename V::Floats d, typename V::Floats minus_dmin,
                                               const ScalesAndMinima<V>& all) {
  Scales<V> scales = {.d = scaled(d, byte_of<g % 4>(all.scale[g / 4]))};
  scales.min[0] = scaled(minus_dmin, byte_of<g % 4>(all.min[g / 4]));
  return scales;
}

// The low (even g) or high nibbles of the 32 bytes that group `g` shares with its neighbour.
template <int g, class V>
GALLEY_INLINE inline void nibbles_of_group(const V* qs, V (&codes)[8]) {
  const V low = V::splat(0x0f0f0f0f);
  for (int k = 0; k < 8; ++k) {
    const V q = qs[g / 2 * 8 + k];
    codes[k] = (g % 2 == 0 ? q : q >> Index<4>{}) & low;
  }
}

template <class V, class Sink>
GALLEY_INLINE inline void unpack_group(const BlockQ4_K* /*type*/, const std::byte* rows,
                                       std::int64_t stride, Sink& sink) {
  V dword[36];
  load_dwords<144>(rows, stride, dword);
  const auto d = half_to_float(halfword<0>(dword));
  const auto minus_dmin = -half_to_float(halfword<1>(dword));
  const auto all = unpack_scales_and_minima(dword + 1);
  unroll<8>([&](auto i) GALLEY_INLINE {
    constexpr int g = decltype(i)::value;
    V codes[8];
    nibbles_of_group<g>(dword + 4, codes);
    sink.block(g, codes, scales_of_group<g>(d, minus_dmin, all));
  });
}

template <class V, class Sink>
GALLEY_INLINE inline void unpack_group(const BlockQ5_K* /*type*/, const std::byte* rows,
                                       std::int64_t stride, Sink& sink) {
  V dword[44];
  load_dwords<176>(rows, stride, dword);
  const V* qh = dword + 4;
  const auto d = half_to_float(halfword<0>(dword));
  const auto minus_dmin = -half_to_float(halfword<1>(dword));
  const auto all = unpack_scales_and_minima(dword + 1);
  unroll<8>([&](auto i) GALLEY_INLINE {
    constexpr int g = decltype(i)::value;
    V codes[8];
    nibbles_of_group<g>(dword + 12, codes);
    const V fifth = V::splat(0x10101010);
    for (int k = 0; k < 8; ++k) {
      codes[k] = codes[k] | (shift<4 - g>(qh[k]) & fifth);
    }
    sink.block(g, codes, scales_of_group<g>(d, minus_dmin, all));
  });
}

// ---- Q2_K, Q3_K and TQ2_0 -------------------------------------------------------------------

// The two-bit codes of group `g`.
template <int g, class V>
GALLEY_INLINE inline void two_bits_of_group(const V* qs, V (&codes)[8]) {
  for (int k = 0; k < 8; ++k) {
    codes[k] = (qs[g / 4 * 8 + k] >> Index<g % 4 * 2>{}) & V::splat(0x03030303);
  }
}

template <class V, class Sink>
GALLEY_INLINE inline void unpack_group(const BlockQ2_K* /*type*/, const std::byte* rows,
                                       std::int64_t stride, Sink& sink) {
  V dword[21];
  load_dwords<84>(rows, stride, dword);
  const V four = V::splat(0x0f0f0f0f);
  const auto d = half_to_float(halfword<40>(dword));
  const auto minus_dmin = -half_to_float(halfword<41>(dword));
  unroll<8>([&](auto i) GALLEY_INLINE {
    constexpr int g = decltype(i)::value;
    V codes[8];
    two_bits_of_group<g>(dword + 4, codes);
    constexpr int byte = 2 * g % 4;
    const V scale = dword[g / 2] & four;
    const V min = (dword[g / 2] >> Index<4>{}) & four;
    Scales<V> scales = {.d = d};
    scales.scale[0] = byte_of<byte>(scale);
    scales.scale[1] = byte_of<byte + 1>(scale);
    scales.min[0] = scaled(minus_dmin, byte_of<byte>(min));
    scales.min[1] = scaled(minus_dmin, byte_of<byte + 1>(min));
    sink.block(g, codes, scales);
  });
}

// The 16 scales of a Q3_K block, 32 added to each, four bytes to a dword.
template <class V>
GALLEY_INLINE inline void unpack_q3_scales(const V (&packed)[3], V (&scales)[4]) {
  const V four = V::splat(0x0f0f0f0f);
  const V upper = V::splat(0x30303030);
  scales[0] = (packed[0] & four) | ((packed[2] << Index<4>{}) & upper);
  scales[1] = (packed[1] & four) | ((packed[2] << Index<2>{}) & upper);
  scales[2] = ((packed[0] >> Index<4>{}) & four) | (packed[2] & upper);
  scales[3] = ((packed[1] >> Index<4>{}) & four) | ((packed[2] >> Index<2>{}) & upper);
}

template <class V, class Sink>
GALLEY_INLINE inline void unpack_group(const BlockQ3_K* /*type*/, const std::byte* rows,
                                       std::int64_t stride, Sink& sink) {
  V dword[24];  // hmask, then qs
  load_dwords<96>(rows, stride, dword);
  V tail[4];  // bytes 94 .. 109: scales from halfword 1, d is halfword 7
  V::load16(rows + 94, stride, tail);
  const V packed[3] = {dword_at<1>(tail), dword_at<3>(tail), dword_at<5>(tail)};
  V all[4];
  unpack_q3_scales(packed, all);
  const auto d = half_to_float(halfword<7>(tail));
  unroll<8>([&](auto i) GALLEY_INLINE {
    constexpr int g = decltype(i)::value;
    V codes[8];
    two_bits_of_group<g>(dword + 8, codes);
    for (int k = 0; k < 8; ++k) {
      codes[k] = codes[k] | (shift<2 - g>(dword[k]) & V::splat(0x04040404));
    }
    constexpr int byte = 2 * g % 4;
    const V offset = V::splat(32);
    Scales<V> scales = {.d = d};
    scales.scale[0] = byte_of<byte>(all[g / 2]) - offset;
    scales.scale[1] = byte_of<byte + 1>(all[g / 2]) - offset;
    sink.block(g, codes, scales);
  });
}

template <class V, class Sink>
GALLEY_INLINE inline void unpack_group(const BlockTQ2_0* /*type*/, const std::byte* rows,
                                       std::int64_t stride, Sink& sink) {
  V dword[16];
  load_dwords<64>(rows, stride, dword);
  V tail[4];  // bytes 50 .. 65: d is halfword 7
  V::load16(rows + 50, stride, tail);
  const auto d = half_to_float(halfword<7>(tail));
  unroll<8>([&](auto i) GALLEY_INLINE {
    constexpr int g = decltype(i)::value;
    V codes[8];
    two_bits_of_group<g>(dword, codes);
    sink.block(g, codes, Scales<V>{.d = d});
  });
}

// ---- Q6_K, IQ4_XS and TQ1_0 -----------------------------------------------------------------

template <class V, class Sink>
GALLEY_INLINE inline void unpack_group(const BlockQ6_K* /*type*/, const std::byte* rows,
                                       std::int64_t stride, Sink& sink) {
  V dword[52];  // ql, qh, scales
  load_dwords<208>(rows, stride, dword);
  V tail[4];  // bytes 194 .. 209: d is halfword 7
  V::load16(rows + 194, stride, tail);
  const auto d = half_to_float(halfword<7>(tail));
  unroll<8>([&](auto i) GALLEY_INLINE {
    constexpr int g = decltype(i)::value;
    constexpr int quarter = g % 4;
    const V* ql = dword + g / 4 * 16 + quarter % 2 * 8;
    const V* qh = dword + 32 + g / 4 * 8;
    V codes[8];
    for (int k = 0; k < 8; ++k) {
      const V low = (quarter < 2 ? ql[k] : ql[k] >> Index<4>{}) & V::splat(0x0f0f0f0f);
      codes[k] = low | (shift<4 - 2 * quarter>(qh[k]) & V::splat(0x30303030));
    }
    constexpr int byte = 2 * g % 4;
    Scales<V> scales = {.d = d};
    scales.scale[0] = signed_byte_of<byte>(dword[48 + g / 2]);
    scales.scale[1] = signed_byte_of<byte + 1>(dword[48 + g / 2]);
    sink.block(g, codes, scales);
  });
}

template <class V, class Sink>
GALLEY_INLINE inline void unpack_group(const BlockIQ4_XS* /*type*/, const std::byte* rows,
                                       std::int64_t stride, Sink& sink) {
  V dword[34];
  load_dwords<136>(rows, stride, dword);
  const auto d = half_to_float(halfword<0>(dword));
  unroll<8>([&](auto i) GALLEY_INLINE {
    constexpr int g = decltype(i)::value;
    const V q[4] = {dword[2 + 4 * g], dword[3 + 4 * g], dword[4 + 4 * g], dword[5 + 4 * g]};
    V codes[8];
    nibbles(q, codes);
    for (V& code : codes) code = lookup(kIq4Values, code);
    const V low = (dword[1] >> Index<4 * g>{}) & V::splat(15);
    const V high = shift<4 - 16 - 2 * g>(dword[0]) & V::splat(0x30);
    sink.block(g, codes, Scales<V>{.d = scaled(d, (low | high) - V::splat(32))});
  });
}

// A ternary digit of each byte: the integer part of 3 (byte * 3^n mod 256) / 256 for digit n,
// worked out in 16-bit lanes for the even and the odd bytes. `power` has 3^n in each 16-bit lane.
template <class V>
GALLEY_INLINE inline V ternary_digits(V bytes, V power) {
  const V mask = V::splat(0x00ff00ff);
  const V three = V::splat(0x00030003);
  const V even = multiply16(multiply16(bytes & mask, power) & mask, three);
  const V odd = multiply16(multiply16((bytes >> Index<8>{}) & mask, power) & mask, three);
  return ((even >> Index<8>{}) & mask) | (odd & V::splat(0xff00ff00));
}

// Digit n of each byte.
template <int n, class V>
GALLEY_INLINE inline V ternary_digits(V bytes) {
  constexpr std::uint32_t kPowersOf3[5] = {1, 3, 9, 27, 81};
  return ternary_digits(bytes, V::splat(kPowersOf3[n] * 0x00010001u));
}

template <class V, class Sink>
GALLEY_INLINE inline void unpack_group(const BlockTQ1_0* /*type*/, const std::byte* rows,
                                       std::int64_t stride, Sink& sink) {
  V dword[12];  // qs
  load_dwords<48>(rows, stride, dword);
  V tail[4];  // bytes 38 .. 53: qh from halfword 5, d is halfword 7
  V::load16(rows + 38, stride, tail);
  const V qh = dword_at<5>(tail);
  const auto d = half_to_float(halfword<7>(tail));
  unroll<8>([&](auto i) GALLEY_INLINE {
    constexpr int g = decltype(i)::value;
    V codes[8];
    unroll<8>([&](auto j) GALLEY_INLINE {
      constexpr int k = decltype(j)::value;
      if constexpr (g < 5) {  // digit g of bytes 0 .. 31
        codes[k] = ternary_digits<g>(dword[k]);
      } else if constexpr (g < 7 || k < 4) {  // of bytes 32 .. 47, 16 columns to a digit
        codes[k] = ternary_digits<2 * (g - 5) + k / 4>(dword[8 + k % 4]);
      } else {
        codes[k] = ternary_digits<k - 4>(qh);
      }
    });
    sink.block(g, codes, Scales<V>{.d = d});
  });
}

}  // namespace galley::kernels
