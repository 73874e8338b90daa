// The 16-bit floats: F16 (IEEE 754 binary16) and BF16 (the upper half of a float32).
//
// Scalar and exact: the specification of what SIMD code does with F16C or shifts. Inline, so
// that scalar kernels can use them in loops; a file compiled with instruction-set flags
// must not include this header (the linker may keep its copy for everybody).
#pragma once

#include <bit>
#include <cstdint>

namespace galley {

// The value of an F16, exactly.
//   15 sign | 14..10 exponent, bias 15 | 9..0 fraction
constexpr float half_to_float(std::uint16_t half) {
  const std::uint32_t sign = (half & 0x8000u) << 16;
  const std::uint32_t exponent = (half >> 10) & 31u;
  const std::uint32_t fraction = half & 0x3ffu;
  if (exponent == 0) {  // zero or subnormal: fraction * 2^-24
    const float magnitude = static_cast<float>(fraction) * 0x1p-24f;
    return std::bit_cast<float>(sign | std::bit_cast<std::uint32_t>(magnitude));
  }
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7f800000u | fraction << 13);
  return std::bit_cast<float>(sign | (exponent + 127 - 15) << 23 | fraction << 13);
}

// The nearest F16; ties go to the even fraction. From 65520 up (the middle between the largest
// F16 and the next power of two) it is infinity; a NaN stays a NaN.
constexpr std::uint16_t float_to_half(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t sign = (bits >> 16) & 0x8000u;
  const std::uint32_t magnitude = bits & 0x7fffffffu;
  std::uint32_t half = 0;
  if (magnitude > 0x7f800000u) {
    half = 0x7e00u | ((magnitude >> 13) & 0x3ffu);  // NaN
  } else if (magnitude >= std::bit_cast<std::uint32_t>(65520.0f)) {
    half = 0x7c00u;
  } else if (magnitude < std::bit_cast<std::uint32_t>(0x1p-14f)) {
    // Subnormal. The last bit of a float in [0.5, 1) is worth 2^-24, as that of a subnormal
    // F16: this sum rounds in the right place.
    const float shifted = std::bit_cast<float>(magnitude) + 0.5f;
    half = std::bit_cast<std::uint32_t>(shifted) - std::bit_cast<std::uint32_t>(0.5f);
  } else {
    const std::uint32_t to_even = 0xfffu + ((magnitude >> 13) & 1u);
    half = ((magnitude + to_even) >> 13) - ((127u - 15u) << 10);
  }
  return static_cast<std::uint16_t>(sign | half);
}

// The value of a BF16, exactly.
constexpr float bf16_to_float(std::uint16_t bf16) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bf16) << 16);
}

// The nearest BF16; ties go to the even fraction; a NaN stays a NaN.
constexpr std::uint16_t float_to_bf16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return static_cast<std::uint16_t>((bits >> 16) | 0x40u);
  return static_cast<std::uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

}  // namespace galley
