// One block of each quantized type to float32: the weights' meaning, in code.
//
// Every product and sum is rounded to float32 where the expression has it, so the results are
// defined bit for bit. tensor/blocks.h draws the bytes.
#pragma once

#include "tensor/blocks.h"
#include "tensor/blocks_grid.h"

namespace galley {

// Write the block's weights, in order: 32 of them here,
void dequantize_block(const BlockQ4_0& block, float* out);
void dequantize_block(const BlockQ4_1& block, float* out);
void dequantize_block(const BlockQ5_0& block, float* out);
void dequantize_block(const BlockQ5_1& block, float* out);
void dequantize_block(const BlockQ8_0& block, float* out);
void dequantize_block(const BlockIQ4_NL& block, float* out);
// and 256 here.
void dequantize_block(const BlockQ2_K& block, float* out);
void dequantize_block(const BlockQ3_K& block, float* out);
void dequantize_block(const BlockQ4_K& block, float* out);
void dequantize_block(const BlockQ5_K& block, float* out);
void dequantize_block(const BlockQ6_K& block, float* out);
void dequantize_block(const BlockIQ4_XS& block, float* out);
void dequantize_block(const BlockTQ1_0& block, float* out);
void dequantize_block(const BlockTQ2_0& block, float* out);
void dequantize_block(const BlockIQ2_XXS& block, float* out);
void dequantize_block(const BlockIQ2_XS& block, float* out);
void dequantize_block(const BlockIQ2_S& block, float* out);
void dequantize_block(const BlockIQ3_XXS& block, float* out);
void dequantize_block(const BlockIQ3_S& block, float* out);
void dequantize_block(const BlockIQ1_S& block, float* out);
void dequantize_block(const BlockIQ1_M& block, float* out);

}  // namespace galley
