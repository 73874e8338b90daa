// Steps 5 and 6: AVX2. (Each ISA file has helpers of its own: none is shared between flags.)
#include <immintrin.h>

#include "bench/ladder/ladder.h"

namespace galley::ladder {
namespace {

__m256i load(const void* from) { return _mm256_loadu_si256(static_cast<const __m256i*>(from)); }

float sum_of_lanes(__m256 v) {
  __m128 sum = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
  sum = _mm_add_ps(sum, _mm_movehl_ps(sum, sum));
  return _mm_cvtss_f32(_mm_add_ss(sum, _mm_movehdup_ps(sum)));
}

}  // namespace

// ---- 5: 32 products in three instructions -------------------------------------------------------

void avx2_dot(const Product& p) {
  quantize_activations(p);
  const std::int64_t n_blocks = p.cols / 32;
  const __m256i low_bits = _mm256_set1_epi8(15);
  const __m256i ones = _mm256_set1_epi16(1);
  for (std::int64_t r = 0; r < p.rows; ++r) {
    const BlockQ4_0* w = p.w + r * n_blocks;
    for (std::int64_t t = 0; t < p.tokens; ++t) {
      const XBlock* x = p.xq + t * n_blocks;
      __m256 sum = _mm256_setzero_ps();
      for (std::int64_t b = 0; b < n_blocks; ++b) {
        // 16 bytes to 32 codes: the low halves of all, then the high halves.
        const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(w[b].qs));
        const __m256i both = _mm256_set_m128i(_mm_srli_epi16(bytes, 4), bytes);
        const __m256i codes =
            _mm256_sub_epi8(_mm256_and_si256(both, low_bits), _mm256_set1_epi8(8));
        // vpmaddubsw wants one factor without a sign: |code| times q with the sign of the code.
        const __m256i q = _mm256_sign_epi8(load(x[b].q), codes);
        const __m256i pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(codes), q);
        const __m256i integers = _mm256_madd_epi16(pairs, ones);
        const __m256 d = _mm256_set1_ps(_cvtsh_ss(w[b].d) * x[b].d);
        sum = _mm256_fmadd_ps(_mm256_cvtepi32_ps(integers), d, sum);
      }
      p.y[t * p.rows + r] = sum_of_lanes(sum);
    }
  }
}

// ---- 6: rows in lanes, unpacked once into a panel; a tile of tokens in registers ----------------

namespace {

// A block of the panel: eight rows, one per 32-bit lane.
struct Panel8 {
  __m256i codes[8];  // codes[k]: columns 4 k .. 4 k + 3 of each row
  __m256 d;
};

// Unpacks rows r .. r + 7.
void unpack(const Product& p, std::int64_t r, Panel8* panel) {
  const std::int64_t n_blocks = p.cols / 32;
  const auto row_bytes = static_cast<int>(n_blocks * static_cast<int>(sizeof(BlockQ4_0)));
  const __m256i row_offsets =
      _mm256_mullo_epi32(_mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7), _mm256_set1_epi32(row_bytes));
  const __m256i low_bits = _mm256_set1_epi8(15);
  for (std::int64_t b = 0; b < n_blocks; ++b) {
    const BlockQ4_0* block = p.w + r * n_blocks + b;
    for (int k = 0; k < 4; ++k) {
      const auto* from = reinterpret_cast<const int*>(block->qs + 4 * k);
      const __m256i bytes = _mm256_i32gather_epi32(from, row_offsets, 1);
      panel[b].codes[k] = _mm256_and_si256(bytes, low_bits);
      panel[b].codes[k + 4] = _mm256_and_si256(_mm256_srli_epi16(bytes, 4), low_bits);
    }
    float d[8];
    for (int i = 0; i < 8; ++i) d[i] = _cvtsh_ss(block[i * n_blocks].d);
    panel[b].d = _mm256_loadu_ps(d);
  }
}

// The products of a panel with c tokens: c sums of eight rows each stay in registers.
template <int c>
void multiply(const Product& p, const Panel8* panel, std::int64_t r, std::int64_t t) {
  const std::int64_t n_blocks = p.cols / 32;
  const XBlock* x = p.xq + t * n_blocks;
  __m256 sum[c] = {};
  for (std::int64_t b = 0; b < n_blocks; ++b) {
    __m256i narrow[c] = {};  // 16 bits are enough for eight steps: 8 * 2 * 15 * 127 < 2^15
#pragma GCC unroll 8
    for (int k = 0; k < 8; ++k) {
#pragma GCC unroll 6
      for (int i = 0; i < c; ++i) {
        int q = 0;  // four activations, the same for all rows
        __builtin_memcpy(&q, x[i * n_blocks + b].q + 4 * k, 4);
        const __m256i products = _mm256_maddubs_epi16(panel[b].codes[k], _mm256_set1_epi32(q));
        narrow[i] = _mm256_add_epi16(narrow[i], products);
      }
    }
#pragma GCC unroll 6
    for (int i = 0; i < c; ++i) {
      const XBlock& block = x[i * n_blocks + b];
      __m256i integers = _mm256_madd_epi16(narrow[i], _mm256_set1_epi16(1));
      integers = _mm256_sub_epi32(integers, _mm256_set1_epi32(8 * block.sum));
      const __m256 d = _mm256_mul_ps(panel[b].d, _mm256_set1_ps(block.d));
      sum[i] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(integers), d, sum[i]);
    }
  }
  for (int i = 0; i < c; ++i) _mm256_storeu_ps(p.y + (t + i) * p.rows + r, sum[i]);
}

}  // namespace

void avx2_panel(const Product& p) {
  quantize_activations(p);
  auto* panel = reinterpret_cast<Panel8*>(p.panel);
  for (std::int64_t r = 0; r < p.rows; r += 8) {
    unpack(p, r, panel);
    std::int64_t t = 0;
    for (; t + 6 <= p.tokens; t += 6) multiply<6>(p, panel, r, t);
    for (; t < p.tokens; ++t) multiply<1>(p, panel, r, t);
  }
}

}  // namespace galley::ladder
