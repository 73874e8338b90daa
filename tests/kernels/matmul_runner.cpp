#include "tests/kernels/matmul_runner.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "kernels/scalar/block_codes.h"
#include "tensor/blocks.h"
#include "tensor/blocks_grid.h"
#include "tensor/dequantize.h"
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
    case DType::kIQ2_XXS:
    case DType::kIQ2_XS:
    case DType::kIQ2_S:
    case DType::kIQ3_XXS:
    case DType::kIQ3_S:
    case DType::kIQ1_S:
      return {0};
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

// The scale of an IQ1_M block lies in the upper four bits of four halfwords.
void set_iq1_m_scale(std::byte* bytes, std::uint16_t d) {
  BlockIQ1_M block;
  std::memcpy(&block, bytes, sizeof block);
  for (int i = 0; i < 4; ++i) {
    const int nibble = d >> (4 * i) & 15;
    block.scales[i] = static_cast<std::uint16_t>((block.scales[i] & 0x0fff) | nibble << 12);
  }
  std::memcpy(bytes, &block, sizeof block);
}

}  // namespace

void set_scales(Weights& w, const std::function<float()>& next) {
  const auto step = static_cast<std::size_t>(dtype_info(w.type).block_bytes);
  for (std::size_t block = 0; block < w.bytes.size(); block += step) {
    for (const std::size_t offset : half_offsets(w.type)) {
      put(w.bytes, block + offset, float_to_half(next()));
    }
    if (w.type == DType::kIQ1_M) set_iq1_m_scale(w.bytes.data() + block, float_to_half(next()));
    if (w.type == DType::kF32) put(w.bytes, block, next());
    if (w.type == DType::kF16) put(w.bytes, block, float_to_half(next()));
    if (w.type == DType::kBF16) put(w.bytes, block, float_to_bf16(next()));
  }
}

Weights random_weights(DType type, std::int64_t rows, std::int64_t cols, Random& random) {
  Weights w = constant_weights(type, rows, cols, std::byte{0});
  for (std::byte& byte : w.bytes) byte = static_cast<std::byte>(random.integer(0, 255));
  const std::vector<float> values = random.floats(997);
  std::size_t i = 0;
  set_scales(w, [&] { return values[i++ % values.size()]; });
  return w;
}

Weights constant_weights(DType type, std::int64_t rows, std::int64_t cols, std::byte byte) {
  Weights w = {type, rows, cols, {}, false};
  w.bytes.resize(static_cast<std::size_t>(rows * row_bytes(type, cols)), byte);
  return w;
}

std::vector<float> run_matmul(const kernels::KernelTable& isa, const Weights& w,
                              std::span<const float> x, std::int64_t tokens, int n_parts) {
  constexpr float kUntouched = -12345.0f;
  constexpr std::int64_t kGap = 5;
  const bool is_quantized = kernels::uses_quantized_rows(w.type);
  AlignedBuffer quantized(is_quantized ? kernels::quantized_rows_bytes(tokens, w.cols) : 0);
  const std::size_t scratch_bytes = kernels::matmul_scratch_bytes(w.type, w.rows, w.cols, tokens);
  AlignedBuffer scratch(scratch_bytes);
  const std::int64_t stride = w.rows + kGap;
  std::vector<float> y(static_cast<std::size_t>(tokens * stride), kUntouched);
  kernels::MatmulArgs args;
  args.type = w.type;
  args.weights = w.bytes.data();
  args.rows = w.rows;
  args.cols = w.cols;
  args.tokens = tokens;
  args.y = y.data();
  args.y_stride = stride;
  args.scratch = scratch.data();
  args.rounds_to_bf16 = w.rounds_to_bf16;
  args.next = {w.bytes.data(), w.bytes.data() + w.bytes.size()};  // as good as any
  if (is_quantized) {
    args.xq = {quantized.data(), tokens};
    const kernels::QuantizeRowsArgs quantize = {x.data(), w.cols, tokens, w.cols, args.xq};
    run_parts(isa.quantize_rows, quantize, n_parts);
  } else {
    args.x = x.data();
    args.x_stride = w.cols;
  }
  run_parts(isa.matmul, args, n_parts);

  std::vector<float> result;
  for (std::int64_t t = 0; t < tokens; ++t) {
    const auto row = y.begin() + t * stride;
    result.insert(result.end(), row, row + w.rows);
    EXPECT_TRUE(std::all_of(row + w.rows, row + stride, [](float v) { return v == kUntouched; }))
        << "matmul writes beside its rows";
  }
  return result;
}

