#include "model/sampler_stages.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <numeric>

#include "kernels/kernels.h"

namespace galley {
namespace {

// 0.95 as "0.95", 40 as "40".
std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%g", value);
  return text;
}

std::size_t at_least_one(std::int64_t n) {
  return static_cast<std::size_t>(std::max<std::int64_t>(1, n));
}

}  // namespace

void Candidates::assign(std::span<const float> logits) {
  items_.resize(logits.size());
  for (std::size_t i = 0; i < logits.size(); ++i)
    items_[i] = {static_cast<TokenId>(i), logits[i], 0};
  n_sorted_ = 0;
}

void Candidates::sort_first(std::size_t n) {
  n = std::min(n, items_.size());
  if (n <= n_sorted_) return;
  const auto at = [&](std::size_t i) { return items_.begin() + static_cast<std::ptrdiff_t>(i); };
  // A heap of a few is compared with each of the many that follow, nearly always once.
  if (n - n_sorted_ <= 128) {
    std::partial_sort(at(n_sorted_), at(n), items_.end(), likelier);
  } else {
    if (n < items_.size()) std::nth_element(at(n_sorted_), at(n), items_.end(), likelier);
    std::sort(at(n_sorted_), at(n), likelier);
  }
  n_sorted_ = n;
}

void Candidates::keep_first(std::size_t n) {
  if (n >= items_.size()) return;
  items_.resize(n);
  n_sorted_ = std::min(n_sorted_, n);
}

void Candidates::keep_marked(const std::vector<bool>& keep) {
  std::size_t n = 0;
  std::size_t n_sorted = 0;
  for (std::size_t i = 0; i < items_.size(); ++i) {
    if (!keep[i]) continue;
    if (i < n_sorted_) ++n_sorted;
    items_[n++] = items_[i];
  }
  items_.resize(n);
  n_sorted_ = n_sorted;
}

const Candidate& Candidates::best() const {
  if (n_sorted_ > 0) return items_.front();
  return *std::min_element(items_.begin(), items_.end(), likelier);
}

void Candidates::softmax() {
  logits_.resize(items_.size());
  probabilities_.resize(items_.size());
  for (std::size_t i = 0; i < items_.size(); ++i) logits_[i] = items_[i].logit;
  const auto width = static_cast<std::int64_t>(items_.size());
  kernels::SoftmaxArgs args;
  args.x = logits_.data();
  args.x_stride = width;
  args.tokens = 1;
  args.width = width;
  args.y = probabilities_.data();
  args.y_stride = width;
  kernels::table().softmax(args, {});
  for (std::size_t i = 0; i < items_.size(); ++i) items_[i].p = probabilities_[i];
}

std::string PenaltiesStage::description() const {
  return "make the last " + (last_n_ < 0 ? "" : number(static_cast<double>(last_n_)) + " ") +
         "tokens less likely (repeat " + number(repeat_) + ", frequency " + number(frequency_) +
         ", presence " + number(presence_) + ")";
}

void PenaltiesStage::apply(Candidates& candidates) {
  if (counts_.empty()) return;
  for (Candidate& c : candidates.items()) {
    const auto found = counts_.find(c.id);
    if (found == counts_.end()) continue;
    c.logit = c.logit <= 0 ? c.logit * repeat_ : c.logit / repeat_;
    c.logit -= static_cast<float>(found->second) * frequency_ + presence_;
  }
  candidates.forget_order();
}

void PenaltiesStage::accept(TokenId id) {
  recent_.push_back(id);
  ++counts_[id];
  if (last_n_ < 0 || static_cast<std::int64_t>(recent_.size()) <= last_n_) return;
  const auto oldest = counts_.find(recent_.front());
  if (--oldest->second == 0) counts_.erase(oldest);
  recent_.pop_front();
}

void PenaltiesStage::reset() {
  recent_.clear();
  counts_.clear();
}

TopKStage::TopKStage(std::int64_t k, std::int64_t min_keep)
    : k_(at_least_one(std::max(k, min_keep))) {}

std::string TopKStage::description() const {
  return "keep the " + std::to_string(k_) + " likeliest";
}

void TopKStage::apply(Candidates& candidates) {
  candidates.sort_first(k_);
  candidates.keep_first(k_);
}

TopPStage::TopPStage(float p, std::int64_t min_keep) : p_(p), min_keep_(at_least_one(min_keep)) {}

std::string TopPStage::description() const {
  return "keep the likeliest until they sum to " + number(p_);
}

void TopPStage::apply(Candidates& candidates) {
  candidates.softmax();
  double sum = 0;
  std::size_t n = 0;
  while (n < candidates.size() && (n < min_keep_ || sum < p_)) {
    // In order as far as needed: n sorted, then twice as many.
    if ((n & (n - 1)) == 0) candidates.sort_first(std::max<std::size_t>(64, 2 * n));
    sum += candidates.items()[n++].p;
  }
  candidates.keep_first(n);
}

MinPStage::MinPStage(float p, std::int64_t min_keep) : p_(p), min_keep_(at_least_one(min_keep)) {}

std::string MinPStage::description() const {
  return "keep those at least " + number(p_) + " times as likely as the likeliest";
}

void MinPStage::apply(Candidates& candidates) {
  candidates.softmax();
  const float threshold = p_ * candidates.best().p;
  std::vector<bool> keep(candidates.size());
  std::size_t n = 0;
  for (std::size_t i = 0; i < keep.size(); ++i) {
    keep[i] = candidates.items()[i].p >= threshold;
    if (keep[i]) ++n;
  }
  if (n >= min_keep_) return candidates.keep_marked(keep);
  candidates.sort_first(min_keep_);
  candidates.keep_first(min_keep_);
}

TypicalStage::TypicalStage(float p, std::int64_t min_keep)
    : p_(p), min_keep_(at_least_one(min_keep)) {}

std::string TypicalStage::description() const {
  return "keep the most typical until they sum to " + number(p_);
}

void TypicalStage::apply(Candidates& candidates) {
  candidates.softmax();
  const std::vector<Candidate>& items = candidates.items();
  // -ln p = ln(sum of e^logit) - logit, from the likeliest: its p is never 0. One logarithm, in
  // double, whose last bits differ between libraries at most: far below what a float shows.
  const double log_sum =
      candidates.best().logit - std::log(static_cast<double>(candidates.best().p));
  std::vector<double> distance(items.size());
  double entropy = 0;
  for (std::size_t i = 0; i < items.size(); ++i) {
    distance[i] = log_sum - items[i].logit;
    if (items[i].p > 0) entropy += items[i].p * distance[i];
  }
  for (double& d : distance) d = std::fabs(d - entropy);

  std::vector<std::size_t> order(items.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return distance[a] != distance[b] ? distance[a] < distance[b] : items[a].id < items[b].id;
  });
  std::vector<bool> keep(items.size());
  double sum = 0;
  for (std::size_t n = 0; n < order.size() && (n < min_keep_ || sum <= p_); ++n) {
    keep[order[n]] = true;
    sum += items[order[n]].p;
  }
  candidates.keep_marked(keep);
}

std::string TemperatureStage::description() const { return "divide the logits by " + number(t_); }

void TemperatureStage::apply(Candidates& candidates) {
  for (Candidate& c : candidates.items()) c.logit /= t_;
}

}  // namespace galley
