// Weights of the IQ1, IQ2 and IQ3 types as small integers: the codebooks looked up.
//
// Where it sits: dequantize_grid.cpp and the matmuls are both made from this one reading of the
// bytes (tensor/blocks_grid.h draws them). Plain declarations: kernels of any set may include it.
#pragma once

#include <cstdint>

#include "tensor/blocks_grid.h"

namespace galley {

// The 32 weights of one group: weight[i] = d * scale[i / 16] * code[i], exact in float32.
// |code| <= 62 and 1 <= scale <= 31.
struct GridCodes {
  std::int8_t code[32];
  std::int8_t scale[2];
  float d;
};

// Group `g` (0 .. 7) of `block`. REQUIRES nothing of the bytes: every pattern means something.
GridCodes grid_codes(const BlockIQ2_XXS& block, int g);
GridCodes grid_codes(const BlockIQ2_XS& block, int g);
GridCodes grid_codes(const BlockIQ2_S& block, int g);
GridCodes grid_codes(const BlockIQ3_XXS& block, int g);
GridCodes grid_codes(const BlockIQ3_S& block, int g);
GridCodes grid_codes(const BlockIQ1_S& block, int g);
GridCodes grid_codes(const BlockIQ1_M& block, int g);

}  // namespace galley
