#include "kernels/quantized_rows.h"

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "kernels/args.h"
#include "kernels/share.h"

namespace galley::kernels::avx2 {
namespace {

// 32 activations in four registers, rounded; see scalar/quantize_rows.cpp for the rules.
struct QuantizedBlock {
  __m256i q;
  float d;
  float sum;
  std::int32_t sums;  // of the two halves, 16 bits each
  std::int32_t start;
};

// The largest magnitude's bit pattern.
std::uint32_t largest_magnitude(const __m256 (&x)[4]) {
  const __m256i mask = _mm256_set1_epi32(0x7fffffff);
  __m256i m = _mm256_setzero_si256();
  for (const __m256 v : x) {
    m = _mm256_max_epu32(m, _mm256_and_si256(_mm256_castps_si256(v), mask));
  }
  __m128i four = _mm_max_epu32(_mm256_castsi256_si128(m), _mm256_extracti128_si256(m, 1));
  four = _mm_max_epu32(four, _mm_shuffle_epi32(four, 0b01001110));
  four = _mm_max_epu32(four, _mm_shuffle_epi32(four, 0b10110001));
  return static_cast<std::uint32_t>(_mm_cvtsi128_si32(four));
}

// The sum of all eight lanes.
std::int32_t total(__m256i v) {
  __m128i four = _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
  four = _mm_add_epi32(four, _mm_shuffle_epi32(four, 0b01001110));
  four = _mm_add_epi32(four, _mm_shuffle_epi32(four, 0b10110001));
  return _mm_cvtsi128_si32(four);
}

QuantizedBlock quantize_block(const float* from) {
  __m256 x[4];
  for (int i = 0; i < 4; ++i) x[i] = _mm256_loadu_ps(from + 8 * i);
  const std::uint32_t bits = largest_magnitude(x);
  if (bits >= 0x7f800000u) {
    return {_mm256_setzero_si256(), __builtin_nanf(""), __builtin_nanf(""), 0, 0};
  }
  float largest;
  __builtin_memcpy(&largest, &bits, 4);
  if (largest < 0x1p-110f) return {_mm256_setzero_si256(), 0.0f, 0.0f, 0, 0};

  const __m256 inverse = _mm256_set1_ps(127.0f / largest);
  __m256i q[4];
  for (int i = 0; i < 4; ++i) q[i] = _mm256_cvtps_epi32(_mm256_mul_ps(x[i], inverse));
  const std::int32_t first = total(_mm256_add_epi32(q[0], q[1]));
  const std::int32_t last = total(_mm256_add_epi32(q[2], q[3]));

  QuantizedBlock out;
  // Packing works in halves of registers; the permutation puts the dwords in order again.
  const __m256i bytes =
      _mm256_packs_epi16(_mm256_packs_epi32(q[0], q[1]), _mm256_packs_epi32(q[2], q[3]));
  out.q = _mm256_permutevar8x32_epi32(bytes, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
  out.d = largest / 127.0f;
  out.sum = out.d * static_cast<float>(first + last);
  out.sums = static_cast<std::int32_t>((static_cast<std::uint32_t>(last) << 16) |
                                       (static_cast<std::uint32_t>(first) & 0xffffu));
  out.start = -128 * (first + last);
  return out;
}

// Writes `block` as token `i` of the `c` tokens of a tile whose block begins at `to`.
void store_block(const QuantizedBlock& block, std::byte* to, std::int64_t c, std::int64_t i) {
  if (c == 1) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), block.q);
  } else {
    alignas(32) std::int32_t q[8];
    _mm256_store_si256(reinterpret_cast<__m256i*>(q), block.q);
    for (int k = 0; k < 8; ++k) __builtin_memcpy(to + 4 * (k * c + i), q + k, 4);
  }
  __builtin_memcpy(to + 32 * c + 4 * i, &block.d, 4);
  __builtin_memcpy(to + 36 * c + 4 * i, &block.sum, 4);
  __builtin_memcpy(to + 40 * c + 4 * i, &block.sums, 4);
  __builtin_memcpy(to + 44 * c + 4 * i, &block.start, 4);
}

void store_remainder(const float* x, const QuantizedBlock& block, float* remainder) {
  alignas(32) std::int8_t q[32];
  _mm256_store_si256(reinterpret_cast<__m256i*>(q), block.q);
  const __m256 minus_d = _mm256_set1_ps(-block.d);
  for (int i = 0; i < 32; i += 8) {
    const __m128i eight = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(q + i));
    const __m256 value = _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(eight));
    _mm256_storeu_ps(remainder + i, _mm256_fmadd_ps(minus_d, value, _mm256_loadu_ps(x + i)));
  }
}

}  // namespace

void quantize_rows(const QuantizeRowsArgs& args, Part part) {
  const std::int64_t n_blocks = args.cols / 32;
  const BlockWalk walk = block_walk(n_blocks);
  const Range items = share(args.tokens * n_blocks, part);
  std::int64_t row = items.begin / n_blocks;
  std::int64_t b = items.begin % n_blocks;
  for (std::int64_t item = items.begin; item < items.end; ++item) {
    const std::int64_t token = args.first_token + row;
    const std::int64_t tile = token / kTileTokens * kTileTokens;  // its first token
    const std::int64_t rest = args.out.tokens - tile;
    const std::int64_t c = rest < kTileTokens ? rest : kTileTokens;
    const std::int64_t place = walk.start[b % 8] + b / 8;
    const float* x = args.x + row * args.x_stride + b * 32;
    const QuantizedBlock block = quantize_block(x);
    store_block(block, args.out.tiles + (tile * n_blocks + c * place) * kQuantizedBlockBytes, c,
                token - tile);
    if (args.remainder != nullptr) {
      store_remainder(x, block, args.remainder + row * args.cols + b * 32);
    }
    if (++b == n_blocks) {
      b = 0;
      ++row;
    }
  }
}

}  // namespace galley::kernels::avx2
