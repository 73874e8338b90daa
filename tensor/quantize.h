// From float32 to stored bytes, for `galley quantize` and for tests.
#pragma once

#include <cstddef>
#include <span>

#include "tensor/dtype.h"

namespace galley {

// Whether quantize_row can make `type`.
bool can_quantize(DType type);

// Encodes `values` as one row of `type` into `out` (row_bytes(type, values.size()) bytes), with
// the least squared error our search finds. Non-finite values are the caller's to refuse.
// REQUIRES: can_quantize(type); values.size() a multiple of its block_elements.
void quantize_row(DType type, std::span<const float> values, std::byte* out);

}  // namespace galley
