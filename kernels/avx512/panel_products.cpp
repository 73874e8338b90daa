#include "kernels/avx512/panel_products.h"

#include <immintrin.h>

#include "kernels/avx512/block_step.h"
#include "kernels/panel_walk.h"
#include "kernels/unroll.h"

namespace galley::kernels::avx512 {
namespace {

// partial[unit][token] += the products of one block of n_units * 16 rows with c tokens.
// For 2 units and 6 tokens: 12 registers of integer sums, 12 of partial sums, 2 of weights, 1 of
// activations.
template <class Terms, int n_units, int c>
GALLEY_INLINE inline void multiply_block(const PanelBlock<Terms> (&w)[n_units],
                                         const TileBlock<c>& x, __m512 (&partial)[n_units][c]) {
  __m512i sum[n_units][c][2];
  unroll<c>([&](auto token) GALLEY_INLINE {
    constexpr int t = decltype(token)::value;
    for (int u = 0; u < n_units; ++u) {
      if constexpr (Terms::kMinimums > 0) {  // nothing was added to their codes
        sum[u][t][0] = sum[u][t][1] = _mm512_setzero_si512();
      } else if constexpr (Terms::kHasScales) {
        sum[u][t][0] = start_of_first_half(x.sums(t));
        sum[u][t][1] = _mm512_sub_epi32(x.start(t), sum[u][t][0]);
      } else {
        sum[u][t][0] = x.start(t);
      }
    }
  });
  unroll<8>([&](auto step) GALLEY_INLINE {
    constexpr int k = decltype(step)::value;
    constexpr int half = Terms::kHasScales ? k / 4 : 0;
    __m512i codes[n_units];
    for (int u = 0; u < n_units; ++u) codes[u] = w[u].codes(k);
    unroll<c>([&](auto token) GALLEY_INLINE {
      constexpr int t = decltype(token)::value;
      const __m512i q = x.q(k, t);
      for (int u = 0; u < n_units; ++u) {
        sum[u][t][half] = _mm512_dpbusd_epi32(sum[u][t][half], codes[u], q);
      }
    });
  });
  unroll<c>([&](auto token) GALLEY_INLINE {
    constexpr int t = decltype(token)::value;
    for (int u = 0; u < n_units; ++u) {
      partial[u][t] = add_block<Terms>(partial[u][t], sum[u][t], w[u], TokenOfTile<Terms, c>{x, t});
    }
  });
}

// All products of n_units * 16 rows and a tile of c tokens.
template <class Terms, int n_units, int c>
void multiply_tile(const std::byte* const (&panel)[2], const std::byte* tile, std::int64_t n_blocks,
                   FloatLanes (&y)[2][kTileTokens]) {
  __m512 total[n_units][c];
  add_up_eight(Walk<8>(n_blocks).start, total,
               [&](std::int64_t place, auto& partial) GALLEY_INLINE {
                 PanelBlock<Terms> w[n_units];
                 for (int u = 0; u < n_units; ++u)
                   w[u].at = panel[u] + place * PanelBlock<Terms>::kBytes;
                 multiply_block(w, TileBlock<c>{tile + place * TileBlock<c>::kBytes}, partial);
               });
  for (int u = 0; u < n_units; ++u) {
    for (int t = 0; t < c; ++t) y[u][t].v = total[u][t];
  }
}

template <class Terms, int c>
void multiply_group_tile(const std::byte* group, const std::byte* const (&tile)[8], int n_blocks,
                         FloatLanes (&partial)[8][kTileTokens]) {
  for (int i = 0; i < n_blocks; ++i) {
    const PanelBlock<Terms> w[1] = {{group + i * PanelBlock<Terms>::kBytes}};
    __m512 p[1][c];
    for (int t = 0; t < c; ++t) p[0][t] = partial[i][t].v;
    multiply_block(w, TileBlock<c>{tile[i]}, p);
    for (int t = 0; t < c; ++t) partial[i][t].v = p[0][t];
  }
}

}  // namespace

template <class Terms>
void multiply_panel(const std::byte* const (&panel)[2], std::int64_t n_units, const std::byte* tile,
                    std::int64_t n_tokens, std::int64_t n_blocks, FloatLanes (&y)[2][kTileTokens]) {
  for_n_tokens(n_tokens, [&](auto n) {
    constexpr int c = decltype(n)::value;
    if (n_units == 1) return multiply_tile<Terms, 1, c>(panel, tile, n_blocks, y);
    return multiply_tile<Terms, 2, c>(panel, tile, n_blocks, y);
  });
}

template <class Terms>
void multiply_group(const std::byte* group, const std::byte* const (&tile)[8],
                    std::int64_t n_tokens, int n_blocks, FloatLanes (&partial)[8][kTileTokens]) {
  for_n_tokens(n_tokens, [&](auto n) {
    multiply_group_tile<Terms, decltype(n)::value>(group, tile, n_blocks, partial);
  });
}

#define GALLEY_INSTANTIATE(Terms)                                                     \
  template void multiply_panel<Terms>(const std::byte* const(&)[2], std::int64_t,     \
                                      const std::byte*, std::int64_t, std::int64_t,   \
                                      FloatLanes(&)[2][kTileTokens]);                 \
  template void multiply_group<Terms>(const std::byte*, const std::byte* const(&)[8], \
                                      std::int64_t, int, FloatLanes(&)[8][kTileTokens]);
using Plain = BlockTerms<false, 0>;
using WithMinimum = BlockTerms<false, 1>;
using WithScales = BlockTerms<true, 0>;
using WithScalesAndMinimums = BlockTerms<true, 2>;
GALLEY_INSTANTIATE(Plain)
GALLEY_INSTANTIATE(WithMinimum)
GALLEY_INSTANTIATE(WithScales)
GALLEY_INSTANTIATE(WithScalesAndMinimums)
#undef GALLEY_INSTANTIATE

}  // namespace galley::kernels::avx512
