// Products of F32, F16 and BF16 weights with many tokens: rows in lanes.
//
// Where it sits: float_matmul.h calls it; Isa supplies the arithmetic (avx2/float_isa.h,
// avx512/float_isa.h). It is block_matmul.h's way with panels, for weights that need no unpacking:
//   tiles   all activations are turned once, so that the columns of some tokens lie side by side;
//   panel   so are two units of rows, kLanes each; it stays in the cache, while every tile of
//           tokens passes over it. A weight register is multiplied with one column of each token.
// Both lie in the order of the walk: the words of partial sum 0, then those of 8, 4, 12, ...
// (panel_walk.h), so everything is read straight through, and no sum goes across lanes.
//
// A word is 32 bits: a float, or two columns of BF16. If the instruction set has no instruction for
// the latter, a word takes two places, its odd column and its even one as floats.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/args.h"
#include "kernels/float_elements.h"
#include "kernels/panel_walk.h"
#include "kernels/share.h"

namespace galley::kernels {

// Up to this many tokens, turning weights and activations costs more than it saves.
inline constexpr std::int64_t kFloatStreamTokens = 12;
// Rows of a panel and tokens of a tile, at most, whatever the instruction set.
inline constexpr std::int64_t kFloatPanelMaxRows = 32;
inline constexpr std::int64_t kFloatTileMaxTokens = 12;

template <class Isa, class Element>
class FloatPanels {
 public:
  explicit FloatPanels(const MatmulArgs& args)
      : args_(args),
        n_words_((args.cols + kWordColumns - 1) / kWordColumns),
        tiles_(reinterpret_cast<float*>(args.scratch)),
        panel_(tiles_ + (args.tokens + kTokens - 1) / kTokens * kTokens * n_words_ * kPlaces) {
    // The panel's registers are aligned.
    panel_ += (16 - (panel_ - tiles_) % 16) % 16;
    std::int64_t place = 0;
    for (int turn = 0; turn < 16; ++turn) {
      const int i = partial_of_turn<16>(turn);
      start_[i] = place;
      place += (n_words_ - i + 15) / 16;
    }
  }

  void run_part(Part part) const {
    const std::int64_t n_units = (args_.rows + kLanes - 1) / kLanes;
    const Range units = share(n_units, part);
    if (units.begin == units.end) return;
    for (std::int64_t t = 0; t < args_.tokens; t += kTokens) fill_tile(t);
    for (std::int64_t unit = units.begin; unit < units.end; unit += kUnits) {
      const std::int64_t n = units.end - unit < kUnits ? units.end - unit : kUnits;
      for (std::int64_t i = 0; i < n; ++i) fill_unit(unit + i, i);
      for (std::int64_t t = 0; t < args_.tokens; t += kTokens) {
        prefetch_outputs(unit, t);
        if (n == kUnits) {
          multiply<kUnits>(unit, t);
        } else {
          multiply<1>(unit, t);
        }
      }
    }
  }

 private:
  using V = typename Isa::Lanes;
  using Register = typename Isa::Register;
  static constexpr std::int64_t kLanes = V::kLanes;
  static constexpr std::int64_t kUnits = 2;
  static constexpr std::int64_t kTokens = Isa::kPanelTokens;
  static_assert(kUnits * kLanes <= kFloatPanelMaxRows && kTokens <= kFloatTileMaxTokens);
  static constexpr std::int64_t kWordColumns = kElementColumns<Element>;
  // Places of a word.
  static constexpr std::int64_t kPlaces = kIsPair<Element> && !Isa::kMultipliesPairs ? 2 : 1;

  std::int64_t place(std::int64_t word) const { return start_[word % 16] + word / 16; }
  const float* tile(std::int64_t t) const { return tiles_ + t * n_words_ * kPlaces; }
  std::int64_t tokens_from(std::int64_t t) const {
    return args_.tokens - t < kTokens ? args_.tokens - t : kTokens;
  }
  std::int64_t rows_in(std::int64_t unit) const {
    const std::int64_t rest = args_.rows - unit * kLanes;
    return rest < kLanes ? rest : kLanes;
  }

  // ---- turning ----

  // Turns up to kLanes rows of words. copy(row, col, n, to) copies the 16 words from column col on,
  // of which n columns are there; store(register, place) takes a word of each row. Rows that are
  // not there are zero.
  template <class Copy, class Store>
  void turn(std::int64_t n_rows, const Copy& copy, const Store& store) const {
    alignas(64) std::uint32_t words[kLanes][16] = {};
    for (std::int64_t word = 0; word < n_words_; word += 16) {
      const std::int64_t col = word * kWordColumns;
      for (std::int64_t r = 0; r < n_rows; ++r) copy(r, col, args_.cols - col, words[r]);
      unroll<4>([&](auto quarter) GALLEY_INLINE {
        constexpr int q = decltype(quarter)::value;
        V columns[4];
        V::load16(reinterpret_cast<const std::byte*>(words) + 16 * q, 64, columns);
        for (int i = 0; i < 4; ++i) {
          if (word + 4 * q + i < n_words_) put(columns[i], place(word + 4 * q + i), store);
        }
      });
    }
  }

