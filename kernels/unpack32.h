// Unpacking weights: a group of 256 columns of several rows at once, one row in each lane.
//
// Where it sits: matmuls (of 8 rows, with AVX-512 of 16) call unpack_group(); what
// comes out goes into a sink, which stores it or multiplies it at once. A new weight type needs
// traits (weight_traits.h), an unpacker here or in unpack256.h, and its scalar twin in
// scalar/block_codes.cpp; nothing else.
//
// The trick: the packed bytes are transposed first, so that vector j holds bytes 4 j .. 4 j + 3
// of each row, one row per 32-bit lane. From there every step is the same operation in each
// lane, for the bits of the codes as for the scales.
//
// V is the vector type of an instruction set (avx2/dword_lanes.h, avx512/dword_lanes.h). All code
// here is templates over V, so the files of each set instantiate their own.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/unroll.h"
#include "kernels/weight_traits.h"

namespace galley::kernels {

// What turns the integer sums of a block into values; one number per row. See Codes.
template <class V>
struct Scales {
  typename V::Floats d;
  typename V::Floats min[2] = {};  // as many as the type has
  V scale[2] = {};                 // integers, if the type has them
};

// A sink has
//   void block(int i, const V (&codes)[8], const Scales<V>& scales);
// called for the blocks i = 0 .. 7 of the group in order, each with a constant; codes[k] holds the
// codes of columns 4 k .. 4 k + 3, one per byte.

// Bytes 0 .. n_bytes - 1 of a group of each row, transposed: dword[j] has bytes 4 j .. 4 j + 3.
// REQUIRES: n_bytes a multiple of 4, at least 16. Reads no byte beyond.
template <int n_bytes, class V>
GALLEY_INLINE inline void load_dwords(const std::byte* rows, std::int64_t stride, V* dword) {
  static_assert(n_bytes % 4 == 0 && n_bytes >= 16);
  unroll<n_bytes / 16>([&](auto i) GALLEY_INLINE {
    constexpr int c = decltype(i)::value;
    V::load16(rows + 16 * c, stride, dword + 4 * c);
  });
  if constexpr (n_bytes % 16 != 0) {
    V::load16(rows + (n_bytes - 16), stride, dword + (n_bytes - 16) / 4);
  }
}

// Halfword `half` in the low half of each lane; what is above it is undefined.
template <int half, class V>
GALLEY_INLINE inline V halfword(const V* dword) {
  if constexpr (half % 2 == 0) {
    return dword[half / 2];
  } else {
    return dword[half / 2] >> Index<16>{};
  }
}

// The four bytes that begin at halfword `half`.
template <int half, class V>
GALLEY_INLINE inline V dword_at(const V* dword) {
  if constexpr (half % 2 == 0) {
    return dword[half / 2];
  } else {
    return (dword[half / 2] >> Index<16>{}) | (dword[half / 2 + 1] << Index<16>{});
  }
}

// Byte `i` of each lane as an integer, without and with its sign.
template <int i, class V>
GALLEY_INLINE inline V byte_of(V v) {
  if constexpr (i == 3) return v >> Index<24>{};
  return (v >> Index<8 * i>{}) & V::splat(255);
}
template <int i, class V>
GALLEY_INLINE inline V signed_byte_of(V v) {
  return shift_right_signed<24>(v << Index<24 - 8 * i>{});
}

// The codes of 32 columns whose nibbles lie in the 16 bytes of q: low nibbles are columns
// 0 .. 15, high nibbles 16 .. 31.
template <class V>
GALLEY_INLINE inline void nibbles(const V (&q)[4], V (&codes)[8]) {
  const V low = V::splat(0x0f0f0f0f);
  for (int j = 0; j < 4; ++j) {
    codes[j] = q[j] & low;
    codes[j + 4] = (q[j] >> Index<4>{}) & low;
  }
}

// Loads n blocks of 32 columns (n is even), then calls body(i, dwords) for each, i an Index.
template <int n, class Block, class V, class Body>
GALLEY_INLINE inline void for_each_block32(const std::byte* rows, std::int64_t stride,
                                           Body&& body) {
  constexpr int kBytes = n * static_cast<int>(sizeof(Block));
  V dword[kBytes / 4];
  load_dwords<kBytes>(rows, stride, dword);
  unroll<n>([&](auto i) GALLEY_INLINE { body(i, dword); });
}

// The four dwords that begin at halfword `half`.
template <int half, class V>
GALLEY_INLINE inline void four_dwords(const V* dword, V (&q)[4]) {
  unroll<4>([&](auto j) GALLEY_INLINE {
    constexpr int k = decltype(j)::value;
    q[k] = dword_at<half + 2 * k>(dword);
  });
}

// ---- Blocks of 32. Offsets are in halfwords: see the drawings in tensor/blocks.h. -----------
// unpack_blocks passes on n blocks, n even: numbers of bytes must be multiples of four.

template <int n, class V, class Sink>
GALLEY_INLINE inline void unpack_blocks(const BlockQ4_0* /*type*/, const std::byte* rows,
                                        std::int64_t stride, Sink& sink) {
  for_each_block32<n, BlockQ4_0, V>(rows, stride, [&](auto i, const V* dword) GALLEY_INLINE {
    constexpr int half = 9 * decltype(i)::value;
    V q[4], codes[8];
    four_dwords<half + 1>(dword, q);
    nibbles(q, codes);
    const Scales<V> scales = {.d = half_to_float(halfword<half>(dword))};
    sink.block(decltype(i)::value, codes, scales);
  });
}

template <int n, class V, class Sink>
GALLEY_INLINE inline void unpack_blocks(const BlockQ4_1* /*type*/, const std::byte* rows,
                                        std::int64_t stride, Sink& sink) {
  for_each_block32<n, BlockQ4_1, V>(rows, stride, [&](auto i, const V* dword) GALLEY_INLINE {
    constexpr int half = 10 * decltype(i)::value;
    V q[4], codes[8];
    four_dwords<half + 2>(dword, q);
    nibbles(q, codes);
    Scales<V> scales = {.d = half_to_float(halfword<half>(dword))};
    scales.min[0] = half_to_float(halfword<half + 1>(dword));
    sink.block(decltype(i)::value, codes, scales);
  });
}

// Adds the fifth bits: bit 4 k + j of qh is that of byte j of codes[k]. The product copies the
// four bits to bits 4, 12, 20 and 28, each from its place (and elsewhere, which the mask drops).
template <class V>
GALLEY_INLINE inline void add_fifth_bits(V qh, V (&codes)[8]) {
  unroll<8>([&](auto i) GALLEY_INLINE {
    constexpr int k = decltype(i)::value;
    const V four = (qh >> Index<4 * k>{}) & V::splat(15);
    codes[k] = codes[k] | (multiply(four, V::splat(0x02040810)) & V::splat(0x10101010));
  });
}

template <int n, class V, class Sink>
GALLEY_INLINE inline void unpack_blocks(const BlockQ5_0* /*type*/, const std::byte* rows,
                                        std::int64_t stride, Sink& sink) {
  for_each_block32<n, BlockQ5_0, V>(rows, stride, [&](auto i, const V* dword) GALLEY_INLINE {
    constexpr int half = 11 * decltype(i)::value;
    V q[4], codes[8];
    four_dwords<half + 3>(dword, q);
    nibbles(q, codes);
    add_fifth_bits(dword_at<half + 1>(dword), codes);
    const Scales<V> scales = {.d = half_to_float(halfword<half>(dword))};
    sink.block(decltype(i)::value, codes, scales);
  });
}

template <int n, class V, class Sink>
GALLEY_INLINE inline void unpack_blocks(const BlockQ5_1* /*type*/, const std::byte* rows,
                                        std::int64_t stride, Sink& sink) {
  for_each_block32<n, BlockQ5_1, V>(rows, stride, [&](auto i, const V* dword) GALLEY_INLINE {
    constexpr int half = 12 * decltype(i)::value;
    V q[4], codes[8];
    four_dwords<half + 4>(dword, q);
    nibbles(q, codes);
    add_fifth_bits(dword_at<half + 2>(dword), codes);
    Scales<V> scales = {.d = half_to_float(halfword<half>(dword))};
    scales.min[0] = half_to_float(halfword<half + 1>(dword));
    sink.block(decltype(i)::value, codes, scales);
  });
}

template <int n, class V, class Sink>
GALLEY_INLINE inline void unpack_blocks(const BlockQ8_0* /*type*/, const std::byte* rows,
                                        std::int64_t stride, Sink& sink) {
  for_each_block32<n, BlockQ8_0, V>(rows, stride, [&](auto i, const V* dword) GALLEY_INLINE {
    constexpr int half = 17 * decltype(i)::value;
    V codes[8];
    unroll<8>([&](auto j) GALLEY_INLINE {
      constexpr int k = decltype(j)::value;
      codes[k] = dword_at<half + 1 + 2 * k>(dword);
    });
    const Scales<V> scales = {.d = half_to_float(halfword<half>(dword))};
    sink.block(decltype(i)::value, codes, scales);
  });
}

template <int n, class V, class Sink>
GALLEY_INLINE inline void unpack_blocks(const BlockIQ4_NL* /*type*/, const std::byte* rows,
                                        std::int64_t stride, Sink& sink) {
  for_each_block32<n, BlockIQ4_NL, V>(rows, stride, [&](auto i, const V* dword) GALLEY_INLINE {
    constexpr int half = 9 * decltype(i)::value;
    V q[4], codes[8];
    four_dwords<half + 1>(dword, q);
    nibbles(q, codes);
    for (V& code : codes) code = lookup(kIq4Values, code);
    const Scales<V> scales = {.d = half_to_float(halfword<half>(dword))};
    sink.block(decltype(i)::value, codes, scales);
  });
}

// A whole group.
template <class V, class Block, class Sink>
requires(kBlocksIn<Block> == 1) GALLEY_INLINE
    inline void unpack_group(const Block* type, const std::byte* rows, std::int64_t stride,
                             Sink& sink) {
  unpack_blocks<8, V>(type, rows, stride, sink);
}

}  // namespace galley::kernels
