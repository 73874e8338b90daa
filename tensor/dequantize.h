// From stored bytes to float32, scalar and exact: the specification of every type.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "tensor/tensor.h"

namespace galley {

// Writes the `out.size()` values of `row` (bytes of type `type`) as float32, bit for bit what
// the format defines (docs/gguf.md; block layouts in tensor/blocks.h).
// REQUIRES: dtype_info(type).is_supported; out.size() a multiple of its block_elements.
void dequantize_row(DType type, const std::byte* row, std::span<float> out);

// All of `tensor` as float32, row-major [rows, cols]. Throws std::bad_alloc only.
std::vector<float> dequantize(const Tensor& tensor);

}  // namespace galley
