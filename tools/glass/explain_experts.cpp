// Mixture of experts: which experts a token chose, their products, and their sum.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "kernels/kernels.h"
#include "tools/glass/explain_ops.h"

namespace galley::glass {
namespace {

std::vector<double> softmax_precise(std::span<const double> scores) {
  const double highest = *std::max_element(scores.begin(), scores.end());
  std::vector<double> out;
  double sum = 0;
  for (const double s : scores) sum += out.emplace_back(std::exp(s - highest));
  for (double& p : out) p /= sum;
  return out;
}

// The experts of a row of scores, best first; equal scores go to the lower number.
std::vector<std::int64_t> ranking(std::span<const float> scores) {
  std::vector<std::int64_t> order(scores.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
    const auto at = [&](std::int64_t i) {
      const float s = scores[static_cast<std::size_t>(i)];
      return std::isnan(s) ? -INFINITY : s;
    };
    return at(a) > at(b);
  });
  return order;
}

// The weight of the expert at `place` of the ranking.
void explain_route_weight(const Target& t, std::int64_t place,
                          const std::vector<std::int64_t>& order, Explanation& e) {
  const RouteSpec& spec = t.op.route;
  const std::span<const float> scores = t.input(0);
  const auto n_used = static_cast<std::size_t>(spec.n_used);
  // Softmax over all experts, or over the chosen ones.
  std::vector<float> shares;
  for (std::size_t i = 0; i < (spec.softmax_first ? scores.size() : n_used); ++i)
    shares.push_back(scores[spec.softmax_first ? i : static_cast<std::size_t>(order[i])]);
  std::vector<double> precise(shares.begin(), shares.end());
  precise = softmax_precise(precise);
  const auto width = static_cast<std::int64_t>(shares.size());
  add_step(e, spec.softmax_first ? "scores of all experts" : "scores of the chosen experts", "",
           {list("score", shares, t.input_range(0, 0, static_cast<std::int64_t>(scores.size())))},
           d(scores[static_cast<std::size_t>(order[static_cast<std::size_t>(place)])]), "score");
  kernels::scalar::softmax({shares.data(), width, 1, width, shares.data(), width}, {0, 1});
  const auto share_of = [&](std::size_t i) {
    return spec.softmax_first ? static_cast<std::size_t>(order[i]) : i;
  };
  const std::size_t own = share_of(static_cast<std::size_t>(place));
  add_step(e, "their softmax", "share_i = exp(score_i - max) / sum_j exp(score_j - max)",
           {list("share", shares)}, d(shares[own]), "share");
  float weight = shares[own];
  e.precise = precise[own];
  if (spec.normalize) {
    float sum = 0;
    double precise_sum = 0;
    for (std::size_t i = 0; i < n_used; ++i) {
      sum += shares[share_of(i)];
      precise_sum += precise[share_of(i)];
    }
    weight /= sum;
    e.precise /= precise_sum;
    add_step(e, "divided by the sum of the chosen ones", "weight = share / sum",
             {number("share", d(shares[own])), number("sum", d(sum))}, d(weight), "weight");
  }
  weight *= spec.scale;
  e.precise *= d(spec.scale);
  if (spec.scale != 1.0f)
    add_step(e, "times the model's factor", "weight = weight * scale",
             {number("scale", d(spec.scale))}, d(weight), "weight");
  e.derived = weight;
}

}  // namespace

void explain_route(const Target& t, Explanation& e) {
  const std::span<const float> scores = t.input(0);
  const std::vector<std::int64_t> order = ranking(scores);
  const std::int64_t n_used = t.op.route.n_used;
  const std::int64_t place = t.column % n_used;
  const std::string rank = std::to_string(place + 1) + ". of " + std::to_string(n_used);
  e.inputs = {t.input_range(0, 0, static_cast<std::int64_t>(scores.size()))};
  e.precise_meaning = "the same in float64";
  if (t.column >= n_used) {
    e.summary = "How much the " + rank + " chosen experts counts.";
    return explain_route_weight(t, place, order, e);
  }
  const std::int64_t expert = order[static_cast<std::size_t>(place)];
  e.summary = "The number of the " + rank + " chosen experts: the highest scores win.";
  add_step(e, "the scores in order", "the " + std::to_string(place + 1) + ". highest",
           {list("score", scores, e.inputs[0]), integers<std::int64_t>("expert", order)},
           static_cast<double>(expert), "expert");
  e.derived = static_cast<float>(expert);
  e.precise = static_cast<double>(expert);
}

void explain_expert_matmul(const Target& t, Explanation& e) {
  const Tensor& weight = *t.op.weight;
  const std::int64_t rows = weight.shape[1];
  const std::int64_t place = t.column / rows;
  const auto expert = static_cast<std::int64_t>(t.input_at(1, place));
  const std::span<const float> x = t.input(0);
  const bool has_own_part = static_cast<std::int64_t>(x.size()) != weight.cols();
  const std::int64_t offset = has_own_part ? place * weight.cols() : 0;
  const std::span<const float> part =
      x.subspan(static_cast<std::size_t>(offset), static_cast<std::size_t>(weight.cols()));
  explain_product(weight, expert * rows + t.column % rows, {part, t.input_name(0), t.row, offset},
                  e);
  e.inputs.push_back(t.input_cell(1, place));
  e.summary = "Expert " + std::to_string(expert) + ", chosen as number " +
              std::to_string(place + 1) + " by this token. " + e.summary;
}

void explain_combine(const Target& t, Explanation& e) {
  const std::int64_t n_used = t.op.route.n_used;
  const std::int64_t width = t.graph().info(t.op.output).width;
  e.summary = "What the " + std::to_string(n_used) +
              " chosen experts made of this token, each times its weight, added up.";
  e.precise_meaning = "the same sum in float64";
  float sum = 0;
  for (std::int64_t place = 0; place < n_used; ++place) {
    const float weight = t.input_at(1, n_used + place);
    const float x = t.input_at(0, place * width + t.column);
    const std::string x_cell = t.input_cell(0, place * width + t.column);
    sum += weight * x;
    e.precise += d(weight) * d(x);
    e.inputs.push_back(x_cell);
    add_step(
        e, "expert " + std::to_string(static_cast<int>(t.input_at(1, place))),
        "sum = sum + weight * x",
        {number("weight", d(weight), t.input_cell(1, n_used + place)), number("x", d(x), x_cell)},
        d(sum), "sum");
  }
  e.derived = sum;
}

}  // namespace galley::glass
