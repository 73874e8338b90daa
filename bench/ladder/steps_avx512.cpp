// Step 7: AVX-512 with VNNI. (Each ISA file has helpers of its own: none is shared between flags.)
#include <immintrin.h>

#include "bench/ladder/ladder.h"

namespace galley::ladder {

// ---- 7: 64 products in one instruction, 32 rows and six tokens in registers ---------------------

namespace {

// A block of the panel: 32 rows, one per 32-bit lane of two registers.
struct Panel32 {
  __m512i codes[8][2];  // codes[k]: columns 4 k .. 4 k + 3 of each row
  __m512 d[2];
};
static_assert(sizeof(Panel32) == kPanelBlockBytes);

// Unpacks rows r .. r + 31.
void unpack(const Product& p, std::int64_t r, Panel32* panel) {
  const std::int64_t n_blocks = p.cols / 32;
  const auto row_bytes = static_cast<int>(n_blocks * static_cast<int>(sizeof(BlockQ4_0)));
  const __m512i row_offsets =
      _mm512_mullo_epi32(_mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15),
                         _mm512_set1_epi32(row_bytes));
  const __m512i low_bits = _mm512_set1_epi8(15);
  for (std::int64_t b = 0; b < n_blocks; ++b) {
    for (int u = 0; u < 2; ++u) {
      const BlockQ4_0* block = p.w + (r + 16 * u) * n_blocks + b;
      for (int k = 0; k < 4; ++k) {
        const __m512i bytes = _mm512_i32gather_epi32(row_offsets, block->qs + 4 * k, 1);
        panel[b].codes[k][u] = _mm512_and_si512(bytes, low_bits);
        panel[b].codes[k + 4][u] = _mm512_and_si512(_mm512_srli_epi16(bytes, 4), low_bits);
      }
      const __m512i d = _mm512_i32gather_epi32(row_offsets, block, 1);  // and two bytes too many
      panel[b].d[u] = _mm512_cvtph_ps(_mm512_cvtepi32_epi16(d));
    }
  }
}

// The products of a panel with c tokens: 2 c integer sums and 2 c float sums stay in registers.
template <int c>
void multiply(const Product& p, const Panel32* panel, std::int64_t r, std::int64_t t) {
  const std::int64_t n_blocks = p.cols / 32;
  const XBlock* x = p.xq + t * n_blocks;
  __m512 sum[c][2] = {};
  for (std::int64_t b = 0; b < n_blocks; ++b) {
    __m512i integers[c][2];
#pragma GCC unroll 6
    for (int i = 0; i < c; ++i) {  // the offset of the codes is where the sums begin
      integers[i][0] = integers[i][1] = _mm512_set1_epi32(-8 * x[i * n_blocks + b].sum);
    }
#pragma GCC unroll 8
    for (int k = 0; k < 8; ++k) {
#pragma GCC unroll 6
      for (int i = 0; i < c; ++i) {
        int q = 0;  // four activations, the same for all rows
        __builtin_memcpy(&q, x[i * n_blocks + b].q + 4 * k, 4);
        for (int u = 0; u < 2; ++u) {
          integers[i][u] =
              _mm512_dpbusd_epi32(integers[i][u], panel[b].codes[k][u], _mm512_set1_epi32(q));
        }
      }
    }
#pragma GCC unroll 6
    for (int i = 0; i < c; ++i) {
      for (int u = 0; u < 2; ++u) {
        const __m512 d = _mm512_mul_ps(panel[b].d[u], _mm512_set1_ps(x[i * n_blocks + b].d));
        sum[i][u] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(integers[i][u]), d, sum[i][u]);
      }
    }
  }
  for (int i = 0; i < c; ++i) {
    _mm512_storeu_ps(p.y + (t + i) * p.rows + r, sum[i][0]);
    _mm512_storeu_ps(p.y + (t + i) * p.rows + r + 16, sum[i][1]);
  }
}

}  // namespace

void avx512_panel(const Product& p) {
  quantize_activations(p);
  auto* panel = reinterpret_cast<Panel32*>(p.panel);
  for (std::int64_t r = 0; r < p.rows; r += 32) {
    unpack(p, r, panel);
    std::int64_t t = 0;
    for (; t + 6 <= p.tokens; t += 6) multiply<6>(p, panel, r, t);
    for (; t < p.tokens; ++t) multiply<1>(p, panel, r, t);
  }
}

}  // namespace galley::ladder
