// The element types of GGUF tensors: their names, numbers and block sizes.
//
// A quantized type stores its elements in blocks: `block_elements` consecutive values of a
// row share the scales kept in the `block_bytes` bytes of a block (tensor/blocks.h draws
// them). A float type is a block of one.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "tensor/dtype_enum.h"

namespace galley {

struct DTypeInfo {
  std::string_view name;        // as in GGUF tools: "Q4_K"
  std::int64_t block_elements;  // values per block
  std::int64_t block_bytes;     // bytes per block
  DType type;
  bool is_supported;  // can be dequantized, hence used as a weight
};

// The description of `type`. Every enumerator above has one.
const DTypeInfo& dtype_info(DType type);

// The type with this GGUF number, or nothing for a number that no type has.
std::optional<DType> dtype_from_number(std::uint32_t number);

// The type with this name in any case ("q4_k", "Q4_K"), or nothing.
std::optional<DType> dtype_from_name(std::string_view name);

// All types, in the order of their numbers.
std::span<const DTypeInfo> all_dtypes();

// Bytes of one row of `cols` elements. REQUIRES: cols >= 0 and a multiple of block_elements,
// and no overflow (the GGUF reader has checked both for file data).
std::int64_t row_bytes(DType type, std::int64_t cols);

}  // namespace galley
