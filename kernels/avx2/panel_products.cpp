#include "kernels/avx2/panel_products.h"

#include <immintrin.h>

#include <bit>

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
  if constexpr (Products::kIsSigned) {
    return _mm256_maddubs_epi16(w.magnitudes(k), _mm256_xor_si256(q, codes));
  } else {
    return _mm256_maddubs_epi16(codes, q);
  }
}

// What takes the offset of the codes off the sum of a block: minus offset times the sum of q.
template <class Products, int c>
GALLEY_INLINE inline __m256i without_offset(__m256i sum, const PanelBlock<Products>& w,
                                            const TileBlock<c>& x, int t) {
  if constexpr (Products::Terms::kHasScales && Products::Terms::kMinimums == 0) {
    return _mm256_add_epi32(sum, _mm256_madd_epi16(w.minus_offset(), x.sums(t)));
  } else if constexpr (Products::kOffset != 0) {  // a power of two; start has 128 of them
    constexpr int kShift = 7 - std::countr_zero(static_cast<unsigned>(Products::kOffset));
    return _mm256_add_epi32(sum, _mm256_srai_epi32(x.start(t), kShift));
  } else {
    return sum;
  }
}

// partial[unit][token] += the products of one block of n_units * 8 rows with n tokens.
// For 2 units and 3 tokens: 6 registers of integer sums, 6 of partial sums, 2 of weights, 1 of
// activations.
template <class Products, int n_units, int c, int n>
GALLEY_INLINE inline void multiply_block(const PanelBlock<Products> (&w)[n_units],
                                         const TileBlock<c>& x, __m256 (&partial)[n_units][n]) {
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
        if (part > 0) {
          sum[u][t] = here(_mm256_add_epi32(sum[u][t], wide));
        } else if constexpr (Products::kIsSigned) {
          sum[u][t] = _mm256_add_epi32(w[u].start(), wide);
        } else {
          sum[u][t] = wide;
        }
      }
    });
  });
  unroll<n>([&](auto token) GALLEY_INLINE {
    constexpr int t = decltype(token)::value;
    for (int u = 0; u < n_units; ++u) {
      const __m256i all = without_offset(sum[u][t], w[u], x, t);
      partial[u][t] = add_block<Terms>(partial[u][t], all, w[u], TokenOfTile<Terms, c>{x, t});
    }
  });
}

// All products of n_units * 8 rows and some columns of a tile.
template <class Products, int n_units, int c, int n>
void multiply_columns(const std::byte* const* panel, const std::byte* tile, Columns<c, n> columns,
                      std::int64_t n_blocks, FloatLanes (*y)[kTileTokens]) {
  tile += 4 * columns.first;  // everything of a token is 4 bytes from that of the one before
  __m256 total[n_units][n];
  add_up_eight(Walk<8>(n_blocks).start, total,
               [&](std::int64_t place, auto& partial) GALLEY_INLINE {
                 PanelBlock<Products> w[n_units];
                 for (int u = 0; u < n_units; ++u)
                   w[u].at = panel[u] + place * PanelBlock<Products>::kBytes;
                 multiply_block(w, TileBlock<c>{tile + place * TileBlock<c>::kBytes}, partial);
               });
  for (int u = 0; u < n_units; ++u) {
    for (int t = 0; t < n; ++t) y[u][columns.first + t].v = total[u][t];
  }
}

template <class Products, int c, int n>
void multiply_group_columns(const std::byte* group, const std::byte* const (&tile)[8],
                            Columns<c, n> columns, int n_blocks,
                            FloatLanes (&partial)[8][kTileTokens]) {
  for (int i = 0; i < n_blocks; ++i) {
    const PanelBlock<Products> w[1] = {{group + i * PanelBlock<Products>::kBytes}};
    __m256 p[1][n];
    for (int t = 0; t < n; ++t) p[0][t] = partial[i][columns.first + t].v;
    multiply_block(w, TileBlock<c>{tile[i] + 4 * columns.first}, p);
    for (int t = 0; t < n; ++t) partial[i][columns.first + t].v = p[0][t];
  }
}

// Calls body with the Columns that a tile of n_tokens is cut in: three at most at a time.
template <class Body>
void for_columns(std::int64_t n_tokens, Body body) {
  for_n_tokens(n_tokens, [&](auto n) {
    constexpr int c = decltype(n)::value;
    if constexpr (c <= 3) {
      body(Columns<c, c>{0});
    } else {
      constexpr int half = (c + 1) / 2;
      body(Columns<c, half>{0});
      body(Columns<c, c - half>{half});
    }
  });
}

}  // namespace

template <class Products>
void multiply_panel(const std::byte* const (&panel)[2], std::int64_t n_units, const std::byte* tile,
                    std::int64_t n_tokens, std::int64_t n_blocks, FloatLanes (&y)[2][kTileTokens]) {
  for_columns(n_tokens, [&](auto columns) {
    if (n_units == 2) {
      multiply_columns<Products, 2>(panel, tile, columns, n_blocks, y);
    } else {
      multiply_columns<Products, 1>(panel, tile, columns, n_blocks, y);
    }
  });
}

template <class Products>
void multiply_group(const std::byte* group, const std::byte* const (&tile)[8],
                    std::int64_t n_tokens, int n_blocks, FloatLanes (&partial)[8][kTileTokens]) {
  for_columns(n_tokens, [&](auto columns) {
    multiply_group_columns<Products>(group, tile, columns, n_blocks, partial);
  });
}

#define GALLEY_INSTANTIATE(Block)                                                               \
  template void multiply_panel<ProductsOf<WeightTraits<Block>>>(                                \
      const std::byte* const(&)[2], std::int64_t, const std::byte*, std::int64_t, std::int64_t, \
      FloatLanes(&)[2][kTileTokens]);                                                           \
  template void multiply_group<ProductsOf<WeightTraits<Block>>>(                                \
      const std::byte*, const std::byte* const(&)[8], std::int64_t, int,                        \
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
GALLEY_INSTANTIATE(BlockTQ2_0)
GALLEY_INSTANTIATE(BlockIQ2_XXS)
GALLEY_INSTANTIATE(BlockIQ2_XS)
#undef GALLEY_INSTANTIATE

}  // namespace galley::kernels::avx2
