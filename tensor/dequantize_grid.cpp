// The types with codebooks: weights are looked up (tensor/grid_codes.h), then scaled.
#include "tensor/dequantize_block.h"
#include "tensor/grid_codes.h"

namespace galley {
namespace {

// The products are exact, so that the order does not matter.
template <class Block>
void dequantize_groups(const Block& block, float* out) {
  for (int g = 0; g < 8; ++g) {
    const GridCodes group = grid_codes(block, g);
    for (int i = 0; i < 32; ++i) {
      const float scale = group.d * static_cast<float>(group.scale[i / 16]);
      out[32 * g + i] = scale * static_cast<float>(group.code[i]);
    }
  }
}

}  // namespace

void dequantize_block(const BlockIQ2_XXS& block, float* out) { dequantize_groups(block, out); }
void dequantize_block(const BlockIQ2_XS& block, float* out) { dequantize_groups(block, out); }
void dequantize_block(const BlockIQ2_S& block, float* out) { dequantize_groups(block, out); }
void dequantize_block(const BlockIQ3_XXS& block, float* out) { dequantize_groups(block, out); }
void dequantize_block(const BlockIQ3_S& block, float* out) { dequantize_groups(block, out); }
void dequantize_block(const BlockIQ1_S& block, float* out) { dequantize_groups(block, out); }
void dequantize_block(const BlockIQ1_M& block, float* out) { dequantize_groups(block, out); }

}  // namespace galley
