// Products with quantized weights, rows in lanes: the loops around the arithmetic.
//
// Where it sits: the vector matmuls call BlockMatmul<Isa, Block>::run if there are
// several tokens (row_matmul.h has the case of one); Isa supplies the arithmetic (avx2/block_isa.h,
// avx512/block_isa.h). docs/kernels.md draws it.
//
// Weights are worked on in units of V::kLanes rows, one row per lane. There are two ways:
//   stream  a tile's worth of tokens or fewer: weights are multiplied as they are unpacked, and
//           memory is read at its full speed.
//   panels  more tokens: two units are unpacked into a panel in the cache, once, and then
//           multiplied with every tile of tokens.
// Both add up in the order of docs/exactness.md, so they give the same bits.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/args.h"
#include "kernels/quantized_rows.h"
#include "kernels/share.h"
#include "kernels/unpack256.h"
#include "kernels/unpack32.h"
#include "kernels/unpack_grid.h"
#include "kernels/weight_traits.h"

namespace galley::kernels {

template <class Isa, class Block>
class BlockMatmul {
 public:
  static void run(const MatmulArgs& args, Part part) { BlockMatmul(args).run_part(part); }

 private:
  using V = typename Isa::Lanes;
  using Traits = WeightTraits<Block>;
  static constexpr std::int64_t kRows = V::kLanes;
  static constexpr std::int64_t kRowGroupBytes = kGroupBytes<Block>;
  static constexpr std::int64_t kUnitsPerPanel = 2;

  explicit BlockMatmul(const MatmulArgs& args)
      : args_(args),
        n_blocks_(args.cols / 32),
        row_bytes_(n_blocks_ * kRowGroupBytes / 8),
        n_units_((args.rows + kRows - 1) / kRows),
        walk_(block_walk(n_blocks_)) {}

  void run_part(Part part) {
    const Range units = share(n_units_, part);
    if (units.begin == units.end || args_.tokens == 0) return;
    if (args_.tokens <= kTileTokens) {
      stream<typename Isa::template TileSink<Traits>>(units);
    } else {
      multiply_panels(units);
    }
  }

  // ---- where things are ----

  const std::byte* unit_rows(std::int64_t unit) const {
    return args_.weights + unit * kRows * row_bytes_;
  }
  // Rows of `unit`: fewer than kRows in the last one, perhaps.
  std::int64_t rows_in(std::int64_t unit) const {
    const std::int64_t rest = args_.rows - unit * kRows;
    return rest < kRows ? rest : kRows;
  }
  // The tile that begins with token t.
  const std::byte* tile(std::int64_t t) const {
    return args_.xq.tiles + t * n_blocks_ * kQuantizedBlockBytes;
  }

  // ---- reading weights ----

  // Asks for the bytes from `begin` up to `end`, so that they are on their way before they are
  // needed. Sixteen rows side by side are too many streams for the hardware's own prefetching.
  static void prefetch(const std::byte* begin, const std::byte* end) {
    for (; begin < end; begin += 64) __builtin_prefetch(begin, 0, 2);
  }

  // Passes blocks on to a sink and, with each, asks for an eighth of what comes later: of as many
  // bytes from `far` on as a group of the unit has (from memory to the second-level cache), and of
  // the group at `near` (from there to the first). Asked for all at once, they would keep the loads
  // of this group waiting: spread out, reading is up to a quarter faster.
  template <class Sink>
  struct Prefetching {
    static constexpr std::int64_t kUnitBytes = kRows * kRowGroupBytes;
    Sink& sink;
    const std::byte* far;
    const std::byte* near;
    std::int64_t stride;

    GALLEY_INLINE void block(int i, const V (&codes)[8], const Scales<V>& scales) {
      constexpr auto line_from = [](std::int64_t n) { return (n + 63) / 64 * 64; };
      prefetch(far + line_from(i * kUnitBytes / 8), far + line_from((i + 1) * kUnitBytes / 8));
      for (std::int64_t r = i * kRows / 8; r < (i + 1) * kRows / 8; ++r) {
        for (std::int64_t at = 0; at < kRowGroupBytes; at += 64) {
          __builtin_prefetch(near + r * stride + at, 0, 3);
        }
      }
      sink.block(i, codes, scales);
    }
  };

  // Unpacks all groups of `unit` into `sink`, and asks for those of the unit after it. (At the end
  // it asks again for what is in the cache, which costs nothing.)
  template <class Sink>
  void unpack_unit(std::int64_t unit, std::int64_t end, Sink& sink) const {
    const std::byte* rows = unit_rows(unit);
    const std::byte* next = unit_rows(unit + 1 < end ? unit + 1 : unit);
    const std::int64_t n_rows = rows_in(unit);
    const std::int64_t n_whole_groups = n_rows == kRows ? n_blocks_ / 8 : 0;
    for (std::int64_t g = 0; g < n_whole_groups; ++g) {
      const std::byte* group = rows + g * kRowGroupBytes;
      const std::byte* near = g + 1 < n_whole_groups ? group + kRowGroupBytes : next;
      Prefetching<Sink> to{sink, next + g * kRows * kRowGroupBytes, near, row_bytes_};
      unpack_group<V>(static_cast<const Block*>(nullptr), group, row_bytes_, to);
      sink.end_group(8);
    }
    for (std::int64_t g = n_whole_groups; 8 * g < n_blocks_; ++g) {
      unpack_ragged_group(rows + g * kRowGroupBytes, n_rows, n_blocks_ - 8 * g, sink);
    }
  }

