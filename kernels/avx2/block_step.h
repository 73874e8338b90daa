// One block of 32 columns: eight rows of weights times some tokens, without VNNI.
//
// Where it sits: the innermost step of the AVX2 matmuls (block_isa.h, panel_products.cpp).
// docs/kernels.md draws the registers.
//
// vpmaddubsw multiplies unsigned with signed bytes and adds neighbours into 16 bits, where small
// codes may be added up for several steps before vpmaddwd widens the sum to 32 bits: a step of
// codes below 2^bits adds at most 2 * 127 * (2^bits - 1).
//   4 bits: eight steps (a whole block) stay below 30,481
//   5 bits: four, below 31,497
//   6 bits: two, below 32,005
//   7 bits: one, below 32,259
// 8 bits don't fit at all: they are cut in two planes of 4 bits, code + 128 = 16 high + low.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "kernels/args.h"
#include "kernels/weight_traits.h"

namespace galley::kernels::avx2 {

// How the integer products of a type are made, and which terms follow.
//   steps    of four columns that may be added up in 16 bits
//   planes   2 if codes are cut in two
template <class BlockTerms, int steps, int planes>
struct Products {
  using Terms = BlockTerms;
  static constexpr int kSteps = steps;
  static constexpr int kPlanes = planes;
};

template <class Traits>
inline constexpr int kStepsIn16Bits = Traits::kBits == 8   ? 8
                                      : Traits::kBits == 7 ? 1
                                      : Traits::kHasScales ? (Traits::kBits == 6 ? 2 : 4)
                                      : Traits::kBits == 5 ? 4
                                                           : 8;

template <class Traits>
using ProductsOf =
    Products<typename Traits::Terms, kStepsIn16Bits<Traits>, Traits::kBits == 8 ? 2 : 1>;

// A block of a tile of c tokens: see QuantizedRows.
template <int c>
struct TileBlock {
  static constexpr std::int64_t kBytes = c * kQuantizedBlockBytes;
  const std::byte* at;

  // Columns 4 k .. 4 k + 3 of token t, in every lane.
  __m256i q(int k, int t) const { return splat_dword(4 * (k * c + t)); }
  __m256 d(int t) const { return splat_float(32 * c + 4 * t); }
  __m256 sum(int t) const { return splat_float(36 * c + 4 * t); }
  // The sums of the two halves of the block, as the halves of every lane.
  __m256i sums(int t) const { return splat_dword(40 * c + 4 * t); }

 private:
  __m256i splat_dword(std::int64_t offset) const {
    std::int32_t value;
    __builtin_memcpy(&value, at + offset, 4);
    return _mm256_set1_epi32(value);
  }
  __m256 splat_float(std::int64_t offset) const {
    float value;
    __builtin_memcpy(&value, at + offset, 4);
    return _mm256_set1_ps(value);
  }
};

// A block's weights: registers in memory, one row per lane. Eight of codes (or eight of their
// high and eight of their low halves), then d, then, as far as there are any: the two scales,
// each twice in its lane; what takes off the offset (minus offset times the scales); minimums.
template <class Products>
struct PanelBlock {
  using Terms = typename Products::Terms;
  static constexpr int kCodes = 8 * Products::kPlanes;
  static constexpr int kMinimumsAt = kCodes + 1 + (Terms::kHasScales ? 3 : 0);
  static constexpr int kVectors = kMinimumsAt + Terms::kMinimums;
  static constexpr std::int64_t kBytes = 32 * kVectors;
  const std::byte* at;

  __m256i codes(int plane, int k) const { return integers(8 * plane + k); }
  __m256 d() const { return floats(kCodes); }
  __m256i scale(int half) const { return integers(kCodes + 1 + half); }
  __m256i minus_offset() const { return integers(kCodes + 3); }
  __m256 min(int i) const { return floats(kMinimumsAt + i); }

 private:
  __m256i integers(int place) const {
    return _mm256_load_si256(reinterpret_cast<const __m256i*>(at + 32 * place));
  }
  __m256 floats(int place) const {
    return _mm256_load_ps(reinterpret_cast<const float*>(at + 32 * place));
  }
};

// partial + the products of a block whose integer sum is `sum`.
template <class Terms, int c, class W>
__m256 add_block(__m256 partial, __m256i sum, const W& w, const TileBlock<c>& x, int t) {
  const __m256 total = _mm256_cvtepi32_ps(sum);
  partial = _mm256_fmadd_ps(total, _mm256_mul_ps(w.d(), x.d(t)), partial);
  if constexpr (Terms::kMinimums == 1) {
    partial = _mm256_fmadd_ps(w.min(0), x.sum(t), partial);
  } else if constexpr (Terms::kMinimums == 2) {
    const __m256i sums = x.sums(t);
    const __m256i first = _mm256_srai_epi32(_mm256_slli_epi32(sums, 16), 16);
    const __m256i last = _mm256_srai_epi32(sums, 16);
    partial = _mm256_fmadd_ps(w.min(0), _mm256_mul_ps(x.d(t), _mm256_cvtepi32_ps(first)), partial);
    partial = _mm256_fmadd_ps(w.min(1), _mm256_mul_ps(x.d(t), _mm256_cvtepi32_ps(last)), partial);
  }
  return partial;
}

}  // namespace galley::kernels::avx2
