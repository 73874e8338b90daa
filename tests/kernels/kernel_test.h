// What the tests of the kernels share: random data, comparison bit by bit, one test per
// instruction set.
//
// A twin test is written once, as a TEST_P of a class derived from IsaTest, and runs for the
// scalar, AVX2 and AVX-512 kernels; its name says which (Isas/Softmax.IsTheScalarOne/avx2), and
// it skips where the CPU lacks the set.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "kernels/kernels.h"
#include "tests/sanitized.h"

namespace galley::test {

using kernels::Isa;
using kernels::Part;

inline constexpr float kInf = std::numeric_limits<float>::infinity();
inline constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
inline constexpr double kEpsilon = 0x1p-24;  // the relative rounding error of one operation

// The numbers of parts every kernel is run with.
#if GALLEY_SANITIZED
inline constexpr int kPartCounts[] = {1, 3};
#else
inline constexpr int kPartCounts[] = {1, 2, 3, 8};
#endif

// ---- data ----------------------------------------------------------------------------------

class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}

  // Normally distributed.
  std::vector<float> floats(std::int64_t n, float deviation = 1.0f) {
    std::normal_distribution<float> normal(0.0f, deviation);
    std::vector<float> values(static_cast<std::size_t>(n));
    for (float& value : values) value = normal(engine_);
    return values;
  }

  // In [low, high].
  std::int64_t integer(std::int64_t low, std::int64_t high) {
    return std::uniform_int_distribution<std::int64_t>(low, high)(engine_);
  }

  // Every bit pattern is as likely as any other: denormals, infinities and NaNs included.
  std::vector<float> bit_patterns(std::int64_t n) {
    std::vector<float> values(static_cast<std::size_t>(n));
    for (float& value : values) {
      value = std::bit_cast<float>(static_cast<std::uint32_t>(engine_()));
    }
    return values;
  }

  // Replaces about one value in `one_in` by an extreme one.
  void spoil(std::vector<float>& values, std::int64_t one_in) {
    constexpr float kExtremes[] = {0.0f,    -0.0f,  kInf,  -kInf,  kNaN,     1e-45f,
                                   -1e-45f, 1e-39f, 3e38f, -3e38f, 65504.0f, -88.5f};
    for (float& value : values) {
      if (integer(1, one_in) == 1) value = kExtremes[integer(0, std::ssize(kExtremes) - 1)];
    }
  }

 private:
  std::mt19937_64 engine_;
};

// Memory aligned to 64 bytes, as scratch is; filled with NaNs, so that use before writing shows.
class AlignedBuffer {
 public:
  explicit AlignedBuffer(std::size_t n_bytes)
      : data_(static_cast<std::byte*>(std::aligned_alloc(64, (n_bytes + 64) / 64 * 64)),
              &std::free) {
    std::fill_n(data_.get(), n_bytes, std::byte{0xff});
  }
  std::byte* data() const { return data_.get(); }

 private:
  std::unique_ptr<std::byte, decltype(&std::free)> data_;
};

// ---- comparison ----------------------------------------------------------------------------

// Whether two floats are the same bits; any NaN is the same as any other, since which of its
// operands' payloads an operation passes on is up to the compiler.
inline bool same_bits(float a, float b) {
  if (std::isnan(a) && std::isnan(b)) return true;
  return std::bit_cast<std::uint32_t>(a) == std::bit_cast<std::uint32_t>(b);
}

// Succeeds if all values are the same bits, else tells how many differ and where it is worst.
// `width` is the length of a row, for the coordinates.
inline testing::AssertionResult same_bits(std::span<const float> expected,
                                          std::span<const float> actual, std::int64_t width = 0) {
  if (expected.size() != actual.size()) {
    return testing::AssertionFailure()
           << expected.size() << " values expected, " << actual.size() << " found";
  }
  std::size_t n_different = 0;
  std::size_t worst = 0;
  double worst_difference = -1;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    if (same_bits(expected[i], actual[i])) continue;
    ++n_different;
    double difference = std::abs(double{expected[i]} - double{actual[i]});
    if (std::isnan(difference)) difference = std::numeric_limits<double>::infinity();
    if (difference > worst_difference) {
      worst = i;
      worst_difference = difference;
    }
  }
  if (n_different == 0) return testing::AssertionSuccess();
  auto result = testing::AssertionFailure();
  result << n_different << " of " << expected.size() << " values differ; worst at " << worst;
  if (width > 0) {
    const auto row_length = static_cast<std::size_t>(width);
    result << " (row " << worst / row_length << ", column " << worst % row_length << ")";
  }
  return result << ": expected " << testing::PrintToString(expected[worst]) << std::hexfloat << " ("
                << expected[worst] << "), got " << actual[worst];
}

// Succeeds if |actual - expected| <= bound everywhere, bound by bound; else tells where the
// difference is largest in units of its bound. A NaN fits only a NaN.
inline testing::AssertionResult within(std::span<const double> expected,
                                       std::span<const double> bounds,
                                       std::span<const float> actual) {
  if (expected.size() != actual.size() || bounds.size() != actual.size()) {
    return testing::AssertionFailure()
           << "sizes differ: " << expected.size() << ", " << bounds.size() << ", " << actual.size();
  }
  std::size_t worst = 0;
  double worst_ratio = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const double value = actual[i];
    if (std::isnan(value) && std::isnan(expected[i])) continue;
    if (value == expected[i]) continue;
    const double ratio = std::abs(value - expected[i]) / bounds[i];
    if (std::isnan(ratio) || ratio > worst_ratio) {
      worst = i;
      worst_ratio = std::isnan(ratio) ? kInf : ratio;
    }
  }
  if (worst_ratio <= 1) return testing::AssertionSuccess();
  return testing::AssertionFailure()
         << "worst at " << worst << ": expected " << expected[worst] << ", got " << actual[worst]
         << ", off by " << worst_ratio << " times the bound " << bounds[worst];
}

// ---- instruction sets and parts --------------------------------------------------------------

inline bool is_available(Isa isa) {
  const auto available = kernels::available_isas();
  return std::find(available.begin(), available.end(), isa) != available.end();
}

// Runs once per instruction set; `kernels()` is its table.
class IsaTest : public testing::TestWithParam<Isa> {
 protected:
  void SetUp() override {
    if (!is_available(GetParam())) GTEST_SKIP() << "this CPU lacks " << isa_name(GetParam());
    ASSERT_EQ(kernels().isa, GetParam());
  }
  static const kernels::KernelTable& kernels() { return kernels::table(GetParam()); }
  static const kernels::KernelTable& scalar() { return kernels::table(Isa::kScalar); }
};

// Runs all parts of a kernel, the last one first: their order must not matter.
template <typename Args>
void run_parts(void (*kernel)(const Args&, Part), const Args& args, int n_parts) {
  for (int index = n_parts - 1; index >= 0; --index) kernel(args, Part{index, n_parts});
}

}  // namespace galley::test

// Instantiates SUITE (a class derived from IsaTest) for every instruction set.
#define GALLEY_FOR_EACH_ISA(SUITE)                                                   \
  INSTANTIATE_TEST_SUITE_P(                                                          \
      Isas, SUITE,                                                                   \
      testing::Values(galley::kernels::Isa::kScalar, galley::kernels::Isa::kAvx2,    \
                      galley::kernels::Isa::kAvxVnni, galley::kernels::Isa::kAvx512, \
                      galley::kernels::Isa::kAvx512Bf16),                            \
      [](const auto& test) { return std::string(galley::kernels::isa_name(test.param)); })
