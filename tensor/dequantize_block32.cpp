// The types with blocks of 32.
#include <cstdint>

#include "tensor/dequantize_block.h"
#include "tensor/half.h"

namespace galley {
namespace {

// Bit `i` of the 32 in `qh`, as the fifth bit of a weight: 0 or 16.
int fifth_bit(const std::uint8_t (&qh)[4], int i) { return ((qh[i / 8] >> (i % 8)) & 1) << 4; }

}  // namespace

void dequantize_block(const BlockQ4_0& block, float* out) {
  const float d = half_to_float(block.d);
  for (int j = 0; j < 16; ++j) {
    out[j] = static_cast<float>((block.qs[j] & 15) - 8) * d;
    out[j + 16] = static_cast<float>((block.qs[j] >> 4) - 8) * d;
  }
}

void dequantize_block(const BlockQ4_1& block, float* out) {
  const float d = half_to_float(block.d);
  const float m = half_to_float(block.m);
  for (int j = 0; j < 16; ++j) {
    out[j] = static_cast<float>(block.qs[j] & 15) * d + m;
    out[j + 16] = static_cast<float>(block.qs[j] >> 4) * d + m;
  }
}

void dequantize_block(const BlockQ5_0& block, float* out) {
  const float d = half_to_float(block.d);
  for (int j = 0; j < 16; ++j) {
    out[j] = static_cast<float>(((block.qs[j] & 15) | fifth_bit(block.qh, j)) - 16) * d;
    out[j + 16] = static_cast<float>(((block.qs[j] >> 4) | fifth_bit(block.qh, j + 16)) - 16) * d;
  }
}

void dequantize_block(const BlockQ5_1& block, float* out) {
  const float d = half_to_float(block.d);
  const float m = half_to_float(block.m);
  for (int j = 0; j < 16; ++j) {
    out[j] = static_cast<float>((block.qs[j] & 15) | fifth_bit(block.qh, j)) * d + m;
    out[j + 16] = static_cast<float>((block.qs[j] >> 4) | fifth_bit(block.qh, j + 16)) * d + m;
  }
}

void dequantize_block(const BlockQ8_0& block, float* out) {
  const float d = half_to_float(block.d);
  for (int j = 0; j < 32; ++j) out[j] = static_cast<float>(block.qs[j]) * d;
}

void dequantize_block(const BlockIQ4_NL& block, float* out) {
  const float d = half_to_float(block.d);
  for (int j = 0; j < 16; ++j) {
    out[j] = d * static_cast<float>(kIq4Values[block.qs[j] & 15]);
    out[j + 16] = d * static_cast<float>(kIq4Values[block.qs[j] >> 4]);
  }
}

}  // namespace galley
