// Products with weights, plain and slow: the specification that AVX2 and AVX-512 code equals
// in every bit. Quantized weights here, float weights in matmul_float.cpp.
#include <algorithm>
#include <cstring>

#include "kernels/kernels.h"
#include "kernels/quantized_rows.h"
#include "kernels/scalar/block_products.h"
#include "kernels/scalar/block_types.h"
#include "kernels/scalar/matmul_float.h"
#include "kernels/share.h"

namespace galley::kernels::scalar {
namespace {

// Block `b` of `token`.
QuantizedBlock load_block(const QuantizedRows& x, const BlockWalk& walk, std::int64_t n_blocks,
                          std::int64_t token, std::int64_t b) {
  const std::int64_t tile = token / kTileTokens * kTileTokens;  // its first token
  const std::int64_t c = std::min(kTileTokens, x.tokens - tile);
  const std::int64_t i = token - tile;
  const std::int64_t place = walk.start[b % 8] + b / 8;
  const std::byte* from = x.tiles + (tile * n_blocks + c * place) * kQuantizedBlockBytes;
  QuantizedBlock out;
  for (int k = 0; k < 8; ++k) std::memcpy(out.q + 4 * k, from + 4 * (k * c + i), 4);
  std::memcpy(&out.d, from + 32 * c + 4 * i, 4);
  std::memcpy(&out.sum, from + 36 * c + 4 * i, 4);
  std::memcpy(out.sums, from + 40 * c + 4 * i, 4);
  return out;
}

// One output: eight interleaved partial sums over the blocks, then a fixed tree.
template <int n_minimums>
float dot_row(const BlockCodes* w, const QuantizedRows& x, const BlockWalk& walk,
              std::int64_t n_blocks, std::int64_t token) {
  float p[8] = {};
  for (std::int64_t b = 0; b < n_blocks; ++b) {
    p[b % 8] = add_block<n_minimums>(w[b], load_block(x, walk, n_blocks, token, b), p[b % 8]);
  }
  return sum_of_eight(p);
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
    default:
      return with_block_type(args.type,
                             [&](auto block) { matmul_blocks<decltype(block)>(args, part); });
  }
}

}  // namespace galley::kernels::scalar
