// AVX-512 for kernels/block_matmul.h: where unpacked weights go, and their products.
//
// Where it sits: block_matmul.h hands over blocks of 32 columns of 16 rows, codes[k] with columns
// 4 k .. 4 k + 3, and takes y [16 rows] for each token. The order of sums is that of
// docs/exactness.md. Nothing here throws.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "kernels/avx512/block_step.h"
#include "kernels/avx512/dword_lanes.h"
#include "kernels/avx512/panel_products.h"
#include "kernels/quantized_rows.h"
#include "kernels/unpack32.h"

namespace galley::kernels::avx512 {

// The tree over the eight partial sums.
inline FloatLanes total(const __m512 (&p)[8]) {
  const auto add = [](__m512 a, __m512 b) { return _mm512_add_ps(a, b); };
  return {add(add(add(p[0], p[4]), add(p[2], p[6])), add(add(p[1], p[5]), add(p[3], p[7])))};
}

// Stores a unit's weights as PanelBlocks: block i of a group at the next place of its own.
template <class Traits>
class PanelSink {
 public:
  using Block = PanelBlock<typename Traits::Terms>;

  PanelSink(std::byte* panel, const BlockWalk& walk) {
    for (int i = 0; i < 8; ++i) next_[i] = panel + walk.start[i] * Block::kBytes;
  }

  void end_group(int /*n_blocks*/) {}

  GALLEY_INLINE void block(int i, const DwordLanes (&codes)[8], const Scales<DwordLanes>& scales) {
    store(codes, scales, next_[i]);
    next_[i] += Block::kBytes;
  }

  GALLEY_INLINE static void store(const DwordLanes (&codes)[8], const Scales<DwordLanes>& scales,
                                  std::byte* to) {
    for (int k = 0; k < 8; ++k) {
      _mm512_store_si512(to + 64 * k, panel_codes<Traits>(codes[k]));
    }
    int place = 8;
    const auto put = [&](__m512 value) { _mm512_store_ps(to + 64 * place++, value); };
    put(scales.d.v);
    if constexpr (Traits::kHasScales) {
      put(to_float(scales.scale[0]).v);
      put(to_float(scales.scale[1]).v);
    }
    for (int m = 0; m < Traits::kMinimums; ++m) put(scales.min[m].v);
  }

 private:
  std::byte* next_[8];
};

// A tile of tokens: a group is unpacked, then multiplied with all of them.
template <class Traits>
class TileSink {
 public:
  TileSink(const std::byte* tile, std::int64_t n_tokens, const BlockWalk& walk)
      : n_tokens_(n_tokens) {
    for (int i = 0; i < 8; ++i) {
      next_[i] = tile + walk.start[i] * n_tokens * kQuantizedBlockBytes;
      for (FloatLanes& p : partial_[i]) p.v = _mm512_setzero_ps();
    }
  }

  GALLEY_INLINE void block(int i, const DwordLanes (&codes)[8], const Scales<DwordLanes>& scales) {
    PanelSink<Traits>::store(codes, scales, group_ + i * PanelSink<Traits>::Block::kBytes);
  }

  void end_group(int n_blocks) {
    multiply_group<typename Traits::Terms>(group_, next_, n_tokens_, n_blocks, partial_);
    for (const std::byte*& next : next_) next += n_tokens_ * kQuantizedBlockBytes;
  }

  FloatLanes total(std::int64_t t) const {
    __m512 p[8];
    for (int i = 0; i < 8; ++i) p[i] = partial_[i][t].v;
    return avx512::total(p);
  }

 private:
  alignas(64) std::byte group_[8 * PanelSink<Traits>::Block::kBytes];
  std::int64_t n_tokens_;
  const std::byte* next_[8];  // the next block of activations of each partial sum
  FloatLanes partial_[8][kTileTokens];
};

// What BlockMatmul asks of an instruction set.
struct BlockIsa {
  using Lanes = DwordLanes;
  template <class Traits>
  using TileSink = avx512::TileSink<Traits>;
  template <class Traits>
  using PanelSink = avx512::PanelSink<Traits>;
  template <class Traits>
  static constexpr std::int64_t kPanelBlockBytes = PanelSink<Traits>::Block::kBytes;

  template <class Traits>
  static void multiply_panel(const std::byte* const (&panel)[2], std::int64_t n_units,
                             const std::byte* tile, std::int64_t n_tokens, std::int64_t n_blocks,
                             FloatLanes (&y)[2][kTileTokens]) {
    avx512::multiply_panel<typename Traits::Terms>(panel, n_units, tile, n_tokens, n_blocks, y);
  }

  // Writes the values of the first n_rows rows.
  static void store(FloatLanes value, float* y, std::int64_t n_rows) {
    const auto mask = static_cast<__mmask16>((1u << n_rows) - 1u);
    _mm512_mask_storeu_ps(y, mask, value.v);
  }
};

}  // namespace galley::kernels::avx512
