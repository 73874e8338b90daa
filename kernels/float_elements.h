// The elements of float weights as they are stored, and activations rounded to BF16.
//
// Where it sits: float_matmul.h and float_panels.h are written for any of these elements. Nothing
// here throws; all functions are always inlined, so that instruction-set files may include this.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "kernels/unroll.h"

namespace galley::kernels {

struct F16 {
  std::uint16_t bits;
};
struct BF16 {
  std::uint16_t bits;
};
// Two columns of BF16 weights, multiplied with activations that are rounded to BF16 as well: a word
// of 32 bits, the even column in its low half. Partial sum i takes the words i, i + 16, ..., of
// each the odd column first (docs/exactness.md). A column beyond the last counts as zero.
struct BF16Pair {
  std::uint16_t bits[2];
};

template <class Element>
inline constexpr bool kIsPair = std::is_same_v<Element, BF16Pair>;
// Columns of an element, and bytes of a column.
template <class Element>
inline constexpr std::int64_t kElementColumns = kIsPair<Element> ? 2 : 1;
template <class Element>
inline constexpr std::int64_t kElementBytes =
    static_cast<std::int64_t>(sizeof(Element)) / kElementColumns<Element>;

// The bits of the nearest BF16, ties to the even fraction; a NaN stays a NaN. As float_to_bf16 of
// tensor/half.h.
GALLEY_INLINE inline std::uint32_t bf16_bits(float value) {
  std::uint32_t bits;
  __builtin_memcpy(&bits, &value, 4);
  const std::uint32_t rounded = (bits + 0x7fffu + (bits >> 16 & 1u)) >> 16;
  return (bits & 0x7fffffffu) > 0x7f800000u ? bits >> 16 | 0x40u : rounded;
}

// n_words words of activations from the first n (from 1 on; all, if more) of their columns; the
// others are zero.
template <int n_words>
GALLEY_INLINE inline void round_to_pairs(const float* x, std::int64_t n, float* words) {
  float copy[2 * n_words] = {};
  if (n < 2 * n_words) {
    __builtin_memcpy(copy, x, static_cast<std::size_t>(n) * 4);
    x = copy;
  }
  for (int i = 0; i < n_words; ++i) {
    const std::uint32_t word = bf16_bits(x[2 * i + 1]) << 16 | bf16_bits(x[2 * i]);
    __builtin_memcpy(words + i, &word, 4);
  }
}

// The odd columns of 16 words as floats, then the even ones.
GALLEY_INLINE inline void take_apart(const float* words, float* columns) {
  for (int i = 0; i < 16; ++i) {
    std::uint32_t word;
    __builtin_memcpy(&word, words + i, 4);
    const std::uint32_t odd = word & 0xffff0000u;
    const std::uint32_t even = word << 16;
    __builtin_memcpy(columns + i, &odd, 4);
    __builtin_memcpy(columns + 16 + i, &even, 4);
  }
}

}  // namespace galley::kernels
