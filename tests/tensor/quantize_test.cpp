// Quantization: as little error as the golden quantizer, and properties that hold for any data.
#include "tensor/quantize.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "tensor/dequantize.h"
#include "tensor/gguf.h"
#include "tests/conformance.h"

namespace galley {
namespace {

using Values = std::vector<float>;

std::vector<DType> quantizable_types() {
  std::vector<DType> types;
  for (const DTypeInfo& info : all_dtypes()) {
    if (can_quantize(info.type)) types.push_back(info.type);
  }
  return types;
}

bool is_block_type(DType type) { return dtype_info(type).block_elements > 1; }

std::vector<std::byte> encode(DType type, const Values& values) {
  std::vector<std::byte> bytes(
      static_cast<std::size_t>(row_bytes(type, static_cast<std::int64_t>(values.size()))));
  quantize_row(type, values, bytes.data());
  return bytes;
}

Values decode(DType type, const std::vector<std::byte>& bytes, std::size_t n) {
  Values values(n);
  dequantize_row(type, bytes.data(), values);
  return values;
}

Values round_trip(DType type, const Values& values) {
  return decode(type, encode(type, values), values.size());
}

// Root mean square of the difference over that of `exact`.
double relative_error(const Values& exact, const Values& got) {
  double squares = 0.0;
  double error = 0.0;
  for (std::size_t i = 0; i < exact.size(); ++i) {
    const double difference = static_cast<double>(exact[i]) - static_cast<double>(got[i]);
    error += difference * difference;
    squares += static_cast<double>(exact[i]) * static_cast<double>(exact[i]);
  }
  return squares == 0.0 ? std::sqrt(error) : std::sqrt(error / squares);
}

Values normal_values(std::size_t n, std::uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  Values values(n);
  for (float& value : values) value = normal(random);
  return values;
}

std::string name_of(DType type) { return std::string(dtype_info(type).name); }

TEST(Quantize, TheTypesThatCanBeMade) {
  std::string names;
  for (const DType type : quantizable_types()) names += name_of(type) + " ";
  EXPECT_EQ(names, "F32 F16 Q4_0 Q4_1 Q5_0 Q5_1 Q8_0 Q2_K Q3_K Q4_K Q5_K Q6_K IQ4_NL IQ4_XS BF16 ");
}

TEST(Quantize, LosesNoMoreThanTheGoldenQuantizer) {
  GALLEY_NEED_CONFORMANCE("dequant");
  const GgufFile file = GgufFile::open(test::conformance_dir() / "dequant" / "types.gguf");
  const Values source = dequantize(*file.find_tensor("source"));
  for (const DType type : quantizable_types()) {
    const Tensor* golden = file.find_tensor("quantized." + name_of(type));
    ASSERT_NE(golden, nullptr) << name_of(type);
    const double golden_error = relative_error(source, dequantize(*golden));
    const double our_error = relative_error(source, round_trip(type, source));
    EXPECT_LE(our_error, 1.001 * golden_error) << name_of(type);
    if (std::getenv("GALLEY_SHOW_MESSAGES") != nullptr) {
      std::printf("%-7s golden %.6f ours %.6f\n", name_of(type).c_str(), golden_error, our_error);
    }
  }
}

// The bound above is tight enough to notice a broken packing.
TEST(Quantize, TheErrorNoticesMutants) {
  const Values source = normal_values(1024, 1);
  std::vector<std::byte> bytes = encode(DType::kQ4_0, source);
  const double error = relative_error(source, decode(DType::kQ4_0, bytes, 1024));
  std::vector<std::byte> swapped = bytes;
  for (std::size_t i = 2; i < 18; ++i) swapped[i] = swapped[i] << 4 | swapped[i] >> 4;
  EXPECT_GT(relative_error(source, decode(DType::kQ4_0, swapped, 1024)), 1.5 * error);
  std::vector<std::byte> dropped = bytes;
  std::fill(dropped.end() - 18, dropped.end(), std::byte{0});
  EXPECT_GT(relative_error(source, decode(DType::kQ4_0, dropped, 1024)), 1.5 * error);
  Values negated = decode(DType::kQ4_0, bytes, 1024);
  for (std::size_t i = 0; i < 32; ++i) negated[i] = -negated[i];
  EXPECT_GT(relative_error(source, negated), 1.5 * error);
}

// Known without golden data: the error on normally distributed weights, as measured once.
TEST(Quantize, TheErrorOnNormalWeights) {
  struct Bound {
    DType type;
    double error;
  };
  constexpr Bound kBounds[] = {
      {DType::kF32, 0.0},     {DType::kF16, 2.2e-4},    {DType::kBF16, 1.7e-3},
      {DType::kQ8_0, 5.4e-3}, {DType::kQ6_K, 0.0173},   {DType::kQ5_K, 0.0351},
      {DType::kQ5_1, 0.0341}, {DType::kQ5_0, 0.0407},   {DType::kQ4_K, 0.0712},
      {DType::kQ4_1, 0.0705}, {DType::kIQ4_NL, 0.0743}, {DType::kIQ4_XS, 0.0751},
      {DType::kQ4_0, 0.0820}, {DType::kQ3_K, 0.1451},   {DType::kQ2_K, 0.2651},
  };
  ASSERT_EQ(std::size(kBounds), quantizable_types().size());
  const Values source = normal_values(64 * 1024, 2);
  for (const Bound& bound : kBounds) {
    const double error = relative_error(source, round_trip(bound.type, source));
    EXPECT_LE(error, bound.error) << name_of(bound.type);
    EXPECT_GE(error, 0.9 * bound.error) << name_of(bound.type) << ": better than possible?";
  }
}

TEST(Quantize, ZerosStayZeros) {
  for (const DType type : quantizable_types()) {
    for (const float value : round_trip(type, Values(512))) ASSERT_EQ(value, 0.0f) << name_of(type);
  }
}

TEST(Quantize, ConstantBlocksAreMetClosely) {
  for (const DType type : quantizable_types()) {
    for (const float constant : {0.75f, -0.75f, 3e-3f}) {
      const Values values(512, constant);
      EXPECT_LT(relative_error(values, round_trip(type, values)), 0.005)
          << name_of(type) << " " << constant;
    }
  }
}

// What a file of the same type could hold is found again, nearly or wholly.
TEST(Quantize, ValuesOnTheGridComeBack) {
  for (const DType type : quantizable_types()) {
    const Values first = round_trip(type, normal_values(4096, 3));
    const double lost = relative_error(normal_values(4096, 3), first);
    EXPECT_LE(relative_error(first, round_trip(type, first)), 0.25 * lost) << name_of(type);
  }
}

// Scales are floats: multiplying all weights by a power of two changes nothing else.
TEST(Quantize, PowersOfTwoPassThrough) {
  const Values source = normal_values(1024, 4);
  Values scaled = source;
  for (float& value : scaled) value *= 0.25f;
  for (const DType type : quantizable_types()) {
    const Values plain = round_trip(type, source);
    const Values quarter = round_trip(type, scaled);
    // Some scales of the K types are F16 subnormals, which do not scale.
    EXPECT_NEAR(relative_error(source, plain), relative_error(scaled, quarter),
                0.001 * relative_error(source, plain))
        << name_of(type);
  }
}

TEST(Quantize, ExtremesGiveFiniteWeights) {
  std::vector<Values> rows;
  for (const float size : {1e-44f, 1e-38f, 1e-30f, 1e-9f, 1e-6f, 1e4f, 1e6f, 1e18f, 3e38f}) {
    rows.push_back(normal_values(512, 5));
    const float largest = std::numeric_limits<float>::max();
    for (float& value : rows.back()) value = std::min(std::max(value * size, -largest), largest);
    rows.emplace_back(512, 0.0f);
    rows.back()[100] = size;  // one outlier
    rows.emplace_back(512, size);
    rows.back()[100] = -size;
  }
  for (const DType type : quantizable_types()) {
    if (!is_block_type(type)) continue;
    for (const Values& row : rows) {
      for (const float value : round_trip(type, row)) {
        ASSERT_TRUE(std::isfinite(value)) << name_of(type) << " " << row[100];
      }
    }
  }
}

TEST(Quantize, ABlockDoesNotDependOnItsNeighbours) {
  const Values source = normal_values(1024, 6);
  for (const DType type : quantizable_types()) {
    if (!is_block_type(type)) continue;
    const auto n = static_cast<std::size_t>(dtype_info(type).block_elements);
    const std::vector<std::byte> all = encode(type, source);
    const std::vector<std::byte> last =
        encode(type, Values(source.end() - static_cast<long>(n), source.end()));
    EXPECT_TRUE(std::equal(last.begin(), last.end(), all.end() - static_cast<long>(last.size())))
        << name_of(type);
  }
}

}  // namespace
}  // namespace galley
