#include "tensor/quantize.h"

#include <cstring>

#include "tensor/error.h"
#include "tensor/half.h"
#include "tensor/quantize_block.h"

namespace galley {
namespace {

using RowQuantizer = void (*)(std::span<const float> values, std::byte* out);

void copy_row(std::span<const float> values, std::byte* out) {
  if (!values.empty()) std::memcpy(out, values.data(), values.size_bytes());
}

template <std::uint16_t (*convert)(float)>
void convert_row(std::span<const float> values, std::byte* out) {
  auto* bits = reinterpret_cast<std::uint16_t*>(out);
  for (std::size_t i = 0; i < values.size(); ++i) bits[i] = convert(values[i]);
}

template <typename Block, std::size_t block_elements>
void quantize_blocks(std::span<const float> values, std::byte* out) {
  auto* blocks = reinterpret_cast<Block*>(out);
  for (std::size_t i = 0; i < values.size() / block_elements; ++i) {
    quantize_block(values.data() + i * block_elements, blocks[i]);
  }
}

// Null for types that cannot be made.
RowQuantizer row_quantizer(DType type) {
  switch (type) {
    case DType::kF32:
      return copy_row;
    case DType::kF16:
      return convert_row<float_to_half>;
    case DType::kBF16:
      return convert_row<float_to_bf16>;
    case DType::kQ4_0:
      return quantize_blocks<BlockQ4_0, 32>;
    case DType::kQ4_1:
      return quantize_blocks<BlockQ4_1, 32>;
    case DType::kQ5_0:
      return quantize_blocks<BlockQ5_0, 32>;
    case DType::kQ5_1:
      return quantize_blocks<BlockQ5_1, 32>;
    case DType::kQ8_0:
      return quantize_blocks<BlockQ8_0, 32>;
    case DType::kQ2_K:
      return quantize_blocks<BlockQ2_K, 256>;
    case DType::kQ3_K:
      return quantize_blocks<BlockQ3_K, 256>;
    case DType::kQ4_K:
      return quantize_blocks<BlockQ4_K, 256>;
    case DType::kQ5_K:
      return quantize_blocks<BlockQ5_K, 256>;
    case DType::kQ6_K:
      return quantize_blocks<BlockQ6_K, 256>;
    case DType::kIQ4_NL:
      return quantize_blocks<BlockIQ4_NL, 32>;
    case DType::kIQ4_XS:
      return quantize_blocks<BlockIQ4_XS, 256>;
    default:
      return nullptr;
  }
}

}  // namespace

bool can_quantize(DType type) { return row_quantizer(type) != nullptr; }

void quantize_row(DType type, std::span<const float> values, std::byte* out) {
  const DTypeInfo& info = dtype_info(type);
  const RowQuantizer quantizer = row_quantizer(type);
  GALLEY_CHECK(quantizer != nullptr, "no quantization to " + std::string(info.name));
  GALLEY_CHECK(values.size() % static_cast<std::size_t>(info.block_elements) == 0,
               std::string(info.name) + ", " + std::to_string(values.size()));
  quantizer(values, out);
}

}  // namespace galley