  template <class Store>
  GALLEY_INLINE static void put(V word, std::int64_t place, const Store& store) {
    if constexpr (kPlaces == 1) {
      store(as_floats(word), place);
    } else {
      store(as_floats(word & V::splat(0xffff0000u)), 2 * place);
      store(as_floats(word << Index<16>{}), 2 * place + 1);
    }
  }

  void fill_tile(std::int64_t t) const {
    float* to = tiles_ + t * n_words_ * kPlaces;
    turn(
        tokens_from(t),
        [&](std::int64_t token, std::int64_t col, std::int64_t n, std::uint32_t* words) {
          const float* x = args_.x + (t + token) * args_.x_stride + col;
          if constexpr (kIsPair<Element>) {
            round_to_pairs(x, n, words);
          } else {
            __builtin_memcpy(words, x, static_cast<std::size_t>(n < 16 ? n : 16) * 4);
          }
        },
        [&](typename V::Floats column, std::int64_t place)
            GALLEY_INLINE { Isa::store_tokens(column, to + place * kTokens); });
  }

  void fill_unit(std::int64_t unit, std::int64_t i) const {
    constexpr std::int64_t kBytes = kElementBytes<Element>;
    const std::byte* rows = args_.weights + unit * kLanes * args_.cols * kBytes;
    turn(
        rows_in(unit),
        [&](std::int64_t r, std::int64_t col, std::int64_t n, std::uint32_t* words) {
          const std::byte* from = rows + (r * args_.cols + col) * kBytes;
          if constexpr (kIsPair<Element>) {
            if (n < 32) __builtin_memset(words, 0, 64);
            __builtin_memcpy(words, from, static_cast<std::size_t>(n < 32 ? n : 32) * kBytes);
          } else {
            Isa::to_floats(reinterpret_cast<const Element*>(from), n < 16 ? n : 16,
                           reinterpret_cast<float*>(words));
          }
        },
        [&](typename V::Floats column, std::int64_t place)
            GALLEY_INLINE { Isa::store(column, panel_ + (place * kUnits + i) * kLanes, kLanes); });
  }

  // ---- multiplying ----

  // For AVX-512, two units and twelve tokens: 24 registers of sums, 2 of weights, 1 of activations.
  template <int n_units>
  void multiply(std::int64_t unit, std::int64_t t) const {
    const float* x = tile(t);
    Register total[n_units][kTokens];
    add_up_panel<16>(n_words_, total, [&](std::int64_t word, auto& partial) GALLEY_INLINE {
      for (std::int64_t place = word * kPlaces; place < (word + 1) * kPlaces; ++place) {
        Register w[n_units];
        for (int u = 0; u < n_units; ++u) w[u] = Isa::load(panel_ + (place * kUnits + u) * kLanes);
        unroll<kTokens>([&](auto token) GALLEY_INLINE {
          constexpr int c = decltype(token)::value;
          const Register activation = Isa::broadcast(x + place * kTokens + c);
          for (int u = 0; u < n_units; ++u) {
            partial[u][c] = Isa::template multiply_add<Element>(w[u], activation, partial[u][c]);
          }
        });
      }
    });
    for (int u = 0; u < n_units; ++u) {
      for (std::int64_t c = 0; c < tokens_from(t); ++c) {
        Isa::store({total[u][c]}, args_.y + (t + c) * args_.y_stride + (unit + u) * kLanes,
                   rows_in(unit + u));
      }
    }
  }

  // Asks for the lines of y that are written next. (Inlined early: see block_matmul.h.)
  GALLEY_INLINE void prefetch_outputs(std::int64_t unit, std::int64_t t) const {
    const std::int64_t begin = unit * kLanes;
    const std::int64_t end =
        begin + kUnits * kLanes < args_.rows ? begin + kUnits * kLanes : args_.rows;
    for (std::int64_t c = 0; c < tokens_from(t); ++c) {
      const float* y = args_.y + (t + c) * args_.y_stride;
      for (std::int64_t row = begin; row < end; row += 16) __builtin_prefetch(y + row, 1, 3);
    }
  }

  const MatmulArgs& args_;
  std::int64_t n_words_;
  float* tiles_;
  float* panel_;
  std::int64_t start_[16];  // the first place of each partial sum
};

}  // namespace galley::kernels
