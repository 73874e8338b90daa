// A block taken apart says the same as the engine's own decoding of it.
#include "tools/glass/block_fields.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tensor/dequantize.h"
#include "tensor/quantize.h"

namespace galley::glass {
namespace {

class EveryType : public testing::TestWithParam<DType> {};

const BlockField* field(const BlockFields& block, const std::string& name) {
  for (const BlockField& f : block.fields)
    if (f.name == name) return &f;
  return nullptr;
}

// The value of `name` for weight i: for all, for its group, or its own.
double at(const BlockFields& block, const std::string& name, std::size_t i, double otherwise) {
  const BlockField* f = field(block, name);
  if (!f) return otherwise;
  return f->values[i * f->values.size() / block.weights.size()];
}

// The formula, evaluated in double from the shown fields alone.
double weight_from_fields(const BlockFields& block, std::size_t i) {
  const double d = at(block, "d", i, 0);
  const double low = at(block, "qs", i, 0);
  double scale = at(block, "scales", i, 1);
  if (block.type == DType::kIQ4_XS)
    scale = at(block, "scales_l", i, 0) + 16 * at(block, "scales_h", i, 0) - 32;
  const double code = at(block, "code", i, low);
  const double min = at(block, "m", i, 0) - at(block, "dmin", i, 0) * at(block, "mins", i, 0);
  return d * scale * code + min;
}

TEST_P(EveryType, FieldsGiveTheWeights) {
  const DTypeInfo& info = dtype_info(GetParam());
  std::vector<float> values(static_cast<std::size_t>(info.block_elements));
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = std::sin(static_cast<float>(i) * 1.7f) * (i % 64 < 32 ? 0.3f : 1.0f) + 0.2f;
  std::vector<std::byte> bytes(static_cast<std::size_t>(info.block_bytes));
  const bool has_codebook = info.name.substr(0, 2) == "IQ" && info.name[2] < '4';
  const bool has_quantizer = info.name.substr(0, 2) != "TQ" && !has_codebook;
  if (!has_quantizer) {
    // Any bytes will do, with d = 0.5.
    for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(i * 37 % 243);
    const std::size_t d = has_codebook && info.type != DType::kIQ1_M ? 0 : bytes.size() - 2;
    bytes[d] = std::byte{0x00};
    bytes[d + 1] = std::byte{0x38};
  } else {
    quantize_row(info.type, values, bytes.data());
  }
  const BlockFields block = decode_block(info.type, bytes.data());
  std::vector<float> expected(values.size());
  dequantize_row(info.type, bytes.data(), expected);
  EXPECT_EQ(block.weights, expected);
  EXPECT_EQ(block.bytes.size(), bytes.size());
  for (std::size_t i = 0; i < expected.size(); ++i)
    EXPECT_NEAR(weight_from_fields(block, i), expected[i], 1e-6) << i;
  // Every byte belongs to a field.
  std::vector<bool> covered(bytes.size(), false);
  for (const BlockField& f : block.fields)
    for (int b = f.begin; b < f.end; ++b) covered[static_cast<std::size_t>(b)] = true;
  if (info.type != DType::kTQ1_0) {
    for (std::size_t b = 0; b < covered.size(); ++b) EXPECT_TRUE(covered[b]) << "byte " << b;
  }
}

// The bits of a weight that are kept apart give its code together.
TEST_P(EveryType, BitsGiveTheCode) {
  const DTypeInfo& info = dtype_info(GetParam());
  std::vector<std::byte> bytes(static_cast<std::size_t>(info.block_bytes));
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(i * 89 + 7);
  const BlockFields block = decode_block(info.type, bytes.data());
  const auto check = [&](const char* low, const char* high, int n_low, int offset) {
    for (std::size_t i = 0; i < block.weights.size(); ++i)
      EXPECT_EQ(at(block, low, i, 0) + at(block, high, i, 0) * (1 << n_low) - offset,
                at(block, "code", i, 0))
          << i;
  };
  if (info.type == DType::kQ5_0) check("qs", "qh", 4, 16);
  if (info.type == DType::kQ5_1 || info.type == DType::kQ5_K) check("qs", "qh", 4, 0);
  if (info.type == DType::kQ6_K) check("ql", "qh", 4, 32);
  if (info.type == DType::kQ3_K) check("qs", "hmask", 2, 4);
}

INSTANTIATE_TEST_SUITE_P(Types, EveryType,
                         testing::Values(DType::kQ4_0, DType::kQ4_1, DType::kQ5_0, DType::kQ5_1,
                                         DType::kQ8_0, DType::kQ2_K, DType::kQ3_K, DType::kQ4_K,
                                         DType::kQ5_K, DType::kQ6_K, DType::kIQ4_NL, DType::kIQ4_XS,
                                         DType::kTQ1_0, DType::kTQ2_0, DType::kIQ2_XXS,
                                         DType::kIQ2_XS, DType::kIQ2_S, DType::kIQ3_XXS,
                                         DType::kIQ3_S, DType::kIQ1_S, DType::kIQ1_M),
                         [](const auto& param) {
                           return std::string(dtype_info(param.param).name);
                         });

TEST(BlockFields, FloatsAreSignExponentFraction) {
  const float x = -1.5f;
  const BlockFields block = decode_block(DType::kF32, reinterpret_cast<const std::byte*>(&x));
  EXPECT_EQ(field(block, "sign")->values[0], 1);
  EXPECT_EQ(field(block, "exponent")->values[0], 127);
  EXPECT_EQ(field(block, "fraction")->values[0], 1 << 22);
  const std::uint16_t half = 0x3c00;  // 1
  EXPECT_EQ(field(decode_block(DType::kF16, reinterpret_cast<const std::byte*>(&half)), "exponent")
                ->values[0],
            15);
}

}  // namespace
}  // namespace galley::glass
