// The blocks of the quantized types, byte by byte: the layout in the file and in memory.
//
// Structs and constants only, so that kernels of every instruction set may include it. `d` and
// `dmin` are F16 bit patterns (tensor/half.h). What the numbers mean is spelled out next to
// each block, w[i] being the i-th weight of the block; tensor/dequantize*.cpp is the same in
// code, docs/gguf.md the same with pictures.
#pragma once

#include <cstdint>

namespace galley {

// ---- Blocks of 32: one scale (and perhaps one minimum) for 32 weights -------------------

// 32 weights in 18 bytes: w[i] = d * (nibble(i) - 8)
//   0..1 d (f16) | 2..17 qs[j]: low nibble is w[j], high nibble is w[j + 16]
struct BlockQ4_0 {
  std::uint16_t d;
  std::uint8_t qs[16];
};
static_assert(sizeof(BlockQ4_0) == 18);

// 32 weights in 20 bytes: w[i] = d * nibble(i) + m
//   0..1 d (f16) | 2..3 m (f16) | 4..19 qs, as in Q4_0
struct BlockQ4_1 {
  std::uint16_t d;
  std::uint16_t m;
  std::uint8_t qs[16];
};
static_assert(sizeof(BlockQ4_1) == 20);

// 32 weights in 22 bytes: w[i] = d * (nibble(i) + 16 * bit(i) - 16)
//   0..1 d (f16) | 2..5 qh: bit i of these 32 (little endian) is the fifth bit of w[i]
//   6..21 qs: the low four bits, as in Q4_0
struct BlockQ5_0 {
  std::uint16_t d;
  std::uint8_t qh[4];
  std::uint8_t qs[16];
};
static_assert(sizeof(BlockQ5_0) == 22);

// 32 weights in 24 bytes: w[i] = d * (nibble(i) + 16 * bit(i)) + m
//   0..1 d (f16) | 2..3 m (f16) | 4..7 qh | 8..23 qs, both as in Q5_0
struct BlockQ5_1 {
  std::uint16_t d;
  std::uint16_t m;
  std::uint8_t qh[4];
  std::uint8_t qs[16];
};
static_assert(sizeof(BlockQ5_1) == 24);

// 32 weights in 34 bytes: w[i] = d * qs[i]
//   0..1 d (f16) | 2..33 qs (int8)
struct BlockQ8_0 {
  std::uint16_t d;
  std::int8_t qs[32];
};
static_assert(sizeof(BlockQ8_0) == 34);

// 32 weights in 18 bytes: w[i] = d * kIq4Values[nibble(i)]
//   0..1 d (f16) | 2..17 qs, as in Q4_0
struct BlockIQ4_NL {
  std::uint16_t d;
  std::uint8_t qs[16];
};
static_assert(sizeof(BlockIQ4_NL) == 18);

// The 16 levels of IQ4_NL and IQ4_XS: closer together around zero, where weights are dense.
inline constexpr std::int8_t kIq4Values[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                               1,    13,   25,  38,  53,  69,  89,  113};

// ---- Super-blocks of 256: small integer scales for groups, one f16 scale for all ---------

// 256 weights in 84 bytes, 16 groups of 16 (group g holds w[16 g .. 16 g + 15]):
// w[i] = (d * scale(g)) * q(i) - (dmin * min(g)),  q in 0..3
//   0..15  scales[g]: low nibble is scale(g), high nibble is min(g)
//   16..79 qs: for i = 128 h + 32 s + l (h < 2, s < 4, l < 32), q(i) is the two bits from
//          bit 2 s up of qs[32 h + l]
//   80..81 d (f16) | 82..83 dmin (f16)
struct BlockQ2_K {
  std::uint8_t scales[16];
  std::uint8_t qs[64];
  std::uint16_t d;
  std::uint16_t dmin;
};
static_assert(sizeof(BlockQ2_K) == 84);

// 256 weights in 110 bytes, 16 groups of 16: w[i] = (d * (scale(g) - 32)) * (q(i) - 4)
//   0..31    hmask: the third bit of q(i) is bit (i / 32) of hmask[i % 32]
//   32..95   qs: the low two bits of q(i), as in Q2_K
//   96..107  scales, 6 bits each: the low four of scale(g) are the low (g < 8) or high nibble
//            of scales[g % 8], the upper two are the two bits from bit 2 (g / 4) up of
//            scales[8 + g % 4]
//   108..109 d (f16)
struct BlockQ3_K {
  std::uint8_t hmask[32];
  std::uint8_t qs[64];
  std::uint8_t scales[12];
  std::uint16_t d;
};
static_assert(sizeof(BlockQ3_K) == 110);

// 256 weights in 144 bytes, 8 groups of 32: w[i] = (d * scale(g)) * q(i) - (dmin * min(g))
//   0..1    d (f16) | 2..3 dmin (f16)
//   4..15   scales: eight scales and eight minima of 6 bits each,
//             scales[g]     (g < 4): bits 0..5 scale(g), bits 6..7 the upper two of scale(g + 4)
//             scales[4 + g] (g < 4): bits 0..5 min(g),   bits 6..7 the upper two of min(g + 4)
//             scales[8 + g] (g < 4): low nibble of scale(g + 4), then low nibble of min(g + 4)
//   16..143 qs: for i = 64 h + l, q(i) is the low (l < 32) or high nibble of qs[32 h + l % 32]
struct BlockQ4_K {
  std::uint16_t d;
  std::uint16_t dmin;
  std::uint8_t scales[12];
  std::uint8_t qs[128];
};
static_assert(sizeof(BlockQ4_K) == 144);

// 256 weights in 176 bytes, 8 groups of 32: as Q4_K, with a fifth bit for each weight
//   0..15 d, dmin and scales, as in Q4_K
//   16..47  qh: the fifth bit of q(i) is bit (i / 32) of qh[i % 32]
//   48..175 qs: the low four bits of q(i), as in Q4_K
struct BlockQ5_K {
  std::uint16_t d;
  std::uint16_t dmin;
  std::uint8_t scales[12];
  std::uint8_t qh[32];
  std::uint8_t qs[128];
};
static_assert(sizeof(BlockQ5_K) == 176);

// 256 weights in 210 bytes, 16 groups of 16: w[i] = (d * scales[g]) * (q(i) - 32)
// For i = 128 h + 32 s + l (h < 2, s < 4, l < 32):
//   0..127   ql: the low four bits of q(i) are the low (s < 2) or high nibble of
//            ql[64 h + 32 (s % 2) + l]
//   128..191 qh: the upper two are the two bits from bit 2 s up of qh[32 h + l]
//   192..207 scales (int8) | 208..209 d (f16)
struct BlockQ6_K {
  std::uint8_t ql[128];
  std::uint8_t qh[64];
  std::int8_t scales[16];
  std::uint16_t d;
};
static_assert(sizeof(BlockQ6_K) == 210);

// 256 weights in 136 bytes, 8 groups of 32: w[i] = (d * (scale(g) - 32)) * kIq4Values[nibble(i)]
//   0..1   d (f16)
//   2..3   scales_h: the upper two bits of scale(g) are the two bits from bit 2 g up
//   4..7   scales_l: the low four are the low (g even) or high nibble of scales_l[g / 2]
//   8..135 qs: 16 bytes for each group, as in Q4_0
struct BlockIQ4_XS {
  std::uint16_t d;
  std::uint16_t scales_h;
  std::uint8_t scales_l[4];
  std::uint8_t qs[128];
};
static_assert(sizeof(BlockIQ4_XS) == 136);

// 256 weights in 54 bytes: w[i] = d * (t(i) - 1), t in 0..2. A byte holds five ternary digits
// as a fixed-point fraction: byte = ceil(256/243 * (81 t0 + 27 t1 + 9 t2 + 3 t3 + t4)), so that
// digit n is the integer part of 3 * (byte * 3^n mod 256) / 256.
//   0..47  qs: digit n of qs[m] is w[32 n + m] for m < 32, w[160 + 16 n + m - 32] after
//   48..51 qh: digit n (of four) of qh[m] is w[240 + 4 n + m]
//   52..53 d (f16)
struct BlockTQ1_0 {
  std::uint8_t qs[48];
  std::uint8_t qh[4];
  std::uint16_t d;
};
static_assert(sizeof(BlockTQ1_0) == 54);

// 256 weights in 66 bytes: w[i] = d * (q(i) - 1), q in 0..2 (files may hold a 3)
//   0..63 qs, as in Q2_K | 64..65 d (f16)
struct BlockTQ2_0 {
  std::uint8_t qs[64];
  std::uint16_t d;
};
static_assert(sizeof(BlockTQ2_0) == 66);

}  // namespace galley
