// Mixture of experts: tokens are grouped by the expert they chose, so that each expert's weights
// are read once per batch. Shazeer et al. 2017, "Outrageously Large Neural Networks".
//
// A pair is (token, place): the token's place-th chosen expert. Routes hold, for each token,
// n_used expert numbers (as floats), best first, then n_used weights.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "kernels/share.h"
#include "model/executor.h"
#include "tensor/error.h"

namespace galley {
void Executor::route_experts(const Op& op, Part part) {
  const Rowset scores = at(op.inputs[0]);
  const Rowset routes = at(op.output);
  const RouteSpec& spec = op.route;
  std::vector<std::int64_t> order(static_cast<std::size_t>(scores.width));
  std::vector<float> weights(static_cast<std::size_t>(scores.width));
  const kernels::Range range = kernels::share(scores.rows, part);
  for (std::int64_t t = range.begin; t < range.end; ++t) {
    const float* score = scores.row(t);
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<std::int64_t>(i);
    // Equal scores go to the lower number; NaN goes last.
    std::partial_sort(order.begin(), order.begin() + spec.n_used, order.end(),
                      [score](std::int64_t a, std::int64_t b) {
                        const float x = std::isnan(score[a]) ? -INFINITY : score[a];
                        const float y = std::isnan(score[b]) ? -INFINITY : score[b];
                        return x > y || (x == y && a < b);
                      });
    float* chosen = routes.row(t);
    float* weight = chosen + spec.n_used;
    const std::int64_t n_softmax = spec.softmax_first ? scores.width : spec.n_used;
    for (std::int64_t i = 0; i < n_softmax; ++i)
      weights[static_cast<std::size_t>(i)] =
          score[spec.softmax_first ? i : order[static_cast<std::size_t>(i)]];
    kernels_.softmax({weights.data(), n_softmax, 1, n_softmax, weights.data(), n_softmax}, {0, 1});
    float sum = 0;
    for (std::int64_t i = 0; i < spec.n_used; ++i) {
      const std::int64_t expert = order[static_cast<std::size_t>(i)];
      chosen[i] = static_cast<float>(expert);
      weight[i] = weights[static_cast<std::size_t>(spec.softmax_first ? expert : i)];
      sum += weight[i];
    }
    for (std::int64_t i = 0; i < spec.n_used; ++i) {
      if (spec.normalize) weight[i] /= sum;
      weight[i] *= spec.scale;
    }
  }
}

void Executor::sort_routes(const Op& op, Part part) {
  if (part.index != 0) return;
  const Rowset routes = at(op.output);
  const std::int64_t n_used = op.route.n_used;
  const std::int64_t n_experts = graph_.info(op.inputs[0]).width;
  expert_begin_.assign(static_cast<std::size_t>(n_experts) + 1, 0);
  expert_pairs_.resize(static_cast<std::size_t>(routes.rows * n_used));
  const auto expert_of = [&](std::int64_t pair) {
    return static_cast<std::size_t>(routes.row(pair / n_used)[pair % n_used]);
  };
  const std::int64_t n_pairs = routes.rows * n_used;
  for (std::int64_t pair = 0; pair < n_pairs; ++pair) ++expert_begin_[expert_of(pair) + 1];
  for (std::size_t e = 1; e < expert_begin_.size(); ++e) expert_begin_[e] += expert_begin_[e - 1];
  std::vector<std::int32_t> next(expert_begin_.begin(), expert_begin_.end() - 1);
  for (std::int64_t pair = 0; pair < n_pairs; ++pair)
    expert_pairs_[static_cast<std::size_t>(next[expert_of(pair)]++)] =
        static_cast<std::int32_t>(pair);
}

void Executor::gather_experts(const Op& op, Part part) {
  const Rowset x = at(op.inputs[0]);
  const std::int64_t n_used = op.route.n_used;
  const std::int64_t cols = op.weight->cols();
  const bool has_own_parts = x.width != cols;
  const std::int64_t n_pairs = x.rows * n_used;
  const bool quantized = kernels::uses_quantized_rows(op.weight->type);
  const bool twice = rounds_input_twice(*op.weight);
  const kernels::Range range = kernels::share(n_pairs, part);
  for (std::int64_t i = range.begin; i < range.end; ++i) {
    const std::int64_t pair = expert_pairs_[static_cast<std::size_t>(i)];
    const float* row = x.row(pair / n_used) + (has_own_parts ? pair % n_used * cols : 0);
    if (quantized) {
      // The rows of an expert are a set of their own: its begin and end are around i.
      const auto end = std::upper_bound(expert_begin_.begin(), expert_begin_.end(), i);
      const std::int64_t begin = *(end - 1);
      const std::int64_t n = *end - begin;
      const kernels::QuantizedRows remainders = quantized_rows(n_pairs + begin, n, cols);
      quantize_row(row, cols, i - begin, quantized_rows(begin, n, cols),
                   twice ? &remainders : nullptr, part);
    } else {
      std::memcpy(gathered_.floats() + i * cols, row,
                  static_cast<std::size_t>(cols) * sizeof(float));
    }
  }
}

void Executor::expert_matmul(const Op& op, Part part) {
  const Rowset x = at(op.inputs[0]);
  const std::int64_t n_experts = op.weight->shape[0];
  const std::int64_t rows = op.weight->shape[1];
  const std::int64_t cols = op.weight->cols();
  const bool quantized = kernels::uses_quantized_rows(op.weight->type);
  const std::int64_t n_pairs = x.rows * op.route.n_used;
  for (std::int64_t e = 0; e < n_experts; ++e) {
    const std::int64_t begin = expert_begin_[static_cast<std::size_t>(e)];
    const std::int64_t n = expert_begin_[static_cast<std::size_t>(e) + 1] - begin;
    if (n == 0) continue;
    kernels::MatmulArgs args;
    args.type = op.weight->type;
    args.weights = op.weight->row(e * rows);
    args.rows = rows;
    args.cols = cols;
    args.tokens = n;
    args.x = gathered_.floats() + begin * cols;
    args.x_stride = cols;
    if (quantized) args.xq = quantized_rows(begin, n, cols);
    args.y = expert_rows_.floats() + begin * rows;
    args.y_stride = rows;
    args.scratch = scratch(part);
    args.rounds_to_bf16 = rounds_input_to_bf16(*op.weight);
    kernels_.matmul(args, part);
    if (!rounds_input_twice(*op.weight)) continue;
    args.xq = quantized_rows(n_pairs + begin, n, cols);
    args.y = remainders_.floats() + begin * rows;
    kernels_.matmul(args, part);
  }
}

void Executor::scatter_experts(const Op& op, Part part) {
  const Rowset y = at(op.output);
  const std::int64_t n_used = op.route.n_used;
  const std::int64_t rows = op.weight->shape[1];
  const kernels::Range range = kernels::share(y.rows * n_used, part);
  for (std::int64_t i = range.begin; i < range.end; ++i) {
    const std::int64_t pair = expert_pairs_[static_cast<std::size_t>(i)];
    float* out = y.row(pair / n_used) + pair % n_used * rows;
    std::memcpy(out, expert_rows_.floats() + i * rows,
                static_cast<std::size_t>(rows) * sizeof(float));
    if (rounds_input_twice(*op.weight))
      kernels_.add({out, rows, remainders_.floats() + i * rows, rows, 1, rows, out, rows}, {0, 1});
  }
}

void Executor::combine_experts(const Op& op, Part part) {
  const Rowset x = at(op.inputs[0]);
  const Rowset routes = at(op.inputs[1]);
  const Rowset y = at(op.output);
  const std::int64_t n_used = op.route.n_used;
  const kernels::Range range = kernels::share(y.rows, part);
  for (std::int64_t t = range.begin; t < range.end; ++t) {
    const float* weight = routes.row(t) + n_used;
    for (std::int64_t i = 0; i < y.width; ++i) {
      float sum = 0;
      for (std::int64_t place = 0; place < n_used; ++place)
        sum += weight[place] * x.row(t)[place * y.width + i];
      y.row(t)[i] = sum;
    }
  }
}

}  // namespace galley
