// The types with super-blocks of 256.
#include <cstdint>

#include "tensor/dequantize_block.h"
#include "tensor/half.h"
#include "tensor/k_scales.h"

namespace galley {
namespace {

// The two bits of weight `i` where four 32-byte planes of bits share each byte (Q2_K).
int two_bits(const std::uint8_t (&qs)[64], int i) {
  return (qs[i / 128 * 32 + i % 32] >> (i % 128 / 32 * 2)) & 3;
}

// The four bits of weight `i` where 32 bytes hold 64 weights (Q4_K).
int four_bits(const std::uint8_t (&qs)[128], int i) {
  return (qs[i / 64 * 32 + i % 32] >> (i % 64 / 32 * 4)) & 15;
}

}  // namespace

void dequantize_block(const BlockQ2_K& block, float* out) {
  const float d = half_to_float(block.d);
  const float dmin = half_to_float(block.dmin);
  for (int i = 0; i < 256; ++i) {
    const std::uint8_t scales = block.scales[i / 16];
    const float scale = d * static_cast<float>(scales & 15);
    const float min = dmin * static_cast<float>(scales >> 4);
    out[i] = scale * static_cast<float>(two_bits(block.qs, i)) - min;
  }
}

void dequantize_block(const BlockQ3_K& block, float* out) {
  const float d = half_to_float(block.d);
  for (int i = 0; i < 256; ++i) {
    const float scale = d * static_cast<float>(unpack_q3_scale(block.scales, i / 16) - 32);
    const int third_bit = (block.hmask[i % 32] >> (i / 32)) & 1;
    out[i] = scale * static_cast<float>((two_bits(block.qs, i) | third_bit << 2) - 4);
  }
}

void dequantize_block(const BlockQ4_K& block, float* out) {
  const float d = half_to_float(block.d);
  const float dmin = half_to_float(block.dmin);
  for (int g = 0; g < 8; ++g) {
    const ScaleAndMin group = unpack_scale_and_min(block.scales, g);
    const float scale = d * static_cast<float>(group.scale);
    const float min = dmin * static_cast<float>(group.min);
    for (int i = 32 * g; i < 32 * g + 32; ++i) {
      out[i] = scale * static_cast<float>(four_bits(block.qs, i)) - min;
    }
  }
}

void dequantize_block(const BlockQ5_K& block, float* out) {
  const float d = half_to_float(block.d);
  const float dmin = half_to_float(block.dmin);
  for (int g = 0; g < 8; ++g) {
    const ScaleAndMin group = unpack_scale_and_min(block.scales, g);
    const float scale = d * static_cast<float>(group.scale);
    const float min = dmin * static_cast<float>(group.min);
    for (int i = 32 * g; i < 32 * g + 32; ++i) {
      const int fifth_bit = (block.qh[i % 32] >> g) & 1;
      out[i] = scale * static_cast<float>(four_bits(block.qs, i) | fifth_bit << 4) - min;
    }
  }
}

void dequantize_block(const BlockQ6_K& block, float* out) {
  const float d = half_to_float(block.d);
  for (int i = 0; i < 256; ++i) {
    const int half = i / 128;
    const int quarter = i % 128 / 32;
    const int l = i % 32;
    const int low = (block.ql[64 * half + 32 * (quarter % 2) + l] >> (quarter / 2 * 4)) & 15;
    const int high = (block.qh[32 * half + l] >> (2 * quarter)) & 3;
    const int group = i / 16;
    const float scale = d * static_cast<float>(block.scales[group]);
    out[i] = scale * static_cast<float>((low | high << 4) - 32);
  }
}

void dequantize_block(const BlockIQ4_XS& block, float* out) {
  const float d = half_to_float(block.d);
  for (int g = 0; g < 8; ++g) {
    const int low = (block.scales_l[g / 2] >> (g % 2 * 4)) & 15;
    const int high = (block.scales_h >> (2 * g)) & 3;
    const float scale = d * static_cast<float>((low | high << 4) - 32);
    for (int j = 0; j < 16; ++j) {
      const std::uint8_t byte = block.qs[16 * g + j];
      out[32 * g + j] = scale * static_cast<float>(kIq4Values[byte & 15]);
      out[32 * g + j + 16] = scale * static_cast<float>(kIq4Values[byte >> 4]);
    }
  }
}

void dequantize_block(const BlockTQ1_0& block, float* out) {
  const float d = half_to_float(block.d);
  constexpr std::uint8_t kPowersOf3[5] = {1, 3, 9, 27, 81};
  // Digits 0 .. n_digits - 1 of `n_bytes` bytes, digit by digit.
  const auto unpack = [&](const std::uint8_t* bytes, int n_bytes, int n_digits) {
    for (int n = 0; n < n_digits; ++n) {
      for (int m = 0; m < n_bytes; ++m) {
        const auto shifted = static_cast<std::uint8_t>(bytes[m] * kPowersOf3[n]);
        *out++ = static_cast<float>((shifted * 3 >> 8) - 1) * d;
      }
    }
  };
  unpack(block.qs, 32, 5);
  unpack(block.qs + 32, 16, 5);
  unpack(block.qh, 4, 4);
}

void dequantize_block(const BlockTQ2_0& block, float* out) {
  const float d = half_to_float(block.d);
  for (int i = 0; i < 256; ++i) out[i] = static_cast<float>(two_bits(block.qs, i) - 1) * d;
}

}  // namespace galley
