// A block of a weight tensor, taken apart: its bytes, what each field means, and the weights.
//
// Where it sits: the debugger's `weights`, the page and explanations show it. The layouts are
// those of tensor/blocks.h; codes and weights come from the functions that the engine itself
// uses (kernels/scalar/block_codes.h, tensor/dequantize_block.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "tensor/tensor.h"

namespace galley::glass {

// A part of a block.
struct BlockField {
  std::string name;     // as in tensor/blocks.h: "d", "scales", "qs"; or "code"
  std::string meaning;  // "the scale of the block, F16"
  // Where its bytes are in the block: [begin, end). Empty for what is put together from others.
  int begin = 0;
  int end = 0;
  std::vector<double> values;  // exact: one, one per group of weights, or one per weight
  bool is_integer = false;
};

struct BlockFields {
  DType type = DType::kF32;
  std::vector<std::uint8_t> bytes;
  std::string formula;  // "w = d * (q - 8)"
  int group_size = 0;   // weights that share a scale
  std::vector<BlockField> fields;
  std::vector<float> weights;  // [block_elements]
};

// Takes apart the block at `block`. REQUIRES: dtype_info(type).is_supported. For F32, F16 and BF16
// a block is one number: its sign, exponent and fraction.
BlockFields decode_block(DType type, const std::byte* block);

// Block `b` of row `r` of a tensor. Throws Error kUsage if there is none.
BlockFields decode_block(const Tensor& tensor, std::int64_t r, std::int64_t b);
// How many blocks a row of `tensor` has.
std::int64_t blocks_per_row(const Tensor& tensor);

}  // namespace galley::glass
