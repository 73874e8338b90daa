// The ladder: one product of a Q4_0 matrix with some tokens, computed in steps from a triple loop
// to the engine's kernel. Every step is a short function that can be read by itself; bench_ladder
// checks and times them, docs/kernels.md draws them.
//
// Declarations only: steps_avx2.cpp and steps_avx512.cpp are compiled for their instruction sets.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tensor/blocks.h"

namespace galley::ladder {

// 32 activations as int8: x[32 b + j] ~ d * q[j].
struct XBlock {
  float d;
  std::int32_t sum;  // of the 32 q
  std::int8_t q[32];
};

// y[t, r] = sum over c of W[r, c] * x[t, c]
struct Product {
  const BlockQ4_0* w = nullptr;  // [rows, cols / 32]
  const float* x = nullptr;      // [tokens, cols]
  float* y = nullptr;            // [tokens, rows]
  std::int64_t rows = 0;         // a multiple of 32
  std::int64_t cols = 0;         // a multiple of 32
  std::int64_t tokens = 0;       // a multiple of 6 or not
  // Room for a step's own data:
  XBlock* xq = nullptr;        // [tokens, cols / 32]
  float* row = nullptr;        // [cols], one row of weights as floats
  std::byte* panel = nullptr;  // [cols / 32] blocks of kPanelBlockBytes, aligned to 64
};
inline constexpr std::int64_t kPanelBlockBytes = 2 * 9 * 64;

// Each computes all of y from w and x.
void triple_loop(const Product& p);
void row_once(const Product& p);
void eight_sums(const Product& p);
void int8_blocks(const Product& p);
void avx2_dot(const Product& p);
void avx2_panel(const Product& p);
void avx512_panel(const Product& p);

// Rounds the activations x to xq, in blocks of 32: what every step from int8_blocks on begins with.
void quantize_activations(const Product& p);

}  // namespace galley::ladder
