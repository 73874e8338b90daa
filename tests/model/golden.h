// Comparing logits with golden ones.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <span>
#include <string>
#include <vector>

namespace galley::test {

// The index of the largest value, the first on ties.
inline std::int32_t argmax(std::span<const float> values) {
  return static_cast<std::int32_t>(std::max_element(values.begin(), values.end()) - values.begin());
}

inline double squared_distance(std::span<const float> a, std::span<const float> b) {
  if (a.size() != b.size()) return INFINITY;
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double d = static_cast<double>(a[i]) - static_cast<double>(b[i]);
    sum += d * d;
  }
  return sum;
}

// -log softmax(logits)[id], in nats.
inline double negative_log_likelihood(std::span<const float> logits, std::int32_t id) {
  const double highest = static_cast<double>(*std::max_element(logits.begin(), logits.end()));
  double sum = 0;
  for (float x : logits) sum += std::exp(static_cast<double>(x) - highest);
  return std::log(sum) + highest - static_cast<double>(logits[static_cast<std::size_t>(id)]);
}

// Prints one measured error beside the reference engine's; with GALLEY_REPORT set to a file's
// path, appends the line there too (docs/exactness.md and docs/models.md are made from it).
inline void report(const std::string& what, double ours, double reference) {
  char line[256];
  std::snprintf(line, sizeof line, "%s\t%.3g\t%.3g", what.c_str(), ours, reference);
  std::cout << line << '\n';
  if (const char* path = std::getenv("GALLEY_REPORT"))
    std::ofstream(path, std::ios::app) << line << '\n';
}

}  // namespace galley::test
