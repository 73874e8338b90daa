#include "kernels/avx2/panel_products.h"

#include <immintrin.h>

#include "kernels/avx2/block_step.h"
#include "kernels/panel_walk.h"
#include "kernels/unroll.h"

namespace galley::kernels::avx2 {
namespace {

// Tokens `first` .. first + n - 1 of a tile of c: as many as there are registers for.
template <int c, int n>
struct Columns {
  static constexpr int kTile = c;
  static constexpr int kCount = n;
  int first;
};

// v, to be computed here and now: GCC would turn a chain of integer additions into a tree, and run
// out of registers for its leaves.
GALLEY_INLINE inline __m256i here(__m256i v) {
  __asm__("" : "+x"(v));
  return v;
}

// The products of step k with the activations q, pairs of them added into 16 bits.
template <class Products>
GALLEY_INLINE inline __m256i multiply_step(const PanelBlock<Products>& w, __m256i codes, __m256i q,
                                           int k) {
  if constexpr (Products::kKind == CodeKind::kSigned) {
    return _mm256_maddubs_epi16(w.magnitudes(k), _mm256_sign_epi8(q, codes));
  } else {
    return _mm256_maddubs_epi16(codes, q);
  }
}

// partial[unit][token] += the products of one block of n_units * 8 rows with n tokens.
// For 2 units and 3 tokens: 6 registers of integer sums, 6 of partial sums, 2 of weights, 1 of
// activations.
template <class Products, int n_units, int c, int n>
GALLEY_INLINE inline void multiply_block(const PanelBlock<Products> (&w)[n_units],
                                         const TileBlock<c>& x, __m256i minus_offset,
                                         __m256 (&partial)[n_units][n]) {
  using Terms = typename Products::Terms;
  constexpr int kParts = 8 / Products::kSteps;
  __m256i sum[n_units][n];
  unroll<kParts>([&](auto part_index) GALLEY_INLINE {
    constexpr int part = decltype(part_index)::value;
    // Sums in 16 bits,
    __m256i narrow[n_units][n];
    unroll<Products::kSteps>([&](auto step) GALLEY_INLINE {
      constexpr int k = part * Products::kSteps + decltype(step)::value;
      __m256i codes[n_units];
      for (int u = 0; u < n_units; ++u) codes[u] = w[u].codes(k);
      unroll<n>([&](auto token) GALLEY_INLINE {
        constexpr int t = decltype(token)::value;
        const __m256i q = x.q(k, t);
        for (int u = 0; u < n_units; ++u) {
          const __m256i products = multiply_step(w[u], codes[u], q, k);
          __m256i& to = narrow[u][t];
          to = decltype(step)::value == 0 ? products : here(_mm256_add_epi16(to, products));
        }
      });
    });
    // and in 32, times the scale.
    unroll<n>([&](auto token) GALLEY_INLINE {
      constexpr int t = decltype(token)::value;
      for (int u = 0; u < n_units; ++u) {
        const __m256i factor =
            Terms::kHasScales ? w[u].scale(part * 2 / kParts) : _mm256_set1_epi16(1);
        const __m256i wide = _mm256_madd_epi16(narrow[u][t], factor);
        sum[u][t] = part == 0 ? wide : here(_mm256_add_epi32(sum[u][t], wide));
      }
    });
  });
  unroll<n>([&](auto token) GALLEY_INLINE {
    constexpr int t = decltype(token)::value;
    for (int u = 0; u < n_units; ++u) {
      if constexpr (Products::kHasOffset) {
        const __m256i factor = Terms::kHasScales ? w[u].minus_offset() : minus_offset;
        sum[u][t] = _mm256_add_epi32(sum[u][t], _mm256_madd_epi16(factor, x.sums(t)));
      }
      partial[u][t] = add_block<Terms>(partial[u][t], sum[u][t], w[u], TokenOfTile<Terms, c>{x, t});
    }
  });
}

// The same with wide codes, for all tokens of a tile. For 2 units and 6 tokens: 12 registers of
// integer sums, 2 of weights, 1 of activations and 1 of products. Partial sums stay in memory.
template <class Products, int n_units, int c>
GALLEY_INLINE inline void multiply_wide_block(const PanelBlock<Products> (&w)[n_units],
                                              const TileBlock<c>& x,
                                              __m256 (&partial)[n_units][c]) {
  alignas(32) std::int16_t pairs[32 * c];
  x.widen(pairs);
  __asm__("" : "+m"(pairs));  // else GCC cuts the pairs out of registers, which takes far longer
  __m256i sum[n_units][c];
  unroll<16>([&](auto step) GALLEY_INLINE {
    constexpr int k = decltype(step)::value;
    __m256i codes[n_units];
    for (int u = 0; u < n_units; ++u) codes[u] = w[u].codes(k);
    unroll<c>([&](auto token) GALLEY_INLINE {
      constexpr int t = decltype(token)::value;
      std::int32_t pair;
      __builtin_memcpy(&pair, pairs + 2 * (2 * (k / 2 * c + t) + k % 2), 4);
      const __m256i q = _mm256_set1_epi32(pair);
      for (int u = 0; u < n_units; ++u) {
        const __m256i products = _mm256_madd_epi16(codes[u], q);
        sum[u][t] = here(k == 0 ? products : _mm256_add_epi32(sum[u][t], products));
      }
    });
  });
  unroll<c>([&](auto token) GALLEY_INLINE {
    constexpr int t = decltype(token)::value;
    for (int u = 0; u < n_units; ++u) {
      partial[u][t] = add_block<typename Products::Terms>(
          partial[u][t], sum[u][t], w[u], TokenOfTile<typename Products::Terms, c>{x, t});
    }
  });
}

// All products of n_units * 8 rows and some columns of a tile.
template <class Products, int n_units, int c, int n>
void multiply_columns(const std::byte* const* panel, const std::byte* tile, Columns<c, n> columns,
                      std::int64_t n_blocks, int offset, FloatLanes (*y)[kTileTokens]) {
  const __m256i minus_offset = _mm256_set1_epi16(static_cast<std::int16_t>(-offset));
  tile += 4 * columns.first;  // everything of a token is 4 bytes from that of the one before
  __m256 total[n_units][n];
  add_up_eight(Walk<8>(n_blocks).start, total,
               [&](std::int64_t place, auto& partial) GALLEY_INLINE {
                 PanelBlock<Products> w[n_units];
                 for (int u = 0; u < n_units; ++u)
                   w[u].at = panel[u] + place * PanelBlock<Products>::kBytes;
                 const TileBlock<c> x{tile + place * TileBlock<c>::kBytes};
                 if constexpr (Products::kKind == CodeKind::kWide) {
                   multiply_wide_block(w, x, partial);
                 } else {
                   multiply_block(w, x, minus_offset, partial);
                 }
               });
  for (int u = 0; u < n_units; ++u) {
    for (int t = 0; t < n; ++t) y[u][columns.first + t].v = total[u][t];
  }
}

template <class Products, int c, int n>
void multiply_group_columns(const std::byte* group, const std::byte* const (&tile)[8],
                            Columns<c, n> columns, int n_blocks, int offset,
                            FloatLanes (&partial)[8][kTileTokens]) {
  const __m256i minus_offset = _mm256_set1_epi16(static_cast<std::int16_t>(-offset));
  for (int i = 0; i < n_blocks; ++i) {
    const PanelBlock<Products> w[1] = {{group + i * PanelBlock<Products>::kBytes}};
    __m256 p[1][n];
    for (int t = 0; t < n; ++t) p[0][t] = partial[i][columns.first + t].v;
    multiply_block(w, TileBlock<c>{tile[i] + 4 * columns.first}, minus_offset, p);
    for (int t = 0; t < n; ++t) partial[i][columns.first + t].v = p[0][t];
  }
}

// Calls body with the Columns that a tile of c tokens is cut in: three at most at a time, but all
// of them with wide codes.
template <CodeKind kind, int c, class Body>
void cut_tile(Body body) {
  if constexpr (kind == CodeKind::kWide || c <= 3) {
    body(Columns<c, c>{0});
  } else {
    constexpr int half = (c + 1) / 2;
    body(Columns<c, half>{0});
    body(Columns<c, c - half>{half});
  }
}

// The same for a tile of n_tokens.
template <CodeKind kind, class Body>
void for_columns(std::int64_t n_tokens, Body body) {
  for_n_tokens(n_tokens, [&](auto n) { cut_tile<kind, decltype(n)::value>(body); });
}

}  // namespace

template <class Products>
void multiply_panel(const std::byte* const (&panel)[2], std::int64_t n_units, const std::byte* tile,
                    std::int64_t n_tokens, std::int64_t n_blocks, int offset,
                    FloatLanes (&y)[2][kTileTokens]) {
  for_columns<Products::kKind>(n_tokens, [&](auto columns) {
    if (n_units == 2) {
      multiply_columns<Products, 2>(panel, tile, columns, n_blocks, offset, y);
    } else {
      multiply_columns<Products, 1>(panel, tile, columns, n_blocks, offset, y);
    }
  });
}

template <class Products>
void multiply_group(const std::byte* group, const std::byte* const (&tile)[8],
                    std::int64_t n_tokens, int n_blocks, int offset,
                    FloatLanes (&partial)[8][kTileTokens]) {
  for_columns<Products::kKind>(n_tokens, [&](auto columns) {
    multiply_group_columns<Products>(group, tile, columns, n_blocks, offset, partial);
  });
}

#define GALLEY_INSTANTIATE(Block)                                                               \
  template void multiply_panel<PanelProducts<WeightTraits<Block>>>(                             \
      const std::byte* const(&)[2], std::int64_t, const std::byte*, std::int64_t, std::int64_t, \
      int, FloatLanes(&)[2][kTileTokens]);                                                      \
  template void multiply_group<GroupProducts<WeightTraits<Block>>>(                             \
      const std::byte*, const std::byte* const(&)[8], std::int64_t, int, int,                   \
      FloatLanes(&)[8][kTileTokens]);
// One type for each kind of products.
GALLEY_INSTANTIATE(BlockQ4_0)
GALLEY_INSTANTIATE(BlockQ4_K)
GALLEY_INSTANTIATE(BlockQ5_0)
GALLEY_INSTANTIATE(BlockQ5_K)
GALLEY_INSTANTIATE(BlockQ8_0)
GALLEY_INSTANTIATE(BlockQ2_K)
GALLEY_INSTANTIATE(BlockQ3_K)
GALLEY_INSTANTIATE(BlockQ6_K)
GALLEY_INSTANTIATE(BlockGrid)
#undef GALLEY_INSTANTIATE

}  // namespace galley::kernels::avx2
