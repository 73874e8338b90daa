#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include "kernels/kernels.h"
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

void quantize_block(const float* x, std::int8_t* q, float* d, std::int16_t* sums) {
  const std::uint32_t bits = largest_magnitude_bits(x);
  const float largest = std::bit_cast<float>(bits);
  const bool is_finite = bits < 0x7f800000u;
  const bool is_zero = !is_finite || largest < kTiny;
  const float inverse = is_zero ? 0.0f : 127.0f / largest;
  *d = !is_finite ? std::numeric_limits<float>::quiet_NaN() : is_zero ? 0.0f : largest / 127.0f;
  for (int half = 0; half < 2; ++half) {
    int sum = 0;
    for (int i = 16 * half; i < 16 * half + 16; ++i) {
      // To nearest even: the rounding mode nobody changes.
      const int rounded = is_zero ? 0 : static_cast<int>(std::nearbyint(x[i] * inverse));
      q[i] = static_cast<std::int8_t>(rounded);
      sum += rounded;
    }
    sums[half] = static_cast<std::int16_t>(sum);
  }
}

}  // namespace

void quantize_rows(const QuantizeRowsArgs& args, Part part) {
  const std::int64_t n_blocks = args.cols / kBlock;
  const Range blocks = share(args.tokens * n_blocks, part);
  for (std::int64_t i = blocks.begin; i < blocks.end; ++i) {
    const std::int64_t t = i / n_blocks;
    const std::int64_t b = i % n_blocks;
    quantize_block(args.x + t * args.x_stride + b * kBlock, args.out.q + i * kBlock, args.out.d + i,
                   args.out.sums + 2 * i);
  }
}

}  // namespace galley::kernels::scalar
