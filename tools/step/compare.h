// Two runs of the same text side by side: by how much their values differ, and what that does to
// the next-token distribution.
//
// Where it sits: `diff` compares a changed run with the unchanged one, `galley drift` two
// precisions of a model.
#pragma once

#include <cstdint>
#include <span>

#include "tools/glass/run_data.h"

namespace galley::step {

// How far a value is from the same value of another run, over all its rows and columns.
struct Difference {
  std::int64_t n = 0;            // numbers
  std::int64_t n_different = 0;  // of those, the ones with other bits
  double largest = 0;            // |a - b|
  std::int64_t row = 0;          // where that is
  std::int64_t column = 0;
  double squares = 0;       // sum of (a - b)^2
  double base_squares = 0;  // sum of b^2

  // The size of the difference in that of the value: sqrt(sum (a - b)^2 / sum b^2).
  double relative() const;
  bool is_any() const { return n_different > 0; }
  // Adds one row of another pass or of more tokens.
  void add_row(std::span<const float> a, std::span<const float> b, std::int64_t r);
};

// Compares the rows of a value that both have. The runs' graphs may be of two models; they must
// have the same number of rows and columns there. Throws Error kUsage if not.
Difference compare_values(const glass::RunData& a, Value in_a, const glass::RunData& b, Value in_b);

// Two next-token distributions.
struct DistributionChange {
  double kl = 0;  // sum q log(q / p) in nats, q: the softmax of `base`
  double largest_p_change = 0;
  std::int32_t base_best = 0;  // the likeliest token of each
  std::int32_t best = 0;
  bool same_best() const { return base_best == best; }
};

// From `base` to `logits`, both [n_vocab].
DistributionChange compare_logits(std::span<const float> base, std::span<const float> logits);

}  // namespace galley::step
