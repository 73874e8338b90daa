// Products with F32, F16 and BF16 weights: which of two ways to go, and the one for few tokens.
//
// Where it sits: matmul() of AVX2 and of AVX-512 calls FloatMatmul<Isa, Element>::run; Isa
// supplies the arithmetic (avx2/float_isa.h, avx512/float_isa.h).
//
// For few tokens the 16 partial sums of an output are the lanes of its registers, and rows are read
// along their columns as they stream by from memory. For many tokens see float_panels.h.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/args.h"
#include "kernels/float_elements.h"
#include "kernels/float_panels.h"
#include "kernels/flush_denormals.h"
#include "kernels/read_ahead.h"
#include "kernels/share.h"

namespace galley::kernels {

// Rows are worked on in groups of four; but for one token only as many at once as make up a cache
// line in a step of 16 elements, unless they are short. Memory is read faster from few places at a
// time, sums of short rows are made faster side by side.
inline constexpr int kFloatGroupRows = 4;
inline constexpr std::int64_t kShortFloatRow = 512;  // columns
template <class Element>
inline constexpr int kRowsForOneToken = sizeof(Element) == 4 ? 1 : 2;

// Some rows of weights: the first, the bytes from one to the next, how many.
struct WeightRows {
  const std::byte* first;
  std::int64_t stride;
  std::int64_t count;

  GALLEY_INLINE WeightRows from(std::int64_t row) const {
    return {first + row * stride, stride, count - row};
  }
};

// For rows that are in the cache.
struct NoReadAhead {
  GALLEY_INLINE void read(std::int64_t /*n_bytes*/) {}
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
  static void run(const MatmulArgs& args, Part part) {
    if constexpr (kIsPair<Element>) {
      const FlushDenormals flush;
      multiply(args, part);
    } else {
      multiply(args, part);
    }
  }

 private:
  // (Not inlined: no arithmetic may move to where denormals are not flushed.)
  [[gnu::noinline]] static void multiply(const MatmulArgs& args, Part part) {
    if (args.tokens > kFloatStreamTokens) return FloatPanels<Isa, Element>(args).run_part(part);
    FloatMatmul(args).run_part(part);
  }

  using Sums = typename Isa::Sums;  // the 16 partial sums of an output
  static constexpr std::int64_t kTokens = Isa::kStreamTokens;

  explicit FloatMatmul(const MatmulArgs& args)
      : args_(args), row_bytes_(args.cols * kElementBytes<Element>) {}

  void run_part(Part part) const {
    const FloatRows x = activations();
    const Range rows = share(args_.rows, part);
    const Bytes weights = {args_.weights + rows.begin * row_bytes_,
                           args_.weights + rows.end * row_bytes_};
    ReadAhead ahead(weights, (kFloatGroupRows - 1) * row_bytes_, args_.next);
    for (std::int64_t r = rows.begin; r < rows.end; r += kFloatGroupRows) {
      const std::int64_t n = rows.end - r < kFloatGroupRows ? rows.end - r : kFloatGroupRows;
      const WeightRows w = {args_.weights + r * row_bytes_, row_bytes_, n};
      for (std::int64_t t = 0; t < x.count; t += kTokens) {
        const std::int64_t c = x.count - t < kTokens ? x.count - t : kTokens;
        Sums sums[kFloatGroupRows * kTokens];
        const FloatRows some = {x.first + t * x.stride, x.stride, c};
        if (t == 0) {
          Isa::template multiply<Element>(w, some, args_.cols, ahead, sums);
        } else {
          NoReadAhead here;
          Isa::template multiply<Element>(w, some, args_.cols, here, sums);
        }
        store(r, n, t, c, sums);
      }
    }
  }

  // As the products read them: if weights go in pairs, rounded and taken apart (float_elements.h).
  FloatRows activations() const {
    if constexpr (!kIsPair<Element>) {
      return {args_.x, args_.x_stride, args_.tokens};
    } else {
      auto* rounded = reinterpret_cast<float*>(args_.scratch);
      const std::int64_t stride = (args_.cols + 31) / 32 * 32;
      for (std::int64_t t = 0; t < args_.tokens; ++t) {
        const float* x = args_.x + t * args_.x_stride;
        for (std::int64_t i = 0; i < args_.cols; i += 32) {
          float words[16];
          round_to_pairs<16>(x + i, args_.cols - i, words);
          take_apart(words, rounded + t * stride + i);
        }
      }
      return {rounded, stride, args_.tokens};
    }
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
};

}  // namespace galley::kernels
