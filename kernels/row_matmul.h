// Products with quantized weights for one token, row by row: how decoding reads a model.
//
// Where it sits: the vector matmuls call RowMatmul<Isa, Block, 1>::run if there is one token, and
// for types whose weights take long to unpack also if there are a few (block_matmul.h has the
// others); Isa supplies the arithmetic (avx2/row_isa.h, avx512/row_isa.h). docs/kernels.md draws
// it.
//
// With one token each weight is used once, so the time is that of reading memory, as long as the
// arithmetic hides behind it. Rows are read in the order in which they lie, one stream per thread,
// and asked for before they are needed (read_ahead.h). The lanes of a register are the eight blocks
// of a group, which are the eight partial sums of docs/exactness.md.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/args.h"
#include "kernels/read_ahead.h"
#include "kernels/row_unpack256.h"
#include "kernels/row_unpack_grid.h"
#include "kernels/share.h"
#include "kernels/token_groups.h"
#include "kernels/weight_traits.h"

namespace galley::kernels {

// For up to kMostTokens, which a tile holds.
template <class Isa, class Block, int kMostTokens>
class RowMatmul {
 public:
  // args.scratch holds the tokens' groups.
  static void run(const MatmulArgs& args, Part part) { RowMatmul(args).run_part(part); }

 private:
  using V = typename Isa::Lanes;
  using Partial = typename V::Floats;
  using Traits = WeightTraits<Block>;
  static constexpr std::int64_t kRows = Isa::kRows;  // at once
  static constexpr std::int64_t kBytes = kGroupBytes<Block>;

  explicit RowMatmul(const MatmulArgs& args)
      : args_(args),
        n_blocks_(args.cols / 32),
        n_groups_((n_blocks_ + 7) / 8),
        row_bytes_(n_blocks_ * kBytes / 8),
        tokens_(reinterpret_cast<TokenGroup*>(args.scratch)) {}

  // As a constant, if it is one.
  std::int64_t n_tokens() const { return kMostTokens == 1 ? 1 : args_.tokens; }

  void run_part(Part part) const {
    const Range units = share((args_.rows + kRows - 1) / kRows, part);
    if (units.begin == units.end) return;
    const std::int64_t begin = units.begin * kRows;
    const std::int64_t end = units.end * kRows < args_.rows ? units.end * kRows : args_.rows;
    const Bytes weights = {args_.weights + begin * row_bytes_, args_.weights + end * row_bytes_};
    ReadAhead ahead(weights, (kRows - 1) * row_bytes_, args_.next);
    for (std::int64_t t = 0; t < n_tokens(); ++t) {
      arrange_token<Traits>(args_.xq.tiles, n_tokens(), t, n_blocks_, Isa::template kOffset<Traits>,
                            tokens_ + t * n_groups_);
    }
    for (std::int64_t row = begin; row < end; row += kRows) {
      multiply_rows(row, end - row < kRows ? end - row : kRows, ahead);
    }
  }

  // Outputs `row` to row + n_rows - 1. (If there is one row where two would fit, it is taken
  // twice.)
  GALLEY_INLINE void multiply_rows(std::int64_t row, std::int64_t n_rows, ReadAhead& ahead) const {
    const std::byte* group = args_.weights + row * row_bytes_;
    const std::int64_t stride = n_rows == kRows ? row_bytes_ : 0;
    const auto* type = static_cast<const Block*>(nullptr);
    Partial partial[kMostTokens];
    for (Partial& p : partial) p = Isa::zero();
    for (std::int64_t g = 0; g < n_blocks_ / 8; ++g) {
      ahead.read(kRows * kBytes);
      multiply(unpack_row_group<V>(type, group, stride), g, partial);
      group += kBytes;
    }
    if (n_blocks_ % 8 != 0) {
      ahead.read(kRows * (n_blocks_ % 8 * kBytes / 8));
      add_ragged_group(group, stride, partial);
    }
    for (std::int64_t t = 0; t < n_tokens(); ++t) {
      Isa::store_totals(partial[t], args_.y + t * args_.y_stride + row, n_rows);
    }
  }

  // partial[token] += the products of group g of the weights.
  GALLEY_INLINE void multiply(const RowGroup<V>& w, std::int64_t g,
                              Partial (&partial)[kMostTokens]) const {
    for (std::int64_t t = 0; t < n_tokens(); ++t) {
      partial[t] = Isa::template multiply<Traits>(w, tokens_[t * n_groups_ + g], partial[t]);
    }
  }

  // The end of a row, less than a group: padded with zeros.
  [[gnu::noinline]] void add_ragged_group(const std::byte* group, std::int64_t stride,
                                          Partial (&partial)[kMostTokens]) const {
    const std::int64_t n_bytes = n_blocks_ % 8 * (kBytes / 8);
    alignas(64) std::byte copy[kRows * kBytes] = {};
    for (std::int64_t r = 0; r < kRows; ++r) {
      __builtin_memcpy(copy + r * kBytes, group + r * stride, static_cast<std::size_t>(n_bytes));
    }
    const auto* type = static_cast<const Block*>(nullptr);
    multiply(unpack_row_group<V>(type, copy, kBytes), n_blocks_ / 8, partial);
  }

  const MatmulArgs& args_;
  std::int64_t n_blocks_;
  std::int64_t n_groups_;
  std::int64_t row_bytes_;
  TokenGroup* tokens_;  // [tokens, n_groups_]
};

}  // namespace galley::kernels
