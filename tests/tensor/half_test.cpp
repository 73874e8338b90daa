// F16 and BF16: every bit pattern, and rounding against a search over all of them.
#include "tensor/half.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

namespace galley {
namespace {

// The value of an F16 by the formula of IEEE 754, in double, where it is exact.
double half_by_formula(std::uint32_t half) {
  const double sign = (half & 0x8000u) != 0 ? -1.0 : 1.0;
  const auto exponent = static_cast<int>((half >> 10) & 31u);
  const double fraction = half & 0x3ffu;
  if (exponent == 31) {
    return fraction == 0 ? sign * std::numeric_limits<double>::infinity()
                         : std::numeric_limits<double>::quiet_NaN();
  }
  if (exponent == 0) return sign * std::ldexp(fraction, -24);
  return sign * std::ldexp(1024.0 + fraction, exponent - 25);
}

TEST(Half, EveryPatternHasTheValueOfTheFormulaAndComesBack) {
  for (std::uint32_t bits = 0; bits < 65536; ++bits) {
    const auto half = static_cast<std::uint16_t>(bits);
    const float value = half_to_float(half);
    const double expected = half_by_formula(bits);
    if (std::isnan(expected)) {
      ASSERT_TRUE(std::isnan(value)) << bits;
      ASSERT_TRUE(std::isnan(half_to_float(float_to_half(value)))) << bits;
    } else {
      ASSERT_EQ(static_cast<double>(value), expected) << bits;
      ASSERT_EQ(std::signbit(value), (bits & 0x8000u) != 0) << bits;
      ASSERT_EQ(float_to_half(value), half) << bits;
    }
  }
}

TEST(Half, RoundsToNearestWithTiesToEven) {
  for (std::uint32_t bits = 0; bits < 0x7c00u; ++bits) {  // all finite, not negative
    const auto half = static_cast<std::uint16_t>(bits);
    const auto next = static_cast<std::uint16_t>(bits + 1);
    // The successor of the largest is infinity; it rounds as if it were 2^16.
    const double low = half_by_formula(bits);
    const double high = next == 0x7c00u ? 65536.0 : half_by_formula(bits + 1);
    const auto middle = static_cast<float>((low + high) / 2);  // exact
    const auto even = (bits & 1u) == 0 ? half : next;
    ASSERT_EQ(float_to_half(middle), even) << bits;
    ASSERT_EQ(float_to_half(std::nextafter(middle, 0.0f)), half) << bits;
    ASSERT_EQ(float_to_half(std::nextafter(middle, 1e30f)), next) << bits;
    ASSERT_EQ(float_to_half(-middle), even | 0x8000u) << bits;
  }
  EXPECT_EQ(float_to_half(1e30f), 0x7c00u);
  EXPECT_EQ(float_to_half(std::numeric_limits<float>::infinity()), 0x7c00u);
  EXPECT_EQ(float_to_half(std::numeric_limits<float>::denorm_min()), 0u);
}

TEST(Bf16, EveryPatternComesBackAndTiesGoToEven) {
  for (std::uint32_t bits = 0; bits < 65536; ++bits) {
    const auto bf16 = static_cast<std::uint16_t>(bits);
    const float value = bf16_to_float(bf16);
    ASSERT_EQ(std::bit_cast<std::uint32_t>(value), bits << 16);
    if (std::isnan(value)) {
      ASSERT_TRUE(std::isnan(bf16_to_float(float_to_bf16(value)))) << bits;
      continue;
    }
    ASSERT_EQ(float_to_bf16(value), bf16) << bits;
    if (std::isinf(value)) continue;
    const auto above = static_cast<std::uint16_t>(bits + 1);
    const float middle = std::bit_cast<float>(bits << 16 | 0x8000u);
    ASSERT_EQ(float_to_bf16(middle), (bits & 1u) == 0 ? bf16 : above) << bits;
    ASSERT_EQ(float_to_bf16(std::bit_cast<float>(bits << 16 | 0x7fffu)), bf16) << bits;
    ASSERT_EQ(float_to_bf16(std::bit_cast<float>(bits << 16 | 0x8001u)), above) << bits;
  }
}

TEST(Bf16, ANanWhosePayloadIsCutOffStaysANan) {
  EXPECT_TRUE(std::isnan(bf16_to_float(float_to_bf16(std::bit_cast<float>(0x7f800001u)))));
  EXPECT_TRUE(std::isnan(half_to_float(float_to_half(std::bit_cast<float>(0x7f800001u)))));
}

}  // namespace
}  // namespace galley
