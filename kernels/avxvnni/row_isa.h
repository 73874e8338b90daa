// AVX-VNNI for kernels/row_matmul.h: the products of a group of one row with one token.
//
// Where it sits: row_matmul.h hands over RowGroups, whose lanes are the blocks of a row, and so are
// those of the partial sums [8]. The order of sums is that of docs/exactness.md. Nothing here
// throws.
#pragma once

#include <immintrin.h>

#include <cstdint>

#include "kernels/avx2/row_isa.h"
#include "kernels/avxvnni/block_step.h"

namespace galley::kernels::avxvnni {

// What RowMatmul asks of an instruction set.
struct RowIsa : avx2::RowIsa {
  template <class Traits>
  static constexpr int kOffset = kUnsignedOffset<Traits>;

  // partial + the products of a group.
  template <class Traits>
  GALLEY_INLINE static FloatLanes multiply(const RowGroup<DwordLanes>& w, const TokenGroup& group,
                                           FloatLanes partial) {
    const avx2::TokenLanes x{group};
    // Sums of four columns: in lanes 0 .. 3 of block 2 j, in lanes 4 .. 7 of block 2 j + 1.
    __m256i first[4];
    __m256i last[4];
    for (int j = 0; j < 4; ++j) {
      const __m256i zero = _mm256_setzero_si256();
      first[j] = add_products(zero, unsigned_codes<Traits>(w.codes[2 * j]), x.q(2 * j));
      last[j] = add_products(Traits::kHasScales ? zero : first[j],
                             unsigned_codes<Traits>(w.codes[2 * j + 1]), x.q(2 * j + 1));
    }
    // Without scales `last` has all of them.
    __m256i sums[2] = {_mm256_add_epi32(add_up(Traits::kHasScales ? first : last), x.start(0))};
    if constexpr (Traits::kHasScales) sums[1] = _mm256_add_epi32(add_up(last), x.start(1));
    return add_sums<Traits>(partial, sums, w.scales, x);
  }
};

}  // namespace galley::kernels::avxvnni
