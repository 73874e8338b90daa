#include "tensor/dtype.h"

#include <array>
#include <cstddef>

#include "tensor/error.h"

namespace galley {
namespace {

constexpr DTypeInfo kDTypes[] = {
    {"F32", 1, 4, DType::kF32, true},
    {"F16", 1, 2, DType::kF16, true},
    {"Q4_0", 32, 18, DType::kQ4_0, true},
    {"Q4_1", 32, 20, DType::kQ4_1, true},
    {"Q5_0", 32, 22, DType::kQ5_0, true},
    {"Q5_1", 32, 24, DType::kQ5_1, true},
    {"Q8_0", 32, 34, DType::kQ8_0, true},
    {"Q2_K", 256, 84, DType::kQ2_K, true},
    {"Q3_K", 256, 110, DType::kQ3_K, true},
    {"Q4_K", 256, 144, DType::kQ4_K, true},
    {"Q5_K", 256, 176, DType::kQ5_K, true},
    {"Q6_K", 256, 210, DType::kQ6_K, true},
    {"IQ2_XXS", 256, 66, DType::kIQ2_XXS, true},
    {"IQ2_XS", 256, 74, DType::kIQ2_XS, true},
    {"IQ3_XXS", 256, 98, DType::kIQ3_XXS, true},
    {"IQ1_S", 256, 50, DType::kIQ1_S, true},
    {"IQ4_NL", 32, 18, DType::kIQ4_NL, true},
    {"IQ3_S", 256, 110, DType::kIQ3_S, true},
    {"IQ2_S", 256, 82, DType::kIQ2_S, true},
    {"IQ4_XS", 256, 136, DType::kIQ4_XS, true},
    {"I8", 1, 1, DType::kI8, false},
    {"I16", 1, 2, DType::kI16, false},
    {"I32", 1, 4, DType::kI32, false},
    {"I64", 1, 8, DType::kI64, false},
    {"F64", 1, 8, DType::kF64, false},
    {"IQ1_M", 256, 56, DType::kIQ1_M, true},
    {"BF16", 1, 2, DType::kBF16, true},
    {"TQ1_0", 256, 54, DType::kTQ1_0, true},
    {"TQ2_0", 256, 66, DType::kTQ2_0, true},
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
