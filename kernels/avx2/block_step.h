// One block of 32 columns: eight rows of weights times some tokens, without VNNI.
//
// Where it sits: the innermost step of the AVX2 matmuls (block_isa.h, panel_products.cpp).
// docs/kernels.md draws the registers. Nothing here throws; sizes are the caller's to check.
//
// vpmaddubsw multiplies unsigned with signed bytes and adds neighbours into 16 bits, where small
// codes may be added up for several steps before vpmaddwd widens the sum to 32 bits: a step of
// codes below 2^bits adds at most 2 * 127 * (2^bits - 1).
//   4 bits: eight steps (a whole block) stay below 30,481
//   5 bits: four, below 31,497
//   6 bits: two, below 32,005
//   7 bits: one, below 32,259
// 8 bits have signs. Then the magnitudes (128 at most) are multiplied, with activations whose bits
// are flipped where the weight is negative: the flipped q is -q - 1, so such a product is w q -
// |w|, and the sum of the block begins with what they lack, the sum of the negative weights'
// magnitudes. One step lies in -32,768 .. 32,512, which just fits. (Negating q by vpsignb would
// need no such start; it was slower, see docs/performance.md.)
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "kernels/args.h"
#include "kernels/weight_traits.h"

namespace galley::kernels::avx2 {

// How the integer products of a type are made, and which terms follow.
//   is_signed  codes of 8 bits, kept as signs and magnitudes
//   steps      of four columns that may be added up in 16 bits
//   offset     of codes without scales, to be taken off their sum (PanelBlock has it with scales)
template <class BlockTerms, bool is_signed, int steps, int offset>
struct Products {
  using Terms = BlockTerms;
  static constexpr bool kIsSigned = is_signed;
  static constexpr int kSteps = steps;
  static constexpr int kOffset = offset;
};

template <class Traits>
inline constexpr int kStepsIn16Bits = Traits::kBits >= 7   ? 1
                                      : Traits::kHasScales ? (Traits::kBits == 6 ? 2 : 4)
                                      : Traits::kBits == 5 ? 4
                                                           : 8;

template <class Traits>
using ProductsOf = Products<typename Traits::Terms, Traits::kBits == 8, kStepsIn16Bits<Traits>,
                            Traits::kHasScales ? 0 : Traits::kOffset>;

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
  __m256i start(int t) const { return splat_dword(44 * c + 4 * t); }

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

// What add_block asks of activations: token t of a tile.
template <class Terms, int c>
struct TokenOfTile {
  const TileBlock<c>& x;
  int t;

  __m256 d() const { return x.d(t); }
  __m256 min_factor(int i) const {
    if constexpr (Terms::kMinimums == 1) return x.sum(t);
    const __m256i sums = x.sums(t);
    const __m256i half =
        i == 0 ? _mm256_srai_epi32(_mm256_slli_epi32(sums, 16), 16) : _mm256_srai_epi32(sums, 16);
    return _mm256_mul_ps(x.d(t), _mm256_cvtepi32_ps(half));
  }
};

// A block's weights: registers in memory, one row per lane. Eight of codes; or, if they are signed,
// eight of signs (0 or -1), eight of magnitudes, and where sums begin. Then d, then, as far as
// there are any: the two scales, each twice in its lane; what takes off the offset (minus offset
// times the scales); minimums.
template <class Products>
struct PanelBlock {
  using Terms = typename Products::Terms;
  static constexpr bool kIsSigned = Products::kIsSigned;
  static constexpr int kMagnitudesAt = 8;
  static constexpr int kStartAt = 16;
  static constexpr int kDAt = kIsSigned ? kStartAt + 1 : 8;
  static constexpr int kMinimumsAt = kDAt + 1 + (Terms::kHasScales ? 3 : 0);
  static constexpr int kVectors = kMinimumsAt + Terms::kMinimums;
  static constexpr std::int64_t kBytes = 32 * kVectors;
  const std::byte* at;

  __m256i codes(int k) const { return integers(k); }  // or signs
  __m256i magnitudes(int k) const { return integers(kMagnitudesAt + k); }
  __m256i start() const { return integers(kStartAt); }
  __m256 d() const { return floats(kDAt); }
  __m256i scale(int half) const { return integers(kDAt + 1 + half); }
  __m256i minus_offset() const { return integers(kDAt + 3); }
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
template <class Terms, class W, class X>
__m256 add_block(__m256 partial, __m256i sum, const W& w, const X& x) {
  const __m256 total = _mm256_cvtepi32_ps(sum);
  partial = _mm256_fmadd_ps(total, _mm256_mul_ps(w.d(), x.d()), partial);
  for (int i = 0; i < Terms::kMinimums; ++i) {
    partial = _mm256_fmadd_ps(w.min(i), x.min_factor(i), partial);
  }
  return partial;
}

}  // namespace galley::kernels::avx2
