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

namespace galley {

// The numbers are those of the GGUF file format (ggml's tensor types).
enum class DType : std::uint32_t {
  kF32 = 0,
  kF16 = 1,
  kQ4_0 = 2,
  kQ4_1 = 3,
  kQ5_0 = 6,
  kQ5_1 = 7,
  kQ8_0 = 8,
  kQ2_K = 10,
  kQ3_K = 11,
  kQ4_K = 12,
  kQ5_K = 13,
  kQ6_K = 14,
  kIQ2_XXS = 16,
  kIQ2_XS = 17,
  kIQ3_XXS = 18,
  kIQ1_S = 19,
  kIQ4_NL = 20,
  kIQ3_S = 21,
  kIQ2_S = 22,
  kIQ4_XS = 23,
  kI8 = 24,
  kI16 = 25,
  kI32 = 26,
  kI64 = 27,
  kF64 = 28,
  kIQ1_M = 29,
  kBF16 = 30,
  kTQ1_0 = 34,
  kTQ2_0 = 35,
};

struct DTypeInfo {
  DType type;
  std::string_view name;        // as in GGUF tools: "Q4_K"
  std::int64_t block_elements;  // values per block
  std::int64_t block_bytes;     // bytes per block
  bool is_supported;            // can be dequantized, hence used as a weight
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
