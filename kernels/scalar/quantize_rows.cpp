#include "kernels/quantized_rows.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

#include "kernels/kernels.h"
#include "kernels/scalar/block_products.h"
#include "kernels/share.h"

namespace galley::kernels::scalar {
namespace {

constexpr std::int64_t kBlock = 32;
// Blocks whose largest magnitude is smaller than this become zeros: 127 / max must not overflow.
constexpr float kTiny = 0x1p-110f;

// The largest |x[i]| of a block as its bit pattern: those of floats are ordered as the floats
// are, and infinities and NaN come above all numbers.
std::uint32_t largest_magnitude_bits(const float* x) {
  std::uint32_t largest = 0;
  for (int i = 0; i < kBlock; ++i) {
    largest = std::max(largest, std::bit_cast<std::uint32_t>(x[i]) & 0x7fffffffu);
  }
  return largest;
}

// Writes `block` as token `i` of the `c` tokens of a tile whose block begins at `to`.
void store_block(const QuantizedBlock& block, std::byte* to, std::int64_t c, std::int64_t i) {
  for (int k = 0; k < 8; ++k) std::memcpy(to + 4 * (k * c + i), block.q + 4 * k, 4);
  std::memcpy(to + 32 * c + 4 * i, &block.d, 4);
  std::memcpy(to + 36 * c + 4 * i, &block.sum, 4);
  std::memcpy(to + 40 * c + 4 * i, block.sums, 4);
  const std::int32_t start = -128 * (block.sums[0] + block.sums[1]);
  std::memcpy(to + 44 * c + 4 * i, &start, 4);
}

}  // namespace

QuantizedBlock quantize_block(const float* x) {
  QuantizedBlock out{};
  const std::uint32_t bits = largest_magnitude_bits(x);
  if (bits >= 0x7f800000u) {
    out.d = out.sum = std::numeric_limits<float>::quiet_NaN();
    return out;
  }
  const float largest = std::bit_cast<float>(bits);
  if (largest < kTiny) return out;
  const float inverse = 127.0f / largest;
  for (int i = 0; i < kBlock; ++i) {
    // To nearest even: the rounding mode that nobody changes.
    out.q[i] = static_cast<std::int8_t>(std::nearbyint(x[i] * inverse));
    out.sums[i / 16] = static_cast<std::int16_t>(out.sums[i / 16] + out.q[i]);
  }
  out.d = largest / 127.0f;
  out.sum = out.d * static_cast<float>(out.sums[0] + out.sums[1]);
  return out;
}

void store_remainder(const float* x, const QuantizedBlock& block, float* remainder) {
  for (int i = 0; i < kBlock; ++i) {
    remainder[i] = std::fma(-block.d, static_cast<float>(block.q[i]), x[i]);
  }
}

void quantize_rows(const QuantizeRowsArgs& args, Part part) {
  const std::int64_t n_blocks = args.cols / kBlock;
  const BlockWalk walk = block_walk(n_blocks);
  const Range blocks = share(args.tokens * n_blocks, part);
  for (std::int64_t item = blocks.begin; item < blocks.end; ++item) {
    const std::int64_t row = item / n_blocks;
    const std::int64_t b = item % n_blocks;
    const std::int64_t token = args.first_token + row;
    const std::int64_t tile = token / kTileTokens * kTileTokens;  // its first token
    const std::int64_t c = std::min(kTileTokens, args.out.tokens - tile);
    const std::int64_t place = walk.start[b % 8] + b / 8;
    std::byte* to = args.out.tiles + (tile * n_blocks + c * place) * kQuantizedBlockBytes;
    const float* x = args.x + row * args.x_stride + b * kBlock;
    const QuantizedBlock block = quantize_block(x);
    store_block(block, to, c, token - tile);
    if (args.remainder != nullptr) {
      store_remainder(x, block, args.remainder + row * args.cols + b * kBlock);
    }
  }
}

}  // namespace galley::kernels::scalar
