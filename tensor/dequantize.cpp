#include "tensor/dequantize.h"

#include <cstring>

#include "tensor/dequantize_block.h"
#include "tensor/error.h"
#include "tensor/half.h"

namespace galley {
namespace {

template <typename Block>
void dequantize_blocks(const std::byte* row, std::span<float> out, std::size_t block_elements) {
  const auto* blocks = reinterpret_cast<const Block*>(row);
  for (std::size_t i = 0; i < out.size() / block_elements; ++i) {
    dequantize_block(blocks[i], out.data() + i * block_elements);
  }
}

// 16-bit floats; `convert` is their meaning.
void dequantize_16bit(const std::byte* row, std::span<float> out, float (*convert)(std::uint16_t)) {
  const auto* bits = reinterpret_cast<const std::uint16_t*>(row);
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = convert(bits[i]);
}

}  // namespace

void dequantize_row(DType type, const std::byte* row, std::span<float> out) {
  const DTypeInfo& info = dtype_info(type);
  GALLEY_CHECK(info.is_supported, "no dequantization of " + std::string(info.name));
  const auto n = static_cast<std::size_t>(info.block_elements);
  GALLEY_CHECK(out.size() % n == 0, std::string(info.name) + ", " + std::to_string(out.size()));
  switch (type) {
    case DType::kF32:
      if (!out.empty()) std::memcpy(out.data(), row, out.size_bytes());
      return;
    case DType::kF16:
      return dequantize_16bit(row, out, half_to_float);
    case DType::kBF16:
      return dequantize_16bit(row, out, bf16_to_float);
    case DType::kQ4_0:
      return dequantize_blocks<BlockQ4_0>(row, out, n);
    case DType::kQ4_1:
      return dequantize_blocks<BlockQ4_1>(row, out, n);
    case DType::kQ5_0:
      return dequantize_blocks<BlockQ5_0>(row, out, n);
    case DType::kQ5_1:
      return dequantize_blocks<BlockQ5_1>(row, out, n);
    case DType::kQ8_0:
      return dequantize_blocks<BlockQ8_0>(row, out, n);
    case DType::kQ2_K:
      return dequantize_blocks<BlockQ2_K>(row, out, n);
    case DType::kQ3_K:
      return dequantize_blocks<BlockQ3_K>(row, out, n);
    case DType::kQ4_K:
      return dequantize_blocks<BlockQ4_K>(row, out, n);
    case DType::kQ5_K:
      return dequantize_blocks<BlockQ5_K>(row, out, n);
    case DType::kQ6_K:
      return dequantize_blocks<BlockQ6_K>(row, out, n);
    case DType::kIQ4_NL:
      return dequantize_blocks<BlockIQ4_NL>(row, out, n);
    case DType::kIQ4_XS:
      return dequantize_blocks<BlockIQ4_XS>(row, out, n);
    case DType::kTQ1_0:
      return dequantize_blocks<BlockTQ1_0>(row, out, n);
    case DType::kTQ2_0:
      return dequantize_blocks<BlockTQ2_0>(row, out, n);
    case DType::kIQ2_XXS:
      return dequantize_blocks<BlockIQ2_XXS>(row, out, n);
    case DType::kIQ2_XS:
      return dequantize_blocks<BlockIQ2_XS>(row, out, n);
    case DType::kIQ2_S:
      return dequantize_blocks<BlockIQ2_S>(row, out, n);
    case DType::kIQ3_XXS:
      return dequantize_blocks<BlockIQ3_XXS>(row, out, n);
    case DType::kIQ3_S:
      return dequantize_blocks<BlockIQ3_S>(row, out, n);
    case DType::kIQ1_S:
      return dequantize_blocks<BlockIQ1_S>(row, out, n);
    case DType::kIQ1_M:
      return dequantize_blocks<BlockIQ1_M>(row, out, n);
    default:
      break;
  }
  GALLEY_CHECK(false, std::string(info.name) + " is marked as supported and is not");
}

std::vector<float> dequantize(const Tensor& tensor) {
  std::vector<float> values(static_cast<std::size_t>(tensor.n_elements()));
  // Rows are whole blocks and follow one another: the tensor is one long row.
  dequantize_row(tensor.type, tensor.data, values);
  return values;
}

}  // namespace galley
