// AVX2 for kernels/row_matmul.h: the products of a group of one row with one token.
//
// Where it sits: row_matmul.h hands over RowGroups, whose lanes are the blocks of a row, and so are
// those of the partial sums [8]. The order of sums is that of docs/exactness.md. Nothing here
// throws.
#pragma once

#include <immintrin.h>

#include <cstdint>

#include "kernels/avx2/block_step.h"
#include "kernels/avx2/dword_lanes.h"
#include "kernels/row_unpack32.h"
#include "kernels/token_groups.h"

namespace galley::kernels::avx2 {

struct TokenLanes {
  const TokenGroup& group;

  __m256i q(int i) const { return load(group.q[i]); }
  __m256i start(int half) const { return load(group.start[half]); }
  __m256 d() const { return _mm256_loadu_ps(group.d); }
  __m256 min_factor(int i) const { return _mm256_loadu_ps(group.min_factor[i]); }

 private:
  static __m256i load(const void* at) {
    return _mm256_loadu_si256(static_cast<const __m256i*>(at));
  }
};

// What RowMatmul asks of an instruction set.
struct RowIsa {
  using Lanes = DwordLanes;
  static constexpr std::int64_t kRows = 1;
  template <class Traits>
  static constexpr int kOffset = Traits::kOffset;

  static FloatLanes zero() { return {_mm256_setzero_ps()}; }

  // partial + the products of a group.
  template <class Traits>
  GALLEY_INLINE static FloatLanes multiply(const RowGroup<DwordLanes>& w, const TokenGroup& group,
                                           FloatLanes partial) {
    const TokenLanes x{group};
    // Sums of two columns in 16 bits: in lanes 0 .. 3 of block 2 j, in lanes 4 .. 7 of block 2 j
    // + 1. Small codes allow for those of both halves at once.
    constexpr bool kBothAtOnce = !Traits::kHasScales && Traits::kBits <= 5;
    __m256i first[4];
    __m256i last[4];
    for (int j = 0; j < 4; ++j) {
      first[j] = products<Traits>(w.codes[2 * j].v, x.q(2 * j));
      last[j] = products<Traits>(w.codes[2 * j + 1].v, x.q(2 * j + 1));
      if constexpr (kBothAtOnce) {
        first[j] = widened_sums(_mm256_add_epi16(first[j], last[j]));
      } else {
        first[j] = widened_sums(first[j]);
        last[j] = widened_sums(last[j]);
        if constexpr (!Traits::kHasScales) first[j] = _mm256_add_epi32(first[j], last[j]);
      }
    }
    __m256i sums[2] = {_mm256_add_epi32(add_up(first), x.start(0))};
    if constexpr (Traits::kHasScales) sums[1] = _mm256_add_epi32(add_up(last), x.start(1));
    return add_sums<Traits>(partial, sums, w.scales, x);
  }

  // The tree over the eight partial sums.
  static void store_totals(FloatLanes partial, float* y, std::int64_t /*n_rows*/) {
    // Lanes of blocks 0 2 4 6 | 1 3 5 7: plus their neighbours but one, then their neighbours.
    const __m256 two = _mm256_add_ps(partial.v, _mm256_permute_ps(partial.v, 0b01'00'11'10));
    const __m256 one = _mm256_add_ps(two, _mm256_permute_ps(two, 0b10'11'00'01));
    y[0] = _mm_cvtss_f32(_mm_add_ss(_mm256_castps256_ps128(one), _mm256_extractf128_ps(one, 1)));
  }

 protected:
  // partial + a group whose integer sums are sums[0], or of the halves of its blocks both of them.
  template <class Traits>
  GALLEY_INLINE static FloatLanes add_sums(FloatLanes partial, const __m256i (&sums)[2],
                                           const Scales<DwordLanes>& scales, const TokenLanes& x) {
    __m256i sum = sums[0];
    if constexpr (Traits::kHasScales) {
      sum = _mm256_add_epi32(_mm256_mullo_epi32(sums[0], scales.scale[0].v),
                             _mm256_mullo_epi32(sums[1], scales.scale[1].v));
    }
    return {add_block<typename Traits::Terms>(partial.v, sum, InRegisters{scales}, x)};
  }

  // Adds the four lanes of each block, and puts the blocks of four registers in order.
  static __m256i add_up(const __m256i (&sums)[4]) {
    const auto add = [](__m256i a, __m256i b) { return _mm256_add_epi32(a, b); };
    const auto pairs = [add](__m256i a, __m256i b) {
      return add(_mm256_unpacklo_epi32(a, b), _mm256_unpackhi_epi32(a, b));
    };
    const __m256i a = pairs(sums[0], sums[1]);
    const __m256i b = pairs(sums[2], sums[3]);
    return add(_mm256_unpacklo_epi64(a, b), _mm256_unpackhi_epi64(a, b));
  }

 private:
  // What add_block asks of weights.
  struct InRegisters {
    const Scales<DwordLanes>& scales;
    __m256 d() const { return scales.d.v; }
    __m256 min(int i) const { return scales.min[i].v; }
  };

  // 16 sums of two products. 8-bit codes have signs, which vpsignb passes on to the activations:
  // |code| <= 128 times +-q stays in 16 bits, as q is never -128.
  template <class Traits>
  static __m256i products(__m256i codes, __m256i q) {
    if constexpr (Traits::kBits == 8) {
      return _mm256_maddubs_epi16(_mm256_abs_epi8(codes), _mm256_sign_epi8(q, codes));
    }
    return _mm256_maddubs_epi16(codes, q);
  }

  static __m256i widened_sums(__m256i sums) {
    return _mm256_madd_epi16(sums, _mm256_set1_epi16(1));
  }
};

}  // namespace galley::kernels::avx2
