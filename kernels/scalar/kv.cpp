// Keys and values on their way into the cache, rounded to its type.
#include <bit>
#include <cmath>
#include <cstring>

#include "kernels/kernels.h"
#include "kernels/share.h"
#include "tensor/blocks.h"
#include "tensor/half.h"

namespace galley::kernels::scalar {
namespace {

void store_f16(const float* x, std::int64_t n, std::byte* out) {
  for (std::int64_t i = 0; i < n; ++i) {
    const std::uint16_t half = float_to_half(x[i]);
    std::memcpy(out + 2 * i, &half, sizeof(half));
  }
}

// One block of 32: d = max|x| / 127, q = x / d to the nearest integer, ties to even. A
// non-finite value makes d NaN, so that it surfaces in the output.
BlockQ8_0 quantize_block(const float* x) {
  std::uint32_t max_bits = 0;  // of |x|; the bits of magnitudes order like the magnitudes
  for (int i = 0; i < 32; ++i) {
    const std::uint32_t bits = std::bit_cast<std::uint32_t>(x[i]) & 0x7fffffffu;
    max_bits = bits > max_bits ? bits : max_bits;
  }
  BlockQ8_0 block{};
  if (max_bits >= 0x7f800000u) {
    block.d = 0x7e00;
    return block;
  }
  const float d = std::bit_cast<float>(max_bits) / 127.0f;
  const float inverse = d >= 0x1p-126f ? 1.0f / d : 0.0f;  // 1 / d must not overflow
  block.d = float_to_half(d);
  for (int i = 0; i < 32; ++i) {
    block.qs[i] = static_cast<std::int8_t>(std::nearbyint(x[i] * inverse));
  }
  return block;
}

void store_q8_0(const float* x, std::int64_t n, std::byte* out) {
  for (std::int64_t i = 0; i < n / 32; ++i) {
    const BlockQ8_0 block = quantize_block(x + 32 * i);
    std::memcpy(out + i * static_cast<std::int64_t>(sizeof(block)), &block, sizeof(block));
  }
}

}  // namespace

void store_kv(const StoreKvArgs& args, Part part) {
  const KvTensor& out = args.out;
  const Range rows = share(args.tokens * args.n_kv_heads, part);
  for (std::int64_t i = rows.begin; i < rows.end; ++i) {
    const std::int64_t token = i / args.n_kv_heads;
    const std::int64_t head = i % args.n_kv_heads;
    const float* x = args.x + token * args.x_stride + head * out.head_size;
    std::byte* row = out.data + args.sequences[token] * out.sequence_bytes + head * out.head_bytes +
                     args.positions[token] % out.n_slots * out.row_bytes;
    if (out.type == DType::kF16) {
      store_f16(x, out.head_size, row);
    } else if (out.type == DType::kQ8_0) {
      store_q8_0(x, out.head_size, row);
    } else {
      std::memcpy(row, x, static_cast<std::size_t>(out.head_size) * sizeof(float));
    }
  }
}

}  // namespace galley::kernels::scalar
