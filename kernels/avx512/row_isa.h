// AVX-512 for kernels/row_matmul.h: the products of a group of two rows with one token.
//
// Where it sits: row_matmul.h hands over RowGroups: lanes 0 .. 7 are the blocks of one row, 8 .. 15
// those of the next, and so are those of the partial sums, [2 rows][8]. The order of sums is that
// of docs/exactness.md. Nothing here throws.
#pragma once

#include <immintrin.h>

#include <cstdint>

#include "kernels/avx512/block_step.h"
#include "kernels/avx512/dword_lanes.h"
#include "kernels/avx512/grid_codes.h"
#include "kernels/row_unpack32.h"
#include "kernels/token_groups.h"

namespace galley::kernels::avx512 {

// TokenGroup, the same for both rows.
struct TokenLanes {
  const TokenGroup& group;

  __m512i q(int i) const { return twice(group.q[i]); }
  __m512i start(int half) const { return twice(group.start[half]); }
  __m512 d() const { return _mm512_castsi512_ps(twice(group.d)); }
  __m512 min_factor(int i) const { return _mm512_castsi512_ps(twice(group.min_factor[i])); }

 private:
  static __m512i twice(const void* at) {
    return _mm512_broadcast_i64x4(_mm256_loadu_si256(static_cast<const __m256i*>(at)));
  }
};

// What RowMatmul asks of an instruction set.
struct RowIsa {
  using Lanes = DwordLanes;
  static constexpr std::int64_t kRows = 2;
  template <class Traits>
  static constexpr int kOffset = kUnsignedOffset<Traits>;

  static FloatLanes zero() { return {_mm512_setzero_ps()}; }

  // partial + the products of a group.
  template <class Traits>
  GALLEY_INLINE static FloatLanes multiply(const RowGroup<DwordLanes>& w, const TokenGroup& group,
                                           FloatLanes partial) {
    const TokenLanes x{group};
    // Sums of four columns: in lanes 0 .. 3 of block 2 j, in lanes 4 .. 7 of block 2 j + 1.
    __m512i first[4];
    __m512i last[4];
    for (int j = 0; j < 4; ++j) {
      const __m512i zero = _mm512_setzero_si512();
      first[j] = _mm512_dpbusd_epi32(zero, unsigned_codes<Traits>(w.codes[2 * j]), x.q(2 * j));
      last[j] = _mm512_dpbusd_epi32(Traits::kHasScales ? zero : first[j],
                                    unsigned_codes<Traits>(w.codes[2 * j + 1]), x.q(2 * j + 1));
    }
    __m512i sum[2];
    if constexpr (Traits::kHasScales) {
      sum[0] = _mm512_add_epi32(add_up(first), x.start(0));
      sum[1] = _mm512_add_epi32(add_up(last), x.start(1));
    } else {
      sum[0] = _mm512_add_epi32(add_up(last), x.start(0));
    }
    return {add_block<typename Traits::Terms>(partial.v, sum, InRegisters{w.scales}, x)};
  }

  // The tree over the eight partial sums of each row.
  static void store_totals(FloatLanes partial, float* y, std::int64_t n_rows) {
    // Lanes of blocks 0 2 4 6 | 1 3 5 7: plus their neighbours but one, then their neighbours.
    const __m512 two = _mm512_add_ps(partial.v, _mm512_permute_ps(partial.v, 0b01'00'11'10));
    const __m512 one = _mm512_add_ps(two, _mm512_permute_ps(two, 0b10'11'00'01));
    const __m512 all = _mm512_add_ps(one, _mm512_shuffle_f32x4(one, one, 0b10'11'00'01));
    y[0] = _mm512_cvtss_f32(all);
    if (n_rows == 2) y[1] = _mm_cvtss_f32(_mm512_extractf32x4_ps(all, 2));
  }

 private:
  // What add_block asks of weights.
  struct InRegisters {
    const Scales<DwordLanes>& scales;
    __m512 d() const { return scales.d.v; }
    __m512 scale(int half) const { return to_float(scales.scale[half]).v; }
    __m512 min(int i) const { return scales.min[i].v; }
  };

  // Adds the four lanes of each block, and puts the blocks of four registers in order.
  static __m512i add_up(const __m512i (&sums)[4]) {
    const auto add = [](__m512i a, __m512i b) { return _mm512_add_epi32(a, b); };
    const auto pairs = [add](__m512i a, __m512i b) {
      return add(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
    };
    const __m512i a = pairs(sums[0], sums[1]);
    const __m512i b = pairs(sums[2], sums[3]);
    return add(_mm512_unpacklo_epi64(a, b), _mm512_unpackhi_epi64(a, b));
  }
};

}  // namespace galley::kernels::avx512
