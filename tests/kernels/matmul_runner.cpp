#include "tests/kernels/matmul_runner.h"

#include <cstring>
#include <vector>

#include "tensor/blocks.h"
#include "tensor/half.h"

namespace galley::test {
namespace {

// Where the F16 numbers of a block are.
std::vector<std::size_t> half_offsets(DType type) {
  switch (type) {
    case DType::kQ4_0:
    case DType::kQ5_0:
    case DType::kQ8_0:
    case DType::kIQ4_NL:
    case DType::kIQ4_XS:
      return {0};
    case DType::kQ4_1:
    case DType::kQ5_1:
    case DType::kQ4_K:
    case DType::kQ5_K:
      return {0, 2};
    case DType::kQ2_K:
      return {offsetof(BlockQ2_K, d), offsetof(BlockQ2_K, dmin)};
    case DType::kQ3_K:
      return {offsetof(BlockQ3_K, d)};
    case DType::kQ6_K:
      return {offsetof(BlockQ6_K, d)};
    case DType::kTQ1_0:
      return {offsetof(BlockTQ1_0, d)};
    case DType::kTQ2_0:
      return {offsetof(BlockTQ2_0, d)};
    default:
      return {};
  }
}

template <class T>
void put(std::vector<std::byte>& bytes, std::size_t offset, T value) {
  std::memcpy(bytes.data() + offset, &value, sizeof(T));
}

}  // namespace

void set_scales(Weights& w, const std::function<float()>& next) {
  const auto step = static_cast<std::size_t>(dtype_info(w.type).block_bytes);
  for (std::size_t block = 0; block < w.bytes.size(); block += step) {
    for (const std::size_t offset : half_offsets(w.type)) {
      put(w.bytes, block + offset, float_to_half(next()));
    }
    if (w.type == DType::kF32) put(w.bytes, block, next());
    if (w.type == DType::kF16) put(w.bytes, block, float_to_half(next()));
    if (w.type == DType::kBF16) put(w.bytes, block, float_to_bf16(next()));
  }
}

Weights random_weights(DType type, std::int64_t rows, std::int64_t cols, Random& random) {
  Weights w = {type, rows, cols, {}};
  w.bytes.resize(static_cast<std::size_t>(rows * row_bytes(type, cols)));
  for (std::byte& byte : w.bytes) byte = static_cast<std::byte>(random.integer(0, 255));
  const std::vector<float> values = random.floats(997);
  std::size_t i = 0;
  set_scales(w, [&] { return values[i++ % values.size()]; });
  return w;
}

}  // namespace galley::test
