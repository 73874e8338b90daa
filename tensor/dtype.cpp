#include "tensor/dtype.h"

#include <array>
#include <cstddef>

#include "tensor/error.h"

namespace galley {
namespace {

constexpr DTypeInfo kDTypes[] = {
    {DType::kF32, "F32", 1, 4, true},
    {DType::kF16, "F16", 1, 2, true},
    {DType::kQ4_0, "Q4_0", 32, 18, true},
    {DType::kQ4_1, "Q4_1", 32, 20, true},
    {DType::kQ5_0, "Q5_0", 32, 22, true},
    {DType::kQ5_1, "Q5_1", 32, 24, true},
    {DType::kQ8_0, "Q8_0", 32, 34, true},
    {DType::kQ2_K, "Q2_K", 256, 84, true},
    {DType::kQ3_K, "Q3_K", 256, 110, true},
    {DType::kQ4_K, "Q4_K", 256, 144, true},
    {DType::kQ5_K, "Q5_K", 256, 176, true},
    {DType::kQ6_K, "Q6_K", 256, 210, true},
    {DType::kIQ2_XXS, "IQ2_XXS", 256, 66, false},
    {DType::kIQ2_XS, "IQ2_XS", 256, 74, false},
    {DType::kIQ3_XXS, "IQ3_XXS", 256, 98, false},
    {DType::kIQ1_S, "IQ1_S", 256, 50, false},
    {DType::kIQ4_NL, "IQ4_NL", 32, 18, true},
    {DType::kIQ3_S, "IQ3_S", 256, 110, false},
    {DType::kIQ2_S, "IQ2_S", 256, 82, false},
    {DType::kIQ4_XS, "IQ4_XS", 256, 136, true},
    {DType::kI8, "I8", 1, 1, false},
    {DType::kI16, "I16", 1, 2, false},
    {DType::kI32, "I32", 1, 4, false},
    {DType::kI64, "I64", 1, 8, false},
    {DType::kF64, "F64", 1, 8, false},
    {DType::kIQ1_M, "IQ1_M", 256, 56, false},
    {DType::kBF16, "BF16", 1, 2, true},
    {DType::kTQ1_0, "TQ1_0", 256, 54, true},
    {DType::kTQ2_0, "TQ2_0", 256, 66, true},
};

constexpr std::uint32_t kNumbers = static_cast<std::uint32_t>(DType::kTQ2_0) + 1;

// Number of a type -> its place in kDTypes, or -1.
constexpr std::array<int, kNumbers> make_index() {
  std::array<int, kNumbers> index{};
  index.fill(-1);
  for (std::size_t i = 0; i < std::size(kDTypes); ++i) {
    index[static_cast<std::uint32_t>(kDTypes[i].type)] = static_cast<int>(i);
  }
  return index;
}
constexpr std::array<int, kNumbers> kIndex = make_index();

constexpr char to_upper(char c) {
  return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
}

}  // namespace

const DTypeInfo& dtype_info(DType type) {
  const auto number = static_cast<std::uint32_t>(type);
  GALLEY_CHECK(number < kNumbers && kIndex[number] >= 0, "no type " + std::to_string(number));
  return kDTypes[kIndex[number]];
}

std::optional<DType> dtype_from_number(std::uint32_t number) {
  if (number >= kNumbers || kIndex[number] < 0) return std::nullopt;
  return static_cast<DType>(number);
}

std::optional<DType> dtype_from_name(std::string_view name) {
  for (const DTypeInfo& info : kDTypes) {
    if (name.size() != info.name.size()) continue;
    bool same = true;
    for (std::size_t i = 0; i < name.size(); ++i) {
      same = same && to_upper(name[i]) == info.name[i];
    }
    if (same) return info.type;
  }
  return std::nullopt;
}

std::span<const DTypeInfo> all_dtypes() { return kDTypes; }

std::int64_t row_bytes(DType type, std::int64_t cols) {
  const DTypeInfo& info = dtype_info(type);
  GALLEY_DCHECK(cols >= 0 && cols % info.block_elements == 0,
                std::string(info.name) + " row of " + std::to_string(cols));
  return cols / info.block_elements * info.block_bytes;
}

}  // namespace galley
