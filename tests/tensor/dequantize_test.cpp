// Dequantization against the golden values, bit for bit.
#include "tensor/dequantize.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

#include "tensor/gguf.h"
#include "tensor/k_scales.h"
#include "tests/conformance.h"

namespace galley {
namespace {

// The first index where the two differ in a bit (any NaN equals any NaN), or -1.
std::ptrdiff_t first_difference(const std::vector<float>& a, const std::vector<float>& b) {
  const std::size_t n = std::min(a.size(), b.size());
  for (std::size_t i = 0; i < n; ++i) {
    if (std::isnan(a[i]) && std::isnan(b[i])) continue;
    if (std::bit_cast<std::uint32_t>(a[i]) != std::bit_cast<std::uint32_t>(b[i])) {
      return static_cast<std::ptrdiff_t>(i);
    }
  }
  return a.size() == b.size() ? -1 : static_cast<std::ptrdiff_t>(n);
}

TEST(Dequantize, EqualsEveryGoldenTensorBitForBit) {
  GALLEY_NEED_CONFORMANCE("dequant");
  const auto folder = test::conformance_dir() / "dequant";
  const GgufFile file = GgufFile::open(folder / "types.gguf");
  int n_compared = 0;
  for (const Tensor& tensor : file.tensors()) {
    const auto golden = folder / "dequant" / (tensor.name + ".f32");
    if (!dtype_info(tensor.type).is_supported || !std::filesystem::exists(golden)) continue;
    EXPECT_EQ(first_difference(dequantize(tensor), test::read_f32(golden)), -1) << tensor.name;
    ++n_compared;
  }
  EXPECT_EQ(n_compared, 47);  // 24 quantized, 21 random bits, 2 with all patterns
}

// The comparison above must see what a wrong dequantization gets wrong.
TEST(Dequantize, TheComparisonNoticesMutants) {
  GALLEY_NEED_CONFORMANCE("dequant");
  const auto folder = test::conformance_dir() / "dequant";
  const GgufFile file = GgufFile::open(folder / "types.gguf");
  const Tensor* tensor = file.find_tensor("randbits.Q4_0");
  ASSERT_NE(tensor, nullptr);
  const std::vector<float> golden = test::read_f32(folder / "dequant" / "randbits.Q4_0.f32");

  std::vector<std::byte> bytes(tensor->data, tensor->data + tensor->n_bytes);
  bytes[2] = bytes[2] << 4 | bytes[2] >> 4;  // swapped nibbles
  Tensor mutant = *tensor;
  mutant.data = bytes.data();
  EXPECT_EQ(first_difference(dequantize(mutant), golden), 0);

  std::vector<float> values = dequantize(*tensor);
  values.resize(values.size() - 32);  // a dropped last block
  EXPECT_EQ(first_difference(values, golden), 4096 - 32);

  values = dequantize(*tensor);
  values[4095] = -values[4095];  // a negated value (of zero, too)
  EXPECT_EQ(first_difference(values, golden), 4095);
}

TEST(Dequantize, UnpackedRowsAreSlicesOfTheTensor) {
  GALLEY_NEED_CONFORMANCE("dequant");
  const GgufFile file = GgufFile::open(test::conformance_dir() / "dequant" / "types.gguf");
  for (const Tensor& tensor : file.tensors()) {
    if (!dtype_info(tensor.type).is_supported) continue;
    const std::vector<float> all = dequantize(tensor);
    std::vector<float> row(static_cast<std::size_t>(tensor.cols()));
    dequantize_row(tensor.type, tensor.row(2), row);
    const std::vector<float> slice(all.begin() + 2 * tensor.cols(),
                                   all.begin() + 3 * tensor.cols());
    EXPECT_EQ(first_difference(row, slice), -1) << tensor.name;
  }
}

TEST(KScales, PackingIsTheReverseOfUnpacking) {
  for (int value = 0; value < 64; ++value) {
    std::uint8_t scales[12] = {};
    std::uint8_t q3_scales[12] = {};
    for (int g = 0; g < 8; ++g) pack_scale_and_min(scales, g, {(value + 5 * g) % 64, 63 - value});
    for (int g = 0; g < 16; ++g) pack_q3_scale(q3_scales, g, (value + 11 * g) % 64);
    for (int g = 0; g < 8; ++g) {
      EXPECT_EQ(unpack_scale_and_min(scales, g).scale, (value + 5 * g) % 64);
      EXPECT_EQ(unpack_scale_and_min(scales, g).min, 63 - value);
    }
    for (int g = 0; g < 16; ++g) EXPECT_EQ(unpack_q3_scale(q3_scales, g), (value + 11 * g) % 64);
  }
}

}  // namespace
}  // namespace galley
