// Products with weights, plain and slow: the specification that AVX2 and AVX-512 code equals
// in every bit. Quantized weights here, float weights in matmul_float.cpp.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "kernels/kernels.h"
#include "kernels/matmul_types.h"
#include "kernels/quantized_rows.h"
#include "kernels/scalar/block_codes.h"
#include "kernels/scalar/matmul_float.h"
#include "kernels/share.h"

namespace galley::kernels::scalar {
namespace {

// 32 quantized activations: x[j] ~ d * q[j] (see QuantizedRows).
struct XBlock {
  std::int8_t q[32];
  float d;
  float sum;  // d * (the sum of q)
  std::int16_t sums[2];
};

// Block `b` of `token`.
XBlock load_block(const QuantizedRows& x, const BlockWalk& walk, std::int64_t n_blocks,
                  std::int64_t token, std::int64_t b) {
  const std::int64_t tile = token / kTileTokens * kTileTokens;  // its first token
  const std::int64_t c = std::min(kTileTokens, x.tokens - tile);
  const std::int64_t i = token - tile;
  const std::int64_t place = walk.start[b % 8] + b / 8;
  const std::byte* from = x.tiles + (tile * n_blocks + c * place) * kQuantizedBlockBytes;
  XBlock out;
  for (int k = 0; k < 8; ++k) std::memcpy(out.q + 4 * k, from + 4 * (k * c + i), 4);
  std::memcpy(&out.d, from + 32 * c + 4 * i, 4);
  std::memcpy(&out.sum, from + 36 * c + 4 * i, 4);
  std::memcpy(out.sums, from + 40 * c + 4 * i, 4);
  return out;
}

// The sum of the 32 products of integers. Exact.
std::int32_t block_dot(const BlockCodes& w, const XBlock& x) {
  std::int32_t halves[2] = {0, 0};
  for (int i = 0; i < 32; ++i) halves[i / 16] += w.code[i] * x.q[i];
  return w.scale[0] * halves[0] + w.scale[1] * halves[1];
}

// `partial` plus the products of one block, each term rounded once.
template <int n_minimums>
float add_block(const BlockCodes& w, const XBlock& x, float partial) {
  partial = std::fma(static_cast<float>(block_dot(w, x)), w.d * x.d, partial);
  if constexpr (n_minimums == 1) {
    partial = std::fma(w.min[0], x.sum, partial);
  } else if constexpr (n_minimums == 2) {
    partial = std::fma(w.min[0], x.d * static_cast<float>(x.sums[0]), partial);
    partial = std::fma(w.min[1], x.d * static_cast<float>(x.sums[1]), partial);
  }
  return partial;
}

// One output: eight interleaved partial sums over the blocks, then a fixed tree.
template <int n_minimums>
float dot_row(const BlockCodes* w, const QuantizedRows& x, const BlockWalk& walk,
              std::int64_t n_blocks, std::int64_t token) {
  float p[8] = {};
  for (std::int64_t b = 0; b < n_blocks; ++b) {
    p[b % 8] = add_block<n_minimums>(w[b], load_block(x, walk, n_blocks, token, b), p[b % 8]);
  }
  return ((p[0] + p[4]) + (p[2] + p[6])) + ((p[1] + p[5]) + (p[3] + p[7]));
}

template <class Block>
void matmul_blocks(const MatmulArgs& args, Part part) {
  const std::int64_t n_blocks = args.cols / 32;
  const auto* weights = reinterpret_cast<const Block*>(args.weights);
  auto* codes = reinterpret_cast<BlockCodes*>(args.scratch);  // of one row
  const BlockWalk walk = block_walk(n_blocks);
  const Range rows = share(args.rows, part);
  for (std::int64_t r = rows.begin; r < rows.end; ++r) {
    const Block* row = weights + r * (n_blocks / kGroups<Block>);
    for (std::int64_t b = 0; b < n_blocks; ++b) {
      codes[b] = unpack(row[b / kGroups<Block>], static_cast<int>(b % kGroups<Block>));
    }
    for (std::int64_t t = 0; t < args.tokens; ++t) {
      args.y[t * args.y_stride + r] = dot_row<kMinimums<Block>>(codes, args.xq, walk, n_blocks, t);
    }
  }
}

}  // namespace

void matmul(const MatmulArgs& args, Part part) {
  switch (args.type) {
    case DType::kF32:
    case DType::kF16:
    case DType::kBF16:
      return matmul_float(args, part);
    case DType::kQ4_0:
      return matmul_blocks<BlockQ4_0>(args, part);
    case DType::kQ4_1:
      return matmul_blocks<BlockQ4_1>(args, part);
    case DType::kQ5_0:
      return matmul_blocks<BlockQ5_0>(args, part);
    case DType::kQ5_1:
      return matmul_blocks<BlockQ5_1>(args, part);
    case DType::kQ8_0:
      return matmul_blocks<BlockQ8_0>(args, part);
    case DType::kQ2_K:
      return matmul_blocks<BlockQ2_K>(args, part);
    case DType::kQ3_K:
      return matmul_blocks<BlockQ3_K>(args, part);
    case DType::kQ4_K:
      return matmul_blocks<BlockQ4_K>(args, part);
    case DType::kQ5_K:
      return matmul_blocks<BlockQ5_K>(args, part);
    case DType::kQ6_K:
      return matmul_blocks<BlockQ6_K>(args, part);
    case DType::kIQ4_NL:
      return matmul_blocks<BlockIQ4_NL>(args, part);
    case DType::kIQ4_XS:
      return matmul_blocks<BlockIQ4_XS>(args, part);
    case DType::kTQ1_0:
      return matmul_blocks<BlockTQ1_0>(args, part);
    case DType::kTQ2_0:
      return matmul_blocks<BlockTQ2_0>(args, part);
    default:
      no_matmul_for(args.type);
  }
}

}  // namespace galley::kernels::scalar
