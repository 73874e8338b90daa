// Products with F32, F16 and BF16 weights: the loops around the arithmetic.
//
// Where it sits: matmul() of AVX2 and of AVX-512 calls FloatMatmul<Isa, Element>::run; Isa
// supplies the arithmetic (avx2/float_isa.h, avx512/float_isa.h).
//
// The 16 interleaved partial sums of an output are the lanes of its registers, so rows are read
// along their columns. As with quantized weights there are two ways: up to a tile of tokens are
// multiplied while the weights stream by; for more, a panel of rows becomes floats in the cache
// first, and each tile of tokens passes over all of it before the next.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/args.h"
#include "kernels/share.h"

namespace galley::kernels {

// Elements of weights as they are stored.
struct F16 {
  std::uint16_t bits;
};
struct BF16 {
  std::uint16_t bits;
};

// Rows are worked on in groups of four.
inline constexpr std::int64_t kFloatGroupRows = 4;
// Columns that are worked on at a time, so that those of four rows and of a tile of tokens stay
// in the first-level cache.
inline constexpr std::int64_t kFloatChunk = 512;
inline constexpr std::int64_t kFloatPanelMaxRows = 64;

// From one row of a panel to the next, in floats; padded, so that rows don't all share the same
// cache sets.
inline std::int64_t float_panel_stride(std::int64_t cols) { return (cols + 15) / 16 * 16 + 16; }

// Room for a panel, in floats: half of a core's second-level cache, or four rows if they need more.
// The activations are read once per panel, so with long rows a larger panel pays: a product with
// 2048 x 5632 weights was 1.3 times as fast with panels of 32 rows (720 KB) as with 8.
std::int64_t float_panel_floats(std::int64_t cols);

// Some rows of weights: the first, the bytes from one to the next, how many.
struct WeightRows {
  const std::byte* first;
  std::int64_t stride;
  std::int64_t count;
};

// Some rows of activations.
struct FloatRows {
  const float* first;
  std::int64_t stride;
  std::int64_t count;
};

template <class Isa, class Element>
class FloatMatmul {
 public:
  static void run(const MatmulArgs& args, Part part) { FloatMatmul(args).run_part(part); }

 private:
  using Sums = typename Isa::Sums;  // the 16 partial sums of an output
  static constexpr std::int64_t kBytes = sizeof(Element);

  explicit FloatMatmul(const MatmulArgs& args)
      : args_(args), row_bytes_(args.cols * kBytes), panel_stride_(float_panel_stride(args.cols)) {}

  void run_part(Part part) const {
    const Range rows = share(args_.rows, part);
    if (args_.tokens <= kTileTokens) {
      stream(rows);
    } else {
      multiply_panels(rows);
    }
  }

  const std::byte* row(std::int64_t r) const { return args_.weights + r * row_bytes_; }
  const float* x(std::int64_t t, std::int64_t col) const {
    return args_.x + t * args_.x_stride + col;
  }

  // ---- few tokens ----

  void stream(Range rows) const {
    for (std::int64_t r = rows.begin; r < rows.end; r += kFloatGroupRows) {
      const std::int64_t n = rows.end - r < kFloatGroupRows ? rows.end - r : kFloatGroupRows;
      Sums sums[kFloatGroupRows * kTileTokens] = {};
      Isa::template multiply<Element, true>(
          {row(r), row_bytes_, n}, {x(0, 0), args_.x_stride, args_.tokens}, args_.cols, sums);
      store(r, n, 0, args_.tokens, sums);
    }
  }

  // ---- many tokens ----

  void multiply_panels(Range rows) const {
    std::int64_t most =
        float_panel_floats(args_.cols) / panel_stride_ / kFloatGroupRows * kFloatGroupRows;
    if (most > kFloatPanelMaxRows) most = kFloatPanelMaxRows;
    for (std::int64_t r = rows.begin; r < rows.end; r += most) {
      const std::int64_t n = rows.end - r < most ? rows.end - r : most;
      for (std::int64_t i = 0; i < n; ++i) {
        Isa::to_floats(reinterpret_cast<const Element*>(row(r + i)), args_.cols,
                       panel() + i * panel_stride_);
      }
      for (std::int64_t t = 0; t < args_.tokens; t += kTileTokens) {
        multiply_tile(r, n, t, args_.tokens - t < kTileTokens ? args_.tokens - t : kTileTokens);
      }
    }
  }

  float* panel() const { return reinterpret_cast<float*>(args_.scratch); }

  // The n rows of the panel, which begin with row r, times the c tokens from t on.
  void multiply_tile(std::int64_t r, std::int64_t n, std::int64_t t, std::int64_t c) const {
    Sums sums[kFloatPanelMaxRows * kTileTokens] = {};
    for (std::int64_t col = 0; col < args_.cols; col += kFloatChunk) {
      const std::int64_t n_cols = args_.cols - col < kFloatChunk ? args_.cols - col : kFloatChunk;
      for (std::int64_t i = 0; i < n; i += kFloatGroupRows) {
        const std::int64_t n_rows = n - i < kFloatGroupRows ? n - i : kFloatGroupRows;
        const float* w = panel() + i * panel_stride_ + col;
        Isa::template multiply<float, false>(
            {reinterpret_cast<const std::byte*>(w), panel_stride_ * 4, n_rows},
            {x(t, col), args_.x_stride, c}, n_cols, sums + i * c);
      }
    }
    store(r, n, t, c, sums);
  }

  // Adds up the partial sums [n rows, c tokens].
  void store(std::int64_t r, std::int64_t n, std::int64_t t, std::int64_t c,
             const Sums* sums) const {
    for (std::int64_t j = 0; j < c; ++j) {
      float* y = args_.y + (t + j) * args_.y_stride + r;
      for (std::int64_t i = 0; i < n; ++i) y[i] = Isa::total(sums[i * c + j]);
    }
  }

  const MatmulArgs& args_;
  std::int64_t row_bytes_;
  std::int64_t panel_stride_;
};

}  // namespace galley::kernels
