#include "kernels/quantized_rows.h"

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "kernels/args.h"
#include "kernels/share.h"

namespace galley::kernels::avx512 {
namespace {

// 32 activations in two registers, rounded; see scalar/quantize_rows.cpp for the rules.
struct QuantizedBlock {
  __m256i q;
  float d;
  float sum;
  std::int32_t sums;  // of the two halves, 16 bits each
};

// The bit pattern of the largest magnitude: that of a NaN is larger than that of any number.
std::uint32_t largest_magnitude(__m512i a, __m512i b) {
  const __m512i mask = _mm512_set1_epi32(0x7fffffff);
  return _mm512_reduce_max_epu32(
      _mm512_max_epu32(_mm512_and_si512(a, mask), _mm512_and_si512(b, mask)));
}

QuantizedBlock quantize_block(const float* x) {
  const __m512 a = _mm512_loadu_ps(x);
  const __m512 b = _mm512_loadu_ps(x + 16);
  const std::uint32_t bits = largest_magnitude(_mm512_castps_si512(a), _mm512_castps_si512(b));
  float largest;
  __builtin_memcpy(&largest, &bits, sizeof(largest));
  // Below the tiniest or not finite: all q are 0.
  const bool is_finite = bits < 0x7f800000u;
  const bool is_normal = is_finite && largest >= 0x1p-110f;
  const __mmask16 kept = is_normal ? 0xffff : 0;
  const __m512 inverse = _mm512_set1_ps(is_normal ? 127.0f / largest : 0.0f);
  const __m512i qa = _mm512_maskz_cvtps_epi32(kept, _mm512_mul_ps(a, inverse));
  const __m512i qb = _mm512_maskz_cvtps_epi32(kept, _mm512_mul_ps(b, inverse));

  QuantizedBlock out;
  out.q = _mm256_set_m128i(_mm512_cvtepi32_epi8(qb), _mm512_cvtepi32_epi8(qa));
  // The sums of the two halves of the block, in the two halves of a register.
  __m256i sums = _mm256_dpbusd_epi32(_mm256_setzero_si256(), _mm256_set1_epi8(1), out.q);
  sums = _mm256_add_epi32(sums, _mm256_shuffle_epi32(sums, 0x4e));
  sums = _mm256_add_epi32(sums, _mm256_shuffle_epi32(sums, 0xb1));
  const std::int32_t sum_a = _mm256_cvtsi256_si32(sums);
  const std::int32_t sum_b = _mm256_extract_epi32(sums, 4);
  out.sums = static_cast<std::int32_t>((static_cast<std::uint32_t>(sum_b) << 16) |
                                       (static_cast<std::uint32_t>(sum_a) & 0xffffu));
  out.d = is_normal ? largest / 127.0f : is_finite ? 0.0f : __builtin_nanf("");
  out.sum = out.d * static_cast<float>(sum_a + sum_b);
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
}

void store_remainder(const float* x, const QuantizedBlock& block, float* remainder) {
  const __m512 minus_d = _mm512_set1_ps(-block.d);
  const __m128i halves[2] = {_mm256_castsi256_si128(block.q), _mm256_extracti128_si256(block.q, 1)};
  for (int half = 0; half < 2; ++half) {
    const __m512 q = _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(halves[half]));
    _mm512_storeu_ps(remainder + 16 * half,
                     _mm512_fmadd_ps(minus_d, q, _mm512_loadu_ps(x + 16 * half)));
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

}  // namespace galley::kernels::avx512
