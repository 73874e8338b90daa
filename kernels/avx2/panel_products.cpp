#include "kernels/avx2/panel_products.h"

#include <immintrin.h>

#include "kernels/avx2/block_step.h"
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

// a + b, to be computed here and now: GCC would turn a chain of integer additions into a tree,
// and run out of registers for its leaves.
GALLEY_INLINE inline __m256i add16(__m256i a, __m256i b) {
  __m256i sum = _mm256_add_epi16(a, b);
  __asm__("" : "+x"(sum));
  return sum;
}

// partial[unit][token] += the products of one block of n_units * 8 rows with n tokens.
// For 2 units and 3 tokens: 6 registers of integer sums, 6 of partial sums, 2 of weights, 1 of
// activations.
template <class Products, int n_units, int c, int n>
GALLEY_INLINE inline void multiply_block(const PanelBlock<Products> (&w)[n_units],
                                         const TileBlock<c>& x, __m256i minus_offset,
                                         __m256 (&partial)[n_units][n]) {
  using Terms = typename Products::Terms;
  constexpr int kPlanes = Products::kPlanes;
  constexpr int kParts = 8 / Products::kSteps;
  __m256i sum[n_units][n];
  unroll<kParts>([&](auto part_index) GALLEY_INLINE {
    constexpr int part = decltype(part_index)::value;
    // Sums in 16 bits,
    __m256i narrow[kPlanes][n_units][n];
    unroll<Products::kSteps>([&](auto step) GALLEY_INLINE {
      constexpr int k = part * Products::kSteps + decltype(step)::value;
      __m256i codes[kPlanes][n_units];
      for (int plane = 0; plane < kPlanes; ++plane) {
        for (int u = 0; u < n_units; ++u) codes[plane][u] = w[u].codes(plane, k);
      }
      unroll<n>([&](auto token) GALLEY_INLINE {
        constexpr int t = decltype(token)::value;
        const __m256i q = x.q(k, t);
        for (int plane = 0; plane < kPlanes; ++plane) {
          for (int u = 0; u < n_units; ++u) {
            const __m256i products = _mm256_maddubs_epi16(codes[plane][u], q);
            __m256i& to = narrow[plane][u][t];
            to = decltype(step)::value == 0 ? products : add16(to, products);
          }
        }
      });
    });
    // and in 32, times the scale.
    unroll<n>([&](auto token) GALLEY_INLINE {
      constexpr int t = decltype(token)::value;
      for (int u = 0; u < n_units; ++u) {
        for (int plane = 0; plane < kPlanes; ++plane) {
          const __m256i factor = Terms::kHasScales
                                     ? w[u].scale(part * 2 / kParts)
                                     : _mm256_set1_epi16(kPlanes == 2 && plane == 0 ? 16 : 1);
          const __m256i wide = _mm256_madd_epi16(narrow[plane][u][t], factor);
          sum[u][t] = part + plane == 0 ? wide : _mm256_add_epi32(sum[u][t], wide);
        }
      }
    });
  });
  unroll<n>([&](auto token) GALLEY_INLINE {
    constexpr int t = decltype(token)::value;
    for (int u = 0; u < n_units; ++u) {
      if constexpr (Terms::kMinimums == 0) {  // codes with minimums have no offset
        const __m256i factor = Terms::kHasScales ? w[u].minus_offset() : minus_offset;
        sum[u][t] = _mm256_add_epi32(sum[u][t], _mm256_madd_epi16(factor, x.sums(t)));
      }
      partial[u][t] = add_block<Terms>(partial[u][t], sum[u][t], w[u], x, t);
    }
  });
}

// All products of n_units * 8 rows and some columns of a tile.
template <class Products, int n_units, int c, int n>
void multiply_columns(const std::byte* const* panel, const std::byte* tile, Columns<c, n> columns,
                      std::int64_t n_blocks, int offset, RowFloats (*y)[kTileTokens]) {
  const __m256i minus_offset = _mm256_set1_epi16(static_cast<std::int16_t>(-offset));
  // The partial sums come in the order 0, 4, 2, 6, 1, 5, 3, 7 (BlockWalk): after the second of
  // each pair they are added, after the second pair their sums, and so on; at most three wait.
  tile += 4 * columns.first;  // everything of a token is 4 bytes from that of the one before
  __m256 waiting[4][n_units][n];
  int n_waiting = 0;
  std::int64_t place = 0;
  for (int turn = 0; turn < 8; ++turn) {
    constexpr int kOrder[8] = {0, 4, 2, 6, 1, 5, 3, 7};
    const std::int64_t end = place + (n_blocks - kOrder[turn] + 7) / 8;
    __m256 partial[n_units][n];
    for (auto& row : partial) {
      for (__m256& p : row) p = _mm256_setzero_ps();
    }
    for (; place < end; ++place) {
      PanelBlock<Products> w[n_units];
      for (int u = 0; u < n_units; ++u) w[u].at = panel[u] + place * PanelBlock<Products>::kBytes;
      multiply_block(w, TileBlock<c>{tile + place * TileBlock<c>::kBytes}, minus_offset, partial);
    }
    for (int pairs = turn; pairs % 2 == 1; pairs /= 2) {
      --n_waiting;
      for (int u = 0; u < n_units; ++u) {
        for (int t = 0; t < n; ++t) {
          partial[u][t] = _mm256_add_ps(waiting[n_waiting][u][t], partial[u][t]);
        }
      }
    }
    for (int u = 0; u < n_units; ++u) {
      for (int t = 0; t < n; ++t) waiting[n_waiting][u][t] = partial[u][t];
    }
    ++n_waiting;
  }
  for (int u = 0; u < n_units; ++u) {
    for (int t = 0; t < n; ++t) y[u][columns.first + t].v = waiting[0][u][t];
  }
}

