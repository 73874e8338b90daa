// The order of every float sum: 16 interleaved partial sums, then one fixed tree.
//
// Where it sits: norms, softmax, attention and float matmuls sum with it; the SIMD kernels
// keep the same 16 numbers in the lanes of one or two registers (docs/exactness.md).
#pragma once

#include <cmath>
#include <cstdint>

namespace galley::kernels::scalar {

inline constexpr std::int64_t kPartials = 16;

// Element i of the sum goes to partial i % 16.
struct Partials {
  float p[kPartials] = {};

  void add(std::int64_t i, float x) { p[i % kPartials] += x; }
  void add_product(std::int64_t i, float a, float b) {
    p[i % kPartials] = std::fma(a, b, p[i % kPartials]);
  }

  float total() const {
    float e[8];
    for (int i = 0; i < 8; ++i) e[i] = p[i] + p[i + 8];
    return ((e[0] + e[4]) + (e[2] + e[6])) + ((e[1] + e[5]) + (e[3] + e[7]));
  }
};

// The dot product of a[n] and b[n].
inline float dot(const float* a, const float* b, std::int64_t n) {
  Partials sum;
  for (std::int64_t i = 0; i < n; ++i) sum.add_product(i, a[i], b[i]);
  return sum.total();
}

}  // namespace galley::kernels::scalar
