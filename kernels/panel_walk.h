// The order in which the products of a panel with a tile of tokens are added up.
//
// Where it sits: panel_products.cpp of each vector instruction set and float_panels.h; block_walk
// (quantized_rows.h) is made of it. Nothing here throws.
#pragma once

#include <cstdint>

#include "kernels/args.h"
#include "kernels/unroll.h"

namespace galley::kernels {

// The partial sum that comes at `turn`, of n_partials (a power of two): the bits of `turn` in
// reverse. Of eight: 0, 4, 2, 6, 1, 5, 3, 7.
template <int n_partials>
GALLEY_INLINE constexpr int partial_of_turn(int turn) {
  int partial = 0;
  for (int bit = 1; bit < n_partials; bit *= 2) partial = 2 * partial + (turn & bit ? 1 : 0);
  return partial;
}

// Where the blocks of a row's partial sums lie: all of one, in the order of the turns, then those
// of the next. Partial i of n_partials takes the blocks i, i + n_partials, ... of n_blocks.
template <int n_partials>
struct Walk {
  std::int64_t start[n_partials + 1];  // of each turn; the end

  GALLEY_INLINE explicit Walk(std::int64_t n_blocks) : start{} {
    for (int turn = 0; turn < n_partials; ++turn) {
      const int i = partial_of_turn<n_partials>(turn);
      start[turn + 1] = start[turn] + (n_blocks - i + n_partials - 1) / n_partials;
    }
  }
};

// total[unit][token] = the tree of docs/exactness.md over the partial sums of the eight turns that
// begin at start[0] .. start[7] and end at start[8]: all there are, or half of sixteen. Floats is a
// vector register, one row per lane. add_block(place, partial) adds the products of the block at
// `place` of the walk to partial[unit][token].
//
// After the second of each pair of turns their partial sums are added, after the second pair those
// sums, and so on; at most three wait.
template <class Floats, int n_units, int n_tokens, class AddBlock>
GALLEY_INLINE inline void add_up_eight(const std::int64_t* start,
                                       Floats (&total)[n_units][n_tokens],
                                       const AddBlock& add_block) {
  Floats waiting[4][n_units][n_tokens];
  int n_waiting = 0;
  for (int turn = 0; turn < 8; ++turn) {
    std::int64_t place = start[turn];
    const std::int64_t end = start[turn + 1];
    Floats partial[n_units][n_tokens];
    for (auto& row : partial) {
      for (Floats& p : row) p = Floats{};
    }
    for (; place < end; ++place) add_block(place, partial);
    for (int pairs = turn; pairs % 2 == 1; pairs /= 2) {
      --n_waiting;
      for (int u = 0; u < n_units; ++u) {
        for (int t = 0; t < n_tokens; ++t) {
          partial[u][t] = waiting[n_waiting][u][t] + partial[u][t];
        }
      }
    }
    for (int u = 0; u < n_units; ++u) {
      for (int t = 0; t < n_tokens; ++t) waiting[n_waiting][u][t] = partial[u][t];
    }
    ++n_waiting;
  }
  for (int u = 0; u < n_units; ++u) {
    for (int t = 0; t < n_tokens; ++t) total[u][t] = waiting[0][u][t];
  }
}

// Calls body with Index<n> for the n tokens of a tile.
template <class Body>
void for_n_tokens(std::int64_t n, Body body) {
  static_assert(kTileTokens == 6);
  switch (n) {
    case 1:
      return body(Index<1>{});
    case 2:
      return body(Index<2>{});
    case 3:
      return body(Index<3>{});
    case 4:
      return body(Index<4>{});
    case 5:
      return body(Index<5>{});
    default:
      return body(Index<6>{});
  }
}

}  // namespace galley::kernels