template <class Products, int c, int n>
void multiply_group_columns(const std::byte* group, const std::byte* const (&tile)[8],
                            Columns<c, n> columns, int n_blocks, int offset,
                            RowFloats (&partial)[8][kTileTokens]) {
  const __m256i minus_offset = _mm256_set1_epi16(static_cast<std::int16_t>(-offset));
  for (int i = 0; i < n_blocks; ++i) {
    const PanelBlock<Products> w[1] = {{group + i * PanelBlock<Products>::kBytes}};
    __m256 p[1][n];
    for (int t = 0; t < n; ++t) p[0][t] = partial[i][columns.first + t].v;
    multiply_block(w, TileBlock<c>{tile[i] + 4 * columns.first}, minus_offset, p);
    for (int t = 0; t < n; ++t) partial[i][columns.first + t].v = p[0][t];
  }
}

// Calls body with the Columns that a tile of n_tokens is cut in: three at most at a time.
template <class Body>
void for_columns(std::int64_t n_tokens, Body body) {
  switch (n_tokens) {
    case 1:
      return body(Columns<1, 1>{0});
    case 2:
      return body(Columns<2, 2>{0});
    case 3:
      return body(Columns<3, 3>{0});
    case 4:
      body(Columns<4, 2>{0});
      return body(Columns<4, 2>{2});
    case 5:
      body(Columns<5, 3>{0});
      return body(Columns<5, 2>{3});
    default:
      body(Columns<6, 3>{0});
      return body(Columns<6, 3>{3});
  }
}

}  // namespace

template <class Products>
void multiply_panel(const std::byte* const (&panel)[2], std::int64_t n_units, const std::byte* tile,
                    std::int64_t n_tokens, std::int64_t n_blocks, int offset,
                    RowFloats (&y)[2][kTileTokens]) {
  for_columns(n_tokens, [&](auto columns) {
    if constexpr (Products::kPlanes == 1) {
      if (n_units == 2) {
        return multiply_columns<Products, 2>(panel, tile, columns, n_blocks, offset, y);
      }
    }
    // The two planes of a unit take as many registers as two units.
    for (std::int64_t u = 0; u < n_units; ++u) {
      multiply_columns<Products, 1>(panel + u, tile, columns, n_blocks, offset, y + u);
    }
  });
}

template <class Products>
void multiply_group(const std::byte* group, const std::byte* const (&tile)[8],
                    std::int64_t n_tokens, int n_blocks, int offset,
                    RowFloats (&partial)[8][kTileTokens]) {
  for_columns(n_tokens, [&](auto columns) {
    multiply_group_columns<Products>(group, tile, columns, n_blocks, offset, partial);
  });
}

#define GALLEY_INSTANTIATE(Products)                                                        \
  template void multiply_panel<Products>(const std::byte* const(&)[2], std::int64_t,        \
                                         const std::byte*, std::int64_t, std::int64_t, int, \
                                         RowFloats(&)[2][kTileTokens]);                     \
  template void multiply_group<Products>(const std::byte*, const std::byte* const(&)[8],    \
                                         std::int64_t, int, int, RowFloats(&)[8][kTileTokens]);
using FourBits = ProductsOf<WeightTraits<BlockQ4_0>>;
using FourBitsMinimum = ProductsOf<WeightTraits<BlockQ4_K>>;
using FiveBits = ProductsOf<WeightTraits<BlockQ5_0>>;
using FiveBitsMinimum = ProductsOf<WeightTraits<BlockQ5_K>>;
using EightBits = ProductsOf<WeightTraits<BlockQ8_0>>;
using TwoBitsScales = ProductsOf<WeightTraits<BlockQ2_K>>;
using ThreeBitsScales = ProductsOf<WeightTraits<BlockQ3_K>>;
using SixBitsScales = ProductsOf<WeightTraits<BlockQ6_K>>;
using SevenBitsScales = ProductsOf<WeightTraits<BlockGrid>>;
GALLEY_INSTANTIATE(FourBits)
GALLEY_INSTANTIATE(FourBitsMinimum)
GALLEY_INSTANTIATE(FiveBits)
GALLEY_INSTANTIATE(FiveBitsMinimum)
GALLEY_INSTANTIATE(EightBits)
GALLEY_INSTANTIATE(TwoBitsScales)
GALLEY_INSTANTIATE(ThreeBitsScales)
GALLEY_INSTANTIATE(SixBitsScales)
GALLEY_INSTANTIATE(SevenBitsScales)
#undef GALLEY_INSTANTIATE

}  // namespace galley::kernels::avx2