namespace {

// A row of weights as values, and the magnitudes that go into each: |d * code| + |minimum|.
struct ExactRow {
  std::vector<float> values;
  std::vector<double> magnitudes;
};

template <class Block>
void add_magnitudes(const std::byte* row, std::vector<double>& magnitudes) {
  using kernels::scalar::BlockCodes;
  constexpr int kGroups = kernels::scalar::kGroups<Block>;
  for (std::size_t b = 0; b < magnitudes.size() / 32; ++b) {
    Block block;
    std::memcpy(&block, row + b / kGroups * sizeof(Block), sizeof(Block));
    const BlockCodes codes = kernels::scalar::unpack(block, static_cast<int>(b % kGroups));
    for (std::size_t i = 0; i < 32; ++i) {
      magnitudes[32 * b + i] = std::abs(double{codes.d} * codes.scale[i / 16] * codes.code[i]) +
                               std::abs(double{codes.min[i / 16]});
    }
  }
}

ExactRow exact_row(const Weights& w, std::int64_t r) {
  const std::byte* row = w.bytes.data() + r * row_bytes(w.type, w.cols);
  ExactRow out;
  out.values.resize(static_cast<std::size_t>(w.cols));
  out.magnitudes.resize(out.values.size());
  dequantize_row(w.type, row, out.values);
  switch (w.type) {
    case DType::kQ4_1:
      add_magnitudes<BlockQ4_1>(row, out.magnitudes);
      break;
    case DType::kQ5_1:
      add_magnitudes<BlockQ5_1>(row, out.magnitudes);
      break;
    case DType::kQ2_K:
      add_magnitudes<BlockQ2_K>(row, out.magnitudes);
      break;
    case DType::kQ4_K:
      add_magnitudes<BlockQ4_K>(row, out.magnitudes);
      break;
    case DType::kQ5_K:
      add_magnitudes<BlockQ5_K>(row, out.magnitudes);
      break;
    default:
      for (std::size_t i = 0; i < out.values.size(); ++i) {
        out.magnitudes[i] = std::abs(double{out.values[i]});
      }
  }
  return out;
}

// The activations that matmul sees: x, or what is left of it after rounding to BF16 or to int8 (x
// minus the remainder).
std::vector<double> seen_activations(const Weights& w, std::span<const float> x,
                                     std::int64_t tokens) {
  std::vector<double> seen(x.begin(), x.end());
  if (w.rounds_to_bf16) {
    for (double& value : seen) {
      value = double{bf16_to_float(float_to_bf16(static_cast<float>(value)))};
    }
  }
  if (!kernels::uses_quantized_rows(w.type)) return seen;
  std::vector<std::byte> tiles(kernels::quantized_rows_bytes(tokens, w.cols));
  std::vector<float> remainder(x.size());
  kernels::QuantizeRowsArgs args = {x.data(), w.cols, tokens, w.cols, {tiles.data(), tokens}};
  args.remainder = remainder.data();
  kernels::scalar::quantize_rows(args, {0, 1});
  for (std::size_t i = 0; i < seen.size(); ++i) seen[i] -= double{remainder[i]};
  return seen;
}

}  // namespace

ExactProducts exact_products(const Weights& w, std::span<const float> x, std::int64_t tokens) {
  const std::vector<double> seen = seen_activations(w, x, tokens);
  ExactProducts out;
  out.y.resize(static_cast<std::size_t>(tokens * w.rows));
  out.bounds.resize(out.y.size());
  for (std::int64_t r = 0; r < w.rows; ++r) {
    const ExactRow row = exact_row(w, r);
    for (std::int64_t t = 0; t < tokens; ++t) {
      double sum = 0;
      double magnitude = 0;
      for (std::int64_t c = 0; c < w.cols; ++c) {
        const auto i = static_cast<std::size_t>(c);
        const double activation = seen[static_cast<std::size_t>(t * w.cols + c)];
        sum += double{row.values[i]} * activation;
        magnitude += row.magnitudes[i] * std::abs(activation);
      }
      const auto at = static_cast<std::size_t>(t * w.rows + r);
      out.y[at] = sum;
      // Roundings on the way of one product: its own, those of its partial sum, and the tree.
      const double n = static_cast<double>(w.cols) / 16 + 8;
      out.bounds[at] = 4 * n * kEpsilon * magnitude;
    }
  }
  return out;
}

}  // namespace galley::test
