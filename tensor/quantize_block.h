// One block of each quantized type from float32: the reverse of tensor/dequantize_block.h.
// Internal to tensor/.
#pragma once

#include "tensor/blocks.h"

namespace galley {

// Encode the next 32 values,
void quantize_block(const float* values, BlockQ4_0& out);
void quantize_block(const float* values, BlockQ4_1& out);
void quantize_block(const float* values, BlockQ5_0& out);
void quantize_block(const float* values, BlockQ5_1& out);
void quantize_block(const float* values, BlockQ8_0& out);
void quantize_block(const float* values, BlockIQ4_NL& out);
// or the next 256.
void quantize_block(const float* values, BlockQ2_K& out);
void quantize_block(const float* values, BlockQ3_K& out);
void quantize_block(const float* values, BlockQ4_K& out);
void quantize_block(const float* values, BlockQ5_K& out);
void quantize_block(const float* values, BlockQ6_K& out);
void quantize_block(const float* values, BlockIQ4_XS& out);

}  // namespace galley
