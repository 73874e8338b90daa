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
inline constexpr std::int64_t kFloatStreamTokens = 24;
// Rows of a panel and tokens of a tile, at most, whatever the instruction set.
inline constexpr std::int64_t kFloatPanelMaxRows = 32;
inline constexpr std::int64_t kFloatTileMaxTokens = 12;

template <class Isa, class Element>
class FloatPanels {
 public:
  explicit FloatPanels(const MatmulArgs& args)
      : args_(args),
        n_words_((args.cols + kWordColumns - 1) / kWordColumns),
        walk_(n_words_),
        tiles_(reinterpret_cast<float*>(args.scratch)),
        panel_(tiles_ + (args.tokens + kTokens - 1) / kTokens * kTokens * n_words_ * kPlaces) {
    // The panel's registers are aligned.
    panel_ += (16 - (panel_ - tiles_) % 16) % 16;
    for (int turn = 0; turn < 16; ++turn) {
      start_of_partial_[partial_of_turn<16>(turn)] = walk_.start[turn];
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
      const std::byte* next = rows(unit + n < units.end ? unit + n : units.end);
      const std::byte* end = rows(unit + 2 * n < units.end ? unit + 2 * n : units.end);
      multiply_panel<0>(unit, n, next, next + (end - next) / 2);
      multiply_panel<1>(unit, n, next + (end - next) / 2, end);
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
  static constexpr bool kIsStoredAsWords = sizeof(Element) == 4;
  // Places of a word.
  static constexpr std::int64_t kPlaces = kIsPair<Element> && !Isa::kMultipliesPairs ? 2 : 1;

  // The first row of `unit`, or, after the last one, the end of the weights.
  const std::byte* rows(std::int64_t unit) const {
    const std::int64_t row = unit * kLanes < args_.rows ? unit * kLanes : args_.rows;
    return args_.weights + row * args_.cols * kElementBytes<Element>;
  }
  const float* tile(std::int64_t t) const { return tiles_ + t * n_words_ * kPlaces; }
  std::int64_t tokens_from(std::int64_t t) const {
    return args_.tokens - t < kTokens ? args_.tokens - t : kTokens;
  }
  std::int64_t rows_in(std::int64_t unit) const {
    const std::int64_t rest = args_.rows - unit * kLanes;
    return rest < kLanes ? rest : kLanes;
  }

  // ---- turning ----

  // Rows whose words are at hand: of the first row, and the bytes to the next.
  struct Words {
    const std::byte* first;
    std::int64_t stride;
  };

  // Turns kLanes rows of words. words(col, n) gives kLanes words of each from column col on, where
  // n columns are left. store(register, place) takes one word of all rows.
  template <class WordsFrom, class Store>
  void turn(const WordsFrom& words, const Store& store) const {
    for (std::int64_t word = 0; word < n_words_; word += kLanes) {
      const std::int64_t* starts = start_of_partial_ + word % 16;
      const Words from = words(word * kWordColumns, args_.cols - word * kWordColumns);
      V columns[kLanes];
      V::load_square(from.first, from.stride, columns);
      if (n_words_ - word >= kLanes) {
        unroll<V::kLanes>([&](auto index) GALLEY_INLINE {
          constexpr int i = decltype(index)::value;
          put(columns[i], starts[i] + word / 16, store);
        });
      } else {
        for (int i = 0; i < n_words_ - word; ++i) put(columns[i], starts[i] + word / 16, store);
      }
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

  // kLanes words, or as many as hold the n columns that are left; the rest is zero.
  GALLEY_INLINE static void copy_words(const std::byte* from, std::int64_t n, float* words) {
    if (n >= kLanes * kWordColumns) {
      __builtin_memcpy(words, from, 4 * kLanes);
    } else {
      __builtin_memset(words, 0, 4 * kLanes);
      __builtin_memcpy(words, from, static_cast<std::size_t>(n * 4 / kWordColumns));
    }
  }

  void fill_tile(std::int64_t t) const {
    float* to = tiles_ + t * n_words_ * kPlaces;
    alignas(64) float copies[kLanes][kLanes] = {};  // tokens that are not there stay zero
    turn(
        [&](std::int64_t col, std::int64_t n) {
          for (std::int64_t i = 0; i < tokens_from(t); ++i) {
            const float* x = args_.x + (t + i) * args_.x_stride + col;
            if constexpr (kIsPair<Element>) {
              round_to_pairs<kLanes>(x, n, copies[i]);
            } else {
              copy_words(reinterpret_cast<const std::byte*>(x), n, copies[i]);
            }
          }
          return Words{reinterpret_cast<const std::byte*>(copies), 4 * kLanes};
        },
        [&](typename V::Floats column, std::int64_t place)
            GALLEY_INLINE { Isa::store_tokens(column, to + place * kTokens); });
  }

  void fill_unit(std::int64_t unit, std::int64_t i) const {
    const std::int64_t row_bytes = args_.cols * kElementBytes<Element>;
    const std::int64_t n_rows = rows_in(unit);
    alignas(64) float copies[kLanes][kLanes] = {};  // rows that are not there stay zero
    turn(
        [&](std::int64_t col, std::int64_t n) {
          const std::byte* from = rows(unit) + col * kElementBytes<Element>;
          if (kIsStoredAsWords && n_rows == kLanes && n >= kLanes * kWordColumns) {
            return Words{from, row_bytes};
          }
          for (std::int64_t r = 0; r < n_rows; ++r) {
            const std::byte* row = from + r * row_bytes;
            if constexpr (kIsStoredAsWords) {
              copy_words(row, n, copies[r]);
            } else {
              Isa::to_floats(reinterpret_cast<const Element*>(row), n, copies[r]);
            }
          }
          return Words{reinterpret_cast<const std::byte*>(copies), 4 * kLanes};
        },
        [&](typename V::Floats column, std::int64_t place)
            GALLEY_INLINE { Isa::store(column, panel_ + (place * kUnits + i) * kLanes, kLanes); });
  }

  // ---- multiplying ----

  // Half of the panel's products with all tokens: of the eight partial sums 0, 8, 4, ..., or of the
  // others. (A half of the panel stays in the cache where long rows are too much as a whole.)
  // Meanwhile the bytes from `next` to `end` are asked for, some with every tile.
  template <int half>
  void multiply_panel(std::int64_t unit, std::int64_t n_units, const std::byte* next,
                      const std::byte* end) const {
    const std::int64_t share_of_next = (end - next) * kTokens / args_.tokens + 64;
    for (std::int64_t t = 0; t < args_.tokens; t += kTokens) {
      for (std::int64_t i = 0; i < share_of_next && next < end; i += 64, next += 64) {
        __builtin_prefetch(next, 0, 2);
      }
      prefetch_outputs(unit, t);
      if (n_units == kUnits) {
        multiply_tile<half, kUnits>(unit, t);
      } else {
        multiply_tile<half, 1>(unit, t);
      }
    }
  }

  // For AVX-512, two units and twelve tokens: 24 registers of sums, 2 of weights, 1 of activations.
  template <int half, int n_units>
  void multiply_tile(std::int64_t unit, std::int64_t t) const {
    const float* x = tile(t);
    Register total[n_units][kTokens];
    add_up_eight(
        walk_.start + 8 * half, total, [&](std::int64_t word, auto& partial) GALLEY_INLINE {
          for (std::int64_t place = word * kPlaces; place < (word + 1) * kPlaces; ++place) {
            Register w[n_units];
            for (int u = 0; u < n_units; ++u)
              w[u] = Isa::load(panel_ + (place * kUnits + u) * kLanes);
            unroll<kTokens>([&](auto token) GALLEY_INLINE {
              constexpr int c = decltype(token)::value;
              const Register activation = Isa::broadcast(x + place * kTokens + c);
              for (int u = 0; u < n_units; ++u) {
                partial[u][c] = Isa::multiply_add(w[u], activation, partial[u][c]);
              }
            });
          }
        });
    for (int u = 0; u < n_units; ++u) {
      const std::int64_t n_rows = rows_in(unit + u);
      for (std::int64_t c = 0; c < tokens_from(t); ++c) {
        float* y = args_.y + (t + c) * args_.y_stride + (unit + u) * kLanes;
        Isa::store({half == 0 ? total[u][c] : Isa::load(y, n_rows) + total[u][c]}, y, n_rows);
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
  Walk<16> walk_;
  float* tiles_;
  float* panel_;
  std::int64_t start_of_partial_[16];  // its first place
};

}  // namespace galley::kernels
