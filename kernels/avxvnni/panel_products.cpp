#include "kernels/avxvnni/panel_products.h"

#include <immintrin.h>

#include "kernels/panel_walk.h"
#include "kernels/unroll.h"

namespace galley::kernels::avxvnni {
namespace {

// partial[unit][token] += the products of one block of n_units * 8 rows with c tokens.
// For 2 units and 6 tokens: 12 registers of integer sums, 2 of weights, 1 of activations. Partial
// sums stay in memory.
template <class Terms, int n_units, int c>
GALLEY_INLINE inline void multiply_block(const PanelBlock<Terms> (&w)[n_units],
                                         const TileBlock<c>& x, __m256 (&partial)[n_units][c]) {
  constexpr int kParts = Terms::kHasScales ? 2 : 1;  // with a scale each
  __m256 total[n_units][c];
  unroll<kParts>([&](auto part_index) GALLEY_INLINE {
    constexpr int part = decltype(part_index)::value;
    __m256i sum[n_units][c];
    unroll<c>([&](auto token) GALLEY_INLINE {
      constexpr int t = decltype(token)::value;
      for (int u = 0; u < n_units; ++u) {
        if constexpr (Terms::kMinimums > 0) {  // nothing was added to their codes
          sum[u][t] = _mm256_setzero_si256();
        } else if constexpr (kParts == 2) {
          sum[u][t] = start_of_half<part>(x.sums(t));
        } else {
          sum[u][t] = x.start(t);
        }
      }
    });
    unroll<8 / kParts>([&](auto step) GALLEY_INLINE {
      constexpr int k = part * 4 + decltype(step)::value;
      __m256i codes[n_units];
      for (int u = 0; u < n_units; ++u) codes[u] = w[u].codes(k);
      unroll<c>([&](auto token) GALLEY_INLINE {
        constexpr int t = decltype(token)::value;
        const __m256i q = x.q(k, t);
        for (int u = 0; u < n_units; ++u) sum[u][t] = add_products(sum[u][t], codes[u], q);
      });
    });
    unroll<c>([&](auto token) GALLEY_INLINE {
      constexpr int t = decltype(token)::value;
      for (int u = 0; u < n_units; ++u) {
        __m256 of_part = _mm256_cvtepi32_ps(sum[u][t]);
        // Integers below 2^24: exact in floats.
        if constexpr (Terms::kHasScales) of_part = _mm256_mul_ps(of_part, w[u].scale(part));
        total[u][t] = part == 0 ? of_part : _mm256_add_ps(total[u][t], of_part);
      }
    });
  });
  unroll<c>([&](auto token) GALLEY_INLINE {
    constexpr int t = decltype(token)::value;
    const TokenOfTile<Terms, c> one{x, t};
    for (int u = 0; u < n_units; ++u) {
      partial[u][t] = _mm256_fmadd_ps(total[u][t], _mm256_mul_ps(w[u].d(), one.d()), partial[u][t]);
      for (int i = 0; i < Terms::kMinimums; ++i) {
        partial[u][t] = _mm256_fmadd_ps(w[u].min(i), one.min_factor(i), partial[u][t]);
      }
    }
  });
}

// All products of n_units * 8 rows and a tile of c tokens.
template <class Terms, int n_units, int c>
void multiply_tile(const std::byte* const (&panel)[2], const std::byte* tile, std::int64_t n_blocks,
                   FloatLanes (&y)[2][kTileTokens]) {
  __m256 total[n_units][c];
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
    __m256 p[1][c];
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

}  // namespace galley::kernels::avxvnni
