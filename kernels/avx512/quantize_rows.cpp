#include "kernels/quantized_rows.h"

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "kernels/args.h"
#include "kernels/share.h"
#include "kernels/unroll.h"

namespace galley::kernels::avx512 {
namespace {

// 32 activations in two registers, rounded; see scalar/quantize_rows.cpp for the rules.
struct QuantizedBlock {
  __m256i q;
  float d;
  float sum;
  std::int32_t sums;  // of the two halves, 16 bits each
  std::int32_t start;
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
  out.start = -128 * (sum_a + sum_b);
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
  __builtin_memcpy(to + 44 * c + 4 * i, &block.start, 4);
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

// ---- all tokens of a tile at once ---------------------------------------------------------------

static_assert(kTileTokens == 6);

// Lane t: the largest of the 16 lanes of x[t], as bits.
__m256i largest_of_each(const __m512i (&x)[6]) {
  __m256i eight[8];
  for (int t = 0; t < 8; ++t) {
    const __m512i v = x[t < 6 ? t : t - 2];
    eight[t] = _mm256_max_epu32(_mm512_castsi512_si256(v), _mm512_extracti64x4_epi64(v, 1));
  }
  __m256i two[4];  // lanes of two rows in turn
  for (int i = 0; i < 4; ++i) {
    two[i] = _mm256_max_epu32(_mm256_unpacklo_epi32(eight[2 * i], eight[2 * i + 1]),
                              _mm256_unpackhi_epi32(eight[2 * i], eight[2 * i + 1]));
  }
  __m256i four[2];
  for (int i = 0; i < 2; ++i) {
    four[i] = _mm256_max_epu32(_mm256_unpacklo_epi64(two[2 * i], two[2 * i + 1]),
                               _mm256_unpackhi_epi64(two[2 * i], two[2 * i + 1]));
  }
  return _mm256_max_epu32(_mm256_permute2x128_si256(four[0], four[1], 0x20),
                          _mm256_permute2x128_si256(four[0], four[1], 0x31));
}

// The codes of tokens 2 i and 2 i + 1, quarter j of the register having columns 4 j .. 4 j + 3 and
// 16 + 4 j .. of the first token, then of the second.
struct SixCodes {
  __m512i two[3];
};

SixCodes round_six(const __m512 (&x)[6][2], __m256 inverse) {
  const __m512 inverses = _mm512_castps256_ps512(inverse);
  __m512i words[6];
  unroll<6>([&](auto token) GALLEY_INLINE {
    constexpr int t = decltype(token)::value;
    const __m512 factor = _mm512_permutexvar_ps(_mm512_set1_epi32(t), inverses);
    words[t] = _mm512_packs_epi32(_mm512_cvtps_epi32(_mm512_mul_ps(x[t][0], factor)),
                                  _mm512_cvtps_epi32(_mm512_mul_ps(x[t][1], factor)));
  });
  return {_mm512_packs_epi16(words[0], words[1]), _mm512_packs_epi16(words[2], words[3]),
          _mm512_packs_epi16(words[4], words[5])};
}

// Stores them in the order of QuantizedRows: dword 6 k + t has columns 4 k .. 4 k + 3 of token t.
void store_codes(const SixCodes& codes, std::byte* to) {
  for (int i = 0; i < 3; ++i) {
    alignas(64) std::int32_t from[16];  // of two[0] and two[1], else of two[2]
    std::uint32_t is_last = 0;
    for (int lane = 0; lane < 16; ++lane) {
      const int k = (16 * i + lane) / 6;
      const int t = (16 * i + lane) % 6;
      from[lane] = t / 2 % 2 * 16 + k % 4 * 4 + t % 2 * 2 + k / 4;
      is_last |= (t >= 4 ? 1u : 0u) << lane;
    }
    const __m512i index = _mm512_load_si512(from);
    const __m512i first = _mm512_permutex2var_epi32(codes.two[0], index, codes.two[1]);
    _mm512_storeu_si512(
        to + 64 * i,
        _mm512_mask_permutexvar_epi32(first, static_cast<__mmask16>(is_last), index, codes.two[2]));
  }
}

// The sums of the halves of two tokens' codes: first and last of one, then of the other.
__m128i sums_of_halves(__m512i two) {
  const __m512i dwords = _mm512_dpbusd_epi32(_mm512_setzero_si512(), _mm512_set1_epi8(1), two);
  const __m256i half =
      _mm256_add_epi32(_mm512_castsi512_si256(dwords), _mm512_extracti64x4_epi64(dwords, 1));
  return _mm_add_epi32(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
}

// Quantizes a block of six tokens, `stride` floats apart, to `to`. Only if all is finite.
bool quantize_six(const float* from, std::int64_t stride, std::byte* to) {
  const __m512i mask = _mm512_set1_epi32(0x7fffffff);
  __m512 x[6][2];
  __m512i magnitudes[6];
  unroll<6>([&](auto token) GALLEY_INLINE {
    constexpr int t = decltype(token)::value;
    for (int i = 0; i < 2; ++i) x[t][i] = _mm512_loadu_ps(from + t * stride + 16 * i);
    magnitudes[t] = _mm512_max_epu32(_mm512_and_si512(_mm512_castps_si512(x[t][0]), mask),
                                     _mm512_and_si512(_mm512_castps_si512(x[t][1]), mask));
  });
  const __m256i bits = largest_of_each(magnitudes);
  if (_mm256_cmpge_epu32_mask(bits, _mm256_set1_epi32(0x7f800000)) != 0) return false;
  const __m256 largest = _mm256_castsi256_ps(bits);
  const __mmask8 is_normal = _mm256_cmp_ps_mask(largest, _mm256_set1_ps(0x1p-110f), _CMP_GE_OQ);
  const __m256 most = _mm256_set1_ps(127.0f);
  const SixCodes codes = round_six(x, _mm256_maskz_div_ps(is_normal, most, largest));
  store_codes(codes, to);

  const __m128i halves[3] = {sums_of_halves(codes.two[0]), sums_of_halves(codes.two[1]),
                             sums_of_halves(codes.two[2])};
  const __m256i sums = _mm256_set_m128i(_mm_packs_epi32(halves[2], halves[2]),
                                        _mm_packs_epi32(halves[0], halves[1]));
  const __m256i sum = _mm256_madd_epi16(sums, _mm256_set1_epi16(1));
  const __m256 d = _mm256_maskz_div_ps(is_normal, largest, most);
  const auto store = [to](int place, __m256i six) {
    _mm256_mask_storeu_epi32(to + 24 * place, 0x3f, six);
  };
  store(8, _mm256_castps_si256(d));
  store(9, _mm256_castps_si256(_mm256_mul_ps(d, _mm256_cvtepi32_ps(sum))));
  store(10, sums);
  store(11, _mm256_sub_epi32(_mm256_setzero_si256(), _mm256_slli_epi32(sum, 7)));
  return true;
}

}  // namespace

// The parts share the blocks of tiles.
void quantize_rows(const QuantizeRowsArgs& args, Part part) {
  const std::int64_t n_blocks = args.cols / 32;
  const BlockWalk walk = block_walk(n_blocks);
  const std::int64_t end = args.first_token + args.tokens;
  const std::int64_t first_tile = args.first_token / kTileTokens;
  const std::int64_t n_tiles = (end + kTileTokens - 1) / kTileTokens - first_tile;
  const Range items = share(n_tiles * n_blocks, part);
  std::int64_t tile = (first_tile + items.begin / n_blocks) * kTileTokens;  // its first token
  std::int64_t b = items.begin % n_blocks;
  for (std::int64_t item = items.begin; item < items.end; ++item) {
    const std::int64_t rest = args.out.tokens - tile;
    const std::int64_t c = rest < kTileTokens ? rest : kTileTokens;
    const std::int64_t place = walk.start[b % 8] + b / 8;
    std::byte* to = args.out.tiles + (tile * n_blocks + c * place) * kQuantizedBlockBytes;
    const std::int64_t row = tile - args.first_token;  // of the first token
    const float* x = args.x + row * args.x_stride + b * 32;
    const bool is_whole = row >= 0 && row + kTileTokens <= args.tokens;
    if (!is_whole || args.remainder != nullptr || !quantize_six(x, args.x_stride, to)) {
      for (std::int64_t i = row < 0 ? -row : 0; i < c && row + i < args.tokens; ++i) {
        const QuantizedBlock block = quantize_block(x + i * args.x_stride);
        store_block(block, to, c, i);
        if (args.remainder == nullptr) continue;
        store_remainder(x + i * args.x_stride, block,
                        args.remainder + (row + i) * args.cols + b * 32);
      }
    }
    if (++b == n_blocks) {
      b = 0;
      tile += kTileTokens;
    }
  }
}

}  // namespace galley::kernels::avx512