  // A group with rows or blocks missing. (A function of its own, so that the loop above stays
  // small.)
  template <class Sink>
  [[gnu::noinline]] void unpack_ragged_group(const std::byte* rows, std::int64_t n_rows,
                                             std::int64_t n_blocks, Sink& sink) const {
    n_blocks = n_blocks < 8 ? n_blocks : 8;
    alignas(64) std::byte copy[kRows * kRowGroupBytes];
    std::int64_t stride = row_bytes_;
    if (n_rows < kRows || n_blocks % 2 != 0) {
      stride = kRowGroupBytes;
      copy_padded(rows, n_rows, n_blocks, copy);
      rows = copy;
    }
    const auto* type = static_cast<const Block*>(nullptr);
    if constexpr (kBlocksIn<Block> == 8) {
      unpack_group<V>(type, rows, stride, sink);  // blocks are never missing
    } else {
      for (std::int64_t b = 0; b < n_blocks; b += 2) {
        Pair<Sink> to{sink, static_cast<int>(b), static_cast<int>(n_blocks)};
        unpack_blocks<2, V>(type, rows + b * kRowGroupBytes / 8, stride, to);
      }
    }
    sink.end_group(static_cast<int>(n_blocks));
  }

  // Copies the rows and blocks that are there to a whole group, with zeros for the others.
  void copy_padded(const std::byte* rows, std::int64_t n_rows, std::int64_t n_blocks,
                   std::byte* copy) const {
    const auto n_bytes = static_cast<std::size_t>(n_blocks * kRowGroupBytes / 8);
    __builtin_memset(copy, 0, kRows * kRowGroupBytes);
    for (std::int64_t r = 0; r < n_rows; ++r)
      __builtin_memcpy(copy + r * kRowGroupBytes, rows + r * row_bytes_, n_bytes);
  }

  // Two blocks of a group, from the first on; the second may be missing.
  template <class Sink>
  struct Pair {
    Sink& sink;
    int first;
    int n_blocks;

    GALLEY_INLINE void block(int i, const V (&codes)[8], const Scales<V>& scales) {
      if (first + i < n_blocks) sink.block(first + i, codes, scales);
    }
  };

  // ---- few tokens ----

  template <class Sink>
  void stream(Range units) const {
    prefetch(unit_rows(units.begin), unit_rows(units.begin) + rows_in(units.begin) * row_bytes_);
    for (std::int64_t unit = units.begin; unit < units.end; ++unit) {
      Sink sink(tile(0), args_.tokens, walk_);
      unpack_unit(unit, units.end, sink);
      for (std::int64_t t = 0; t < args_.tokens; ++t) {
        Isa::store(sink.total(t), args_.y + t * args_.y_stride + unit * kRows, rows_in(unit));
      }
    }
  }

  // ---- many tokens ----

  void multiply_panels(Range units) const {
    for (std::int64_t unit = units.begin; unit < units.end; unit += kUnitsPerPanel) {
      const std::int64_t n = units.end - unit < kUnitsPerPanel ? units.end - unit : kUnitsPerPanel;
      for (std::int64_t i = 0; i < n; ++i) {
        typename Isa::template PanelSink<Traits> sink(panel(i), walk_);
        unpack_unit(unit + i, units.end, sink);
      }
      const std::byte* next = unit_rows(unit + n);
      const std::byte* end = units.end - unit - n < kUnitsPerPanel
                                 ? unit_rows(units.end - 1)
                                 : next + kUnitsPerPanel * kRows * row_bytes_;
      multiply_panel(unit, n, next, end);
    }
  }

  std::byte* panel(std::int64_t i) const {
    return args_.scratch + i * n_blocks_ * Isa::template kPanelBlockBytes<Traits>;
  }

  // The products of a panel of `n_units` with all tokens. Meanwhile the bytes from `next` to
  // `end` are prefetched, some with every tile.
  void multiply_panel(std::int64_t unit, std::int64_t n_units, const std::byte* next,
                      const std::byte* end) const {
    const std::int64_t n_tiles = (args_.tokens + kTileTokens - 1) / kTileTokens;
    const std::int64_t share_of_next = (end - next) / n_tiles + 64;
    for (std::int64_t t = 0; t < args_.tokens; t += kTileTokens) {
      prefetch(next, next + share_of_next < end ? next + share_of_next : end);
      next += share_of_next;
      const std::int64_t n_tokens = args_.tokens - t < kTileTokens ? args_.tokens - t : kTileTokens;
      prefetch_outputs(unit, t, n_tokens);
      typename V::Floats y[kUnitsPerPanel][kTileTokens];
      Isa::template multiply_panel<Traits>({panel(0), panel(1)}, n_units, tile(t), n_tokens,
                                           n_blocks_, y);
      for (std::int64_t i = 0; i < n_units; ++i) {
        for (std::int64_t c = 0; c < n_tokens; ++c) {
          Isa::store(y[i][c], args_.y + (t + c) * args_.y_stride + (unit + i) * kRows,
                     rows_in(unit + i));
        }
      }
    }
  }

  // Asks for the lines of y that the panel of `unit` and the tile of token t are going to write.
  // Stores that wait for them would keep all later ones waiting. (Inlined early, for to GCC a
  // function that only prefetches has no effect and need not be called.)
  GALLEY_INLINE void prefetch_outputs(std::int64_t unit, std::int64_t t,
                                      std::int64_t n_tokens) const {
    const std::int64_t end =
        unit + kUnitsPerPanel < n_units_ ? (unit + kUnitsPerPanel) * kRows : args_.rows;
    for (std::int64_t c = 0; c < n_tokens; ++c) {
      const float* y = args_.y + (t + c) * args_.y_stride;
      for (std::int64_t row = unit * kRows; row < end; row += 16) __builtin_prefetch(y + row, 1, 3);
    }
  }

  const MatmulArgs& args_;
  std::int64_t n_blocks_;
  std::int64_t row_bytes_;
  std::int64_t n_units_;
  BlockWalk walk_;
};

}  // namespace galley::kernels
