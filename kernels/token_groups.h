// The activations of one token, in the order in which products with single rows read them.
//
// Where it sits: row_matmul.h arranges tokens so at the start of each matmul, from the tile
// that quantize_rows made; row_isa.h of each instruction set multiplies with it. Plain
// declarations and templates, so that instruction-set files may include it.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/args.h"
#include "kernels/quantized_rows.h"
#include "kernels/weight_traits.h"

namespace galley::kernels {

// Where the eight blocks of a group are: the even ones in lanes 0 .. 3, the odd ones in 4 .. 7.
inline constexpr int kBlockOfLane[8] = {0, 2, 4, 6, 1, 3, 5, 7};
constexpr int lane_of_block(int block) { return block % 2 * 4 + block / 2; }

// 256 columns. Blocks go in pairs: q[2 j] has the first 16 columns of blocks 2 j and 2 j + 1, side
// by side, q[2 j + 1] the last 16. All else is in the order of lanes.
struct TokenGroup {
  std::int8_t q[8][32];
  float d[8];
  // What takes the offset of the codes off the integer sums: of whole blocks in start[0], or, if
  // the type has scales, of their halves in both.
  std::int32_t start[2][8];
  // What the minimums are multiplied with, as many as the type has.
  float min_factor[2][8];
};

// Writes all groups of token t of a tile of c to `to`, [(n_blocks + 7) / 8]; blocks that are not
// there are zero. `tile`: see QuantizedRows. `offset`: what is taken off the type's codes.
template <class Traits>
void arrange_token(const std::byte* tile, std::int64_t c, std::int64_t t, std::int64_t n_blocks,
                   int offset, TokenGroup* to) {
  if (n_blocks % 8 != 0) __builtin_memset(to + n_blocks / 8, 0, sizeof(TokenGroup));
  const BlockWalk walk = block_walk(n_blocks);
  for (std::int64_t b = 0; b < n_blocks; ++b) {
    const auto i = static_cast<int>(b % 8);
    const std::byte* from = tile + (walk.start[i] + b / 8) * c * kQuantizedBlockBytes + 4 * t;
    TokenGroup& group = to[b / 8];
    for (int k = 0; k < 8; ++k) {
      std::int8_t* q = group.q[i / 2 * 2 + k / 4] + i % 2 * 16 + k % 4 * 4;
      __builtin_memcpy(q, from + 4 * k * c, 4);
    }
    float d;
    float sum;
    std::int16_t sums[2];
    __builtin_memcpy(&d, from + 32 * c, 4);
    __builtin_memcpy(&sum, from + 36 * c, 4);
    __builtin_memcpy(&sums, from + 40 * c, 4);
    const int lane = lane_of_block(i);
    group.d[lane] = d;
    group.start[0][lane] = -offset * (Traits::kHasScales ? sums[0] : sums[0] + sums[1]);
    group.start[1][lane] = -offset * sums[1];
    group.min_factor[0][lane] = Traits::kMinimums == 2 ? d * static_cast<float>(sums[0]) : sum;
    group.min_factor[1][lane] = d * static_cast<float>(sums[1]);
  }
}

}  // namespace galley::kernels
