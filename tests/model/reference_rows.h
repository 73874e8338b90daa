// Rows of float64 values, and what the reference forward pass does with them.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace galley::test {

using Row = std::vector<double>;
using Rows = std::vector<Row>;  // [tokens][width]

inline Rows add(const Rows& a, const Rows& b) {
  Rows sum = a;
  for (std::size_t t = 0; t < a.size(); ++t)
    for (std::size_t i = 0; i < a[t].size(); ++i) sum[t][i] += b[t][i];
  return sum;
}

inline Rows times(Rows x, double factor) {
  for (Row& row : x)
    for (double& value : row) value *= factor;
  return x;
}

inline Rows columns(const Rows& x, std::size_t begin, std::size_t n) {
  Rows part;
  for (const Row& row : x)
    part.emplace_back(row.begin() + static_cast<std::ptrdiff_t>(begin),
                      row.begin() + static_cast<std::ptrdiff_t>(begin + n));
  return part;
}

inline Row softmax(Row x) {
  const double highest = *std::max_element(x.begin(), x.end());
  double sum = 0;
  for (double& value : x) sum += value = std::exp(value - highest);
  for (double& value : x) value /= sum;
  return x;
}

}  // namespace galley::test
