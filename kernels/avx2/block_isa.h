// AVX2 for kernels/block_matmul.h: where unpacked weights go, and their products.
//
// Where it sits: block_matmul.h hands over blocks of 32 columns of 8 rows, codes[k] with columns
// 4 k .. 4 k + 3, and takes y [8 rows] for each token. The order of sums is that of
// docs/exactness.md. Nothing here throws.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "kernels/avx2/block_step.h"
#include "kernels/avx2/dword_lanes.h"
#include "kernels/avx2/panel_products.h"
#include "kernels/quantized_rows.h"
#include "kernels/unpack32.h"

namespace galley::kernels::avx2 {

// The tree over the eight partial sums.
inline FloatLanes total(const __m256 (&p)[8]) {
  const auto add = [](__m256 a, __m256 b) { return _mm256_add_ps(a, b); };
  return {add(add(add(p[0], p[4]), add(p[2], p[6])), add(add(p[1], p[5]), add(p[3], p[7])))};
}

// A scale in both halves of its lane, for vpmaddwd.
inline __m256i twice(DwordLanes scale) {
  return ((scale & DwordLanes::splat(0xffff)) | (scale << Index<16>{})).v;
}

// What takes the offset off the sum of a block: minus offset times each scale, side by side.
template <class Traits>
__m256i minus_offset(const DwordLanes (&scale)[2]) {
  const DwordLanes pair = (scale[0] & DwordLanes::splat(0xffff)) | (scale[1] << Index<16>{});
  return _mm256_mullo_epi16(pair.v, _mm256_set1_epi16(-Traits::kOffset));
}

// Stores signed codes as a PanelBlock has them: signs, magnitudes, and the sum of the magnitudes of
// the negative ones.
template <class Block>
GALLEY_INLINE inline void store_signed(const DwordLanes (&codes)[8], __m256i* to) {
  __m256i negative = _mm256_setzero_si256();  // sums of two in 16 bits: eight stay below 2,049
  for (int k = 0; k < 8; ++k) {
    const __m256i sign = _mm256_cmpgt_epi8(_mm256_setzero_si256(), codes[k].v);
    const __m256i magnitude = _mm256_abs_epi8(codes[k].v);
    _mm256_store_si256(to + k, sign);
    _mm256_store_si256(to + Block::kMagnitudesAt + k, magnitude);
    const __m256i of_negative = _mm256_and_si256(sign, magnitude);
    negative = _mm256_add_epi16(negative, _mm256_maddubs_epi16(of_negative, _mm256_set1_epi8(1)));
  }
  _mm256_store_si256(to + Block::kStartAt, _mm256_madd_epi16(negative, _mm256_set1_epi16(1)));
}

// Stores a block's weights as a Block, which is a PanelBlock.
template <class Block, class Traits>
GALLEY_INLINE inline void store_block(const DwordLanes (&codes)[8],
                                      const Scales<DwordLanes>& scales, std::byte* to) {
  auto* integers = reinterpret_cast<__m256i*>(to);
  const auto put = [integers](int place, __m256i v) { _mm256_store_si256(integers + place, v); };
  const auto put_floats = [to](int place, __m256 v) {
    _mm256_store_ps(reinterpret_cast<float*>(to + 32 * place), v);
  };
  if constexpr (Block::kIsSigned) {
    store_signed<Block>(codes, integers);
  } else {
    for (int k = 0; k < 8; ++k) put(k, codes[k].v);
  }
  put_floats(Block::kDAt, scales.d.v);
  if constexpr (Traits::kHasScales) {
    put(Block::kDAt + 1, twice(scales.scale[0]));
    put(Block::kDAt + 2, twice(scales.scale[1]));
    put(Block::kDAt + 3, minus_offset<Traits>(scales.scale));
  }
  for (int m = 0; m < Traits::kMinimums; ++m) {
    put_floats(Block::kMinimumsAt + m, scales.min[m].v);
  }
}

// Stores a unit's weights as PanelBlocks: block i of a group at the next place of its own.
template <class Traits>
class PanelSink {
 public:
  using Block = PanelBlock<ProductsOf<Traits>>;

  PanelSink(std::byte* panel, const BlockWalk& walk) {
    for (int i = 0; i < 8; ++i) next_[i] = panel + walk.start[i] * Block::kBytes;
  }

  void end_group(int /*n_blocks*/) {}

  GALLEY_INLINE void block(int i, const DwordLanes (&codes)[8], const Scales<DwordLanes>& scales) {
    store_block<Block, Traits>(codes, scales, next_[i]);
    next_[i] += Block::kBytes;
  }

 private:
  std::byte* next_[8];
};

// A tile of tokens: a group is unpacked, then multiplied with all of them.
template <class Traits>
class TileSink {
 public:
  using Block = PanelBlock<ProductsOf<Traits>>;

  TileSink(const std::byte* tile, std::int64_t n_tokens, const BlockWalk& walk)
      : n_tokens_(n_tokens) {
    for (int i = 0; i < 8; ++i) {
      next_[i] = tile + walk.start[i] * n_tokens * kQuantizedBlockBytes;
      for (FloatLanes& p : partial_[i]) p.v = _mm256_setzero_ps();
    }
  }

  GALLEY_INLINE void block(int i, const DwordLanes (&codes)[8], const Scales<DwordLanes>& scales) {
    store_block<Block, Traits>(codes, scales, group_ + i * Block::kBytes);
  }

  void end_group(int n_blocks) {
    multiply_group<ProductsOf<Traits>>(group_, next_, n_tokens_, n_blocks, partial_);
    for (const std::byte*& next : next_) next += n_tokens_ * kQuantizedBlockBytes;
  }

  FloatLanes total(std::int64_t t) const {
    __m256 p[8];
    for (int i = 0; i < 8; ++i) p[i] = partial_[i][t].v;
    return avx2::total(p);
  }

 private:
  alignas(64) std::byte group_[8 * Block::kBytes];
  std::int64_t n_tokens_;
  const std::byte* next_[8];  // the next block of activations of each partial sum
  FloatLanes partial_[8][kTileTokens];
};

// What BlockMatmul asks of an instruction set.
struct BlockIsa {
  using Lanes = DwordLanes;
  template <class Traits>
  using TileSink = avx2::TileSink<Traits>;
  template <class Traits>
  using PanelSink = avx2::PanelSink<Traits>;
  template <class Traits>
  static constexpr std::int64_t kPanelBlockBytes = PanelSink<Traits>::Block::kBytes;

  template <class Traits>
  static void multiply_panel(const std::byte* const (&panel)[2], std::int64_t n_units,
                             const std::byte* tile, std::int64_t n_tokens, std::int64_t n_blocks,
                             FloatLanes (&y)[2][kTileTokens]) {
    avx2::multiply_panel<ProductsOf<Traits>>(panel, n_units, tile, n_tokens, n_blocks, y);
  }

  // Writes the values of the first n_rows rows.
  static void store(FloatLanes value, float* y, std::int64_t n_rows) {
    if (n_rows == DwordLanes::kLanes) return _mm256_storeu_ps(y, value.v);
    alignas(32) float all[DwordLanes::kLanes];
    _mm256_store_ps(all, value.v);
    for (std::int64_t r = 0; r < n_rows; ++r) y[r] = all[r];
  }
};

}  // namespace galley::kernels::avx2
