#include "tools/step/compare.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <string>
#include <vector>

#include "tensor/error.h"

namespace galley::step {
namespace {

// Softmax in float64. A logit of -inf has probability 0.
std::vector<double> probabilities(std::span<const float> logits) {
  const auto highest = static_cast<double>(*std::max_element(logits.begin(), logits.end()));
  std::vector<double> p;
  double sum = 0;
  for (float x : logits) {
    p.push_back(std::exp(static_cast<double>(x) - highest));
    sum += p.back();
  }
  for (double& x : p) x /= sum;
  return p;
}

std::int32_t best_of(std::span<const float> logits) {
  return static_cast<std::int32_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

}  // namespace

double Difference::relative() const {
  if (base_squares > 0) return std::sqrt(squares / base_squares);
  return squares > 0 ? INFINITY : 0;
}

void Difference::add_row(std::span<const float> a, std::span<const float> b, std::int64_t r) {
  for (std::size_t i = 0; i < b.size(); ++i) {
    const auto x = static_cast<double>(a[i]), y = static_cast<double>(b[i]);
    ++n;
    base_squares += y * y;
    if (std::bit_cast<std::uint32_t>(a[i]) == std::bit_cast<std::uint32_t>(b[i])) continue;
    ++n_different;
    const double error = std::abs(x - y);
    squares += error * error;
    if (error <= largest) continue;
    largest = error;
    row = r;
    column = static_cast<std::int64_t>(i);
  }
}

Difference compare_values(const glass::RunData& a, Value in_a, const glass::RunData& b,
                          Value in_b) {
  const std::string& name = b.graph().info(in_b).name;
  Difference difference;
  const std::int64_t n_rows = b.n_rows(in_b);
  if (a.n_rows(in_a) != n_rows || a.graph().info(in_a).width != b.graph().info(in_b).width)
    throw Error(ErrorKind::kUsage, name + " has another shape in the two runs");
  for (std::int64_t r = 0; r < n_rows; ++r) difference.add_row(a.row(in_a, r), b.row(in_b, r), r);
  return difference;
}

DistributionChange compare_logits(std::span<const float> base, std::span<const float> logits) {
  const std::vector<double> q = probabilities(base), p = probabilities(logits);
  DistributionChange change;
  for (std::size_t i = 0; i < q.size(); ++i) {
    change.largest_p_change = std::max(change.largest_p_change, std::abs(p[i] - q[i]));
    if (q[i] > 0) change.kl += q[i] * (std::log(q[i]) - std::log(p[i]));
  }
  change.kl = std::max(0.0, change.kl);  // rounding
  change.base_best = best_of(base);
  change.best = best_of(logits);
  return change;
}

}  // namespace galley::step
