// Values of Q8_0 and their weights as integers, for products of two positions at a time: what the
// fast kernels share. docs/attention.md has the arithmetic.
//
// Where it sits: attention_load.cpp and attention_paired.cpp of avx2/ and avx512/. Everything is
// inlined there: a copy compiled for one instruction set must not be called by another. Nothing
// throws.
#pragma once

#include <cstdint>

#include "kernels/attention.h"
#include "kernels/unroll.h"

namespace galley::kernels {

// Where load_paired puts what, from `at` on. Float is float, or const float to read it.
template <class Float>
struct PairedValues {
  Float* at;
  std::int64_t columns;

  static constexpr std::int64_t kPairs = kAttentionBlock / 2;
  // A dword of two codes, as 16 bits, for each pair of positions most_positions apart: [columns].
  GALLEY_INLINE Float* pair(std::int64_t i) const { return at + i * columns; }
  // The scales of block b of all positions.
  GALLEY_INLINE Float* d(std::int64_t b) const { return pair(kPairs) + b * kAttentionBlock; }
  // For rows that see the whole block of positions: the scales as factors of weights, and what the
  // integers are worth (scalar/attention_steps.h).
  GALLEY_INLINE Float* factors(std::int64_t b) const { return d(columns / 32 + b); }
  GALLEY_INLINE Float& scale(std::int64_t b) const { return d(columns / 16)[b]; }
};

// The weights of some rows for 32 columns: a dword has those of a pair, as in PairedValues.
template <int kRows>
struct PairedWeights {
  alignas(64) std::int32_t pairs[kRows][kAttentionBlock / 2];
  float scale[kRows];  // what they are worth
};

// Rounds the weights p of all rows for block b of columns. Isa has the functions
//   round_weights(p, factors, pairs)                  of one row
//   weight_factors(d, begin, end, factors)            of the positions that a row sees; the scale
template <class Isa, int kRows>
GALLEY_INLINE inline void round_weights(const AttentionRows& rows,
                                        const PairedValues<const float>& values, std::int64_t b,
                                        PairedWeights<kRows>& out) {
  const float* d = values.d(b);
  const float* whole_factors = values.factors(b);
  const float whole_scale = values.scale(b);
  unroll<kRows>([&](auto row) GALLEY_INLINE {
    const std::int32_t begin = rows.begin[row.value];
    const std::int32_t end = rows.end[row.value];
    const float* p = rows.p + row.value * kAttentionBlock;
    if (begin == 0 && end == kAttentionBlock) {
      out.scale[row.value] = whole_scale;
      Isa::round_weights(p, whole_factors, out.pairs[row.value]);
    } else {
      alignas(64) float factors[kAttentionBlock];
      out.scale[row.value] = Isa::weight_factors(d, begin, end, factors);
      Isa::round_weights(p, factors, out.pairs[row.value]);
    }
  });
}

}  // namespace galley::kernels
