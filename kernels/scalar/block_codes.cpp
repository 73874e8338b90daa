#include "kernels/scalar/block_codes.h"

#include "tensor/half.h"
#include "tensor/k_scales.h"

namespace galley::kernels::scalar {
namespace {

std::int8_t int8(int value) { return static_cast<std::int8_t>(value); }

// Calls put(i, nibble of weight i) for 16 bytes that hold 32 weights.
template <class Put>
void for_each_nibble(const std::uint8_t* qs, Put put) {
  for (int j = 0; j < 16; ++j) {
    put(j, qs[j] & 15);
    put(j + 16, qs[j] >> 4);
  }
}

// The fifth bit of weight `i`, in place.
int fifth_bit(const std::uint8_t (&qh)[4], int i) { return (qh[i / 8] >> (i % 8) & 1) << 4; }

// The two bits of weight `l` of group `g` in the layout of Q2_K, Q3_K and TQ2_0.
int two_bits(const std::uint8_t (&qs)[64], int g, int l) {
  return qs[g / 4 * 32 + l] >> (g % 4 * 2) & 3;
}

// The four bits of weight `l` of group `g` in the layout of Q4_K and Q5_K.
int four_bits(const std::uint8_t (&qs)[128], int g, int l) {
  return qs[g / 2 * 32 + l] >> (g % 2 * 4) & 15;
}

// d, dmin and the packed scales of Q4_K and Q5_K.
template <class Block>
void set_scale_and_min(const Block& block, int g, BlockCodes& out) {
  const ScaleAndMin group = unpack_scale_and_min(block.scales, g);
  out.d = half_to_float(block.d) * static_cast<float>(group.scale);
  out.min[0] = out.min[1] = -(half_to_float(block.dmin) * static_cast<float>(group.min));
}

// Digit `n` (0 is the first) of the five ternary digits of a TQ1_0 byte.
int ternary_digit(std::uint8_t byte, int n) {
  constexpr int kPowersOf3[5] = {1, 3, 9, 27, 81};
  return (byte * kPowersOf3[n] & 255) * 3 >> 8;
}

}  // namespace

BlockCodes unpack(const BlockQ4_0& block, int /*g*/) {
  BlockCodes out;
  for_each_nibble(block.qs, [&](int i, int nibble) { out.code[i] = int8(nibble - 8); });
  out.d = half_to_float(block.d);
  return out;
}

BlockCodes unpack(const BlockQ4_1& block, int /*g*/) {
  BlockCodes out;
  for_each_nibble(block.qs, [&](int i, int nibble) { out.code[i] = int8(nibble); });
  out.d = half_to_float(block.d);
  out.min[0] = out.min[1] = half_to_float(block.m);
  return out;
}

BlockCodes unpack(const BlockQ5_0& block, int /*g*/) {
  BlockCodes out;
  for_each_nibble(block.qs, [&](int i, int nibble) {
    out.code[i] = int8((nibble | fifth_bit(block.qh, i)) - 16);
  });
  out.d = half_to_float(block.d);
  return out;
}

BlockCodes unpack(const BlockQ5_1& block, int /*g*/) {
  BlockCodes out;
  for_each_nibble(block.qs,
                  [&](int i, int nibble) { out.code[i] = int8(nibble | fifth_bit(block.qh, i)); });
  out.d = half_to_float(block.d);
  out.min[0] = out.min[1] = half_to_float(block.m);
  return out;
}

BlockCodes unpack(const BlockQ8_0& block, int /*g*/) {
  BlockCodes out;
  for (int i = 0; i < 32; ++i) out.code[i] = block.qs[i];
  out.d = half_to_float(block.d);
  return out;
}

BlockCodes unpack(const BlockIQ4_NL& block, int /*g*/) {
  BlockCodes out;
  for_each_nibble(block.qs, [&](int i, int nibble) { out.code[i] = kIq4Values[nibble]; });
  out.d = half_to_float(block.d);
  return out;
}

// |isum| <= 32 * 15 * 3 * 127
BlockCodes unpack(const BlockQ2_K& block, int g) {
  BlockCodes out;
  for (int l = 0; l < 32; ++l) out.code[l] = int8(two_bits(block.qs, g, l));
  out.d = half_to_float(block.d);
  const float dmin = half_to_float(block.dmin);
  for (int half = 0; half < 2; ++half) {
    const std::uint8_t scale_and_min = block.scales[2 * g + half];
    out.scale[half] = scale_and_min & 15;
    out.min[half] = -(dmin * static_cast<float>(scale_and_min >> 4));
  }
  return out;
}

// |isum| <= 32 * 32 * 4 * 127
BlockCodes unpack(const BlockQ3_K& block, int g) {
  BlockCodes out;
  for (int l = 0; l < 32; ++l) {
    const int third_bit = block.hmask[l] >> g & 1;
    out.code[l] = int8((two_bits(block.qs, g, l) | third_bit << 2) - 4);
  }
  for (int half = 0; half < 2; ++half) {
    out.scale[half] = static_cast<std::int16_t>(unpack_q3_scale(block.scales, 2 * g + half) - 32);
  }
  out.d = half_to_float(block.d);
  return out;
}

BlockCodes unpack(const BlockQ4_K& block, int g) {
  BlockCodes out;
  for (int l = 0; l < 32; ++l) out.code[l] = int8(four_bits(block.qs, g, l));
  set_scale_and_min(block, g, out);
  return out;
}

BlockCodes unpack(const BlockQ5_K& block, int g) {
  BlockCodes out;
  for (int l = 0; l < 32; ++l) {
    out.code[l] = int8(four_bits(block.qs, g, l) | (block.qh[l] >> g & 1) << 4);
  }
  set_scale_and_min(block, g, out);
  return out;
}

// |isum| <= 32 * 128 * 32 * 127 = 16,646,144 < 2^24
BlockCodes unpack(const BlockQ6_K& block, int g) {
  BlockCodes out;
  const int part = g / 4;
  const int quarter = g % 4;
  for (int l = 0; l < 32; ++l) {
    const int low = block.ql[64 * part + 32 * (quarter % 2) + l] >> (quarter / 2 * 4) & 15;
    const int high = block.qh[32 * part + l] >> (2 * quarter) & 3;
    out.code[l] = int8((low | high << 4) - 32);
  }
  for (int half = 0; half < 2; ++half) out.scale[half] = block.scales[2 * g + half];
  out.d = half_to_float(block.d);
  return out;
}

BlockCodes unpack(const BlockIQ4_XS& block, int g) {
  BlockCodes out;
  for_each_nibble(block.qs + 16 * g, [&](int i, int nibble) { out.code[i] = kIq4Values[nibble]; });
  const int low = block.scales_l[g / 2] >> (g % 2 * 4) & 15;
  const int high = block.scales_h >> (2 * g) & 3;
  out.d = half_to_float(block.d) * static_cast<float>((low | high << 4) - 32);
  return out;
}

BlockCodes unpack(const BlockTQ1_0& block, int g) {
  BlockCodes out;
  for (int l = 0; l < 32; ++l) {
    const int i = 32 * g + l;
    // tensor/blocks.h draws the three regions.
    const int digit = i < 160   ? ternary_digit(block.qs[i % 32], i / 32)
                      : i < 240 ? ternary_digit(block.qs[32 + i % 16], (i - 160) / 16)
                                : ternary_digit(block.qh[i % 4], (i - 240) / 4);
    out.code[l] = int8(digit - 1);
  }
  out.d = half_to_float(block.d);
  return out;
}

BlockCodes unpack(const BlockTQ2_0& block, int g) {
  BlockCodes out;
  for (int l = 0; l < 32; ++l) out.code[l] = int8(two_bits(block.qs, g, l) - 1);
  out.d = half_to_float(block.d);
  return out;
}

}  // namespace galley::kernels::scalar
