// Cached keys and values as the other functions need them.
#include "kernels/avx512/attention_inner.h"

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "kernels/attention_paired.h"
#include "kernels/avx512/dword_lanes.h"
#include "kernels/avx512/lanes.h"
#include "tensor/blocks.h"
#include "tensor/dtype_enum.h"

namespace galley::kernels::avx512 {
namespace {

// ---- cached rows as floats ------------------------------------------------------------------

void load_f16(const std::byte* row, std::int64_t n, float* out) {
  for (std::int64_t i = 0; i < n; i += 16) {
    const __m256i halves = _mm256_maskz_loadu_epi16(first_lanes(n - i), row + 2 * i);
    _mm512_storeu_ps(out + i, _mm512_cvtph_ps(halves));
  }
}

void load_f32(const std::byte* row, std::int64_t n, float* out) {
  for (std::int64_t i = 0; i < n; i += 16) {
    _mm512_storeu_ps(out + i, _mm512_maskz_loadu_ps(first_lanes(n - i), row + 4 * i));
  }
}

}  // namespace

void load(const KvTensor& kv, const std::byte* rows, std::int64_t n_rows, float* out,
          std::int64_t columns) {
  for (std::int64_t i = 0; i < n_rows; ++i) {
    const std::byte* row = rows + i * kv.row_bytes;
    if (kv.type == DType::kF16) {
      load_f16(row, kv.head_size, out + i * columns);
    } else {
      load_f32(row, kv.head_size, out + i * columns);
    }
  }
}

namespace {

// ---- keys, turned, 16 positions --------------------------------------------------------------

void transpose(const float* rows, std::int64_t columns, float* out) {
  for (std::int64_t c = 0; c < columns; c += 4) {
    DwordLanes turned[4];
    DwordLanes::load16(reinterpret_cast<const std::byte*>(rows + c), 4 * columns, turned);
    for (int i = 0; i < 4; ++i) {
      _mm512_store_si512(out + (c + i) * kAttentionBlock, turned[i].v);
    }
  }
}

// Quarter i of `pairs` has rows 4 i .. 4 i + 3 of one column, then of the next, in words: puts all
// rows of the first before all of the second.
__m512i join_quarters(__m512i pairs) {
  return _mm512_permutexvar_epi64(_mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7), pairs);
}

// Turned as halves, eight columns at a time: half as many shuffles as for floats.
void turn_f16(const KvTensor& kv, const std::byte* rows, float* out) {
  for (std::int64_t c = 0; c < kv.head_size; c += 8) {
    __m512i row[4];  // and the 4th, the 8th and the 12th after it
    for (int i = 0; i < 4; ++i) row[i] = load_four(rows + 2 * c + i * kv.row_bytes, kv.row_bytes);
    const __m512i low01 = _mm512_unpacklo_epi16(row[0], row[1]);
    const __m512i low23 = _mm512_unpacklo_epi16(row[2], row[3]);
    const __m512i high01 = _mm512_unpackhi_epi16(row[0], row[1]);
    const __m512i high23 = _mm512_unpackhi_epi16(row[2], row[3]);
    const __m512i pairs[4] = {
        _mm512_unpacklo_epi32(low01, low23), _mm512_unpackhi_epi32(low01, low23),
        _mm512_unpacklo_epi32(high01, high23), _mm512_unpackhi_epi32(high01, high23)};
    for (int i = 0; i < 4; ++i) {
      const __m512i both = join_quarters(pairs[i]);
      float* column = out + (c + 2 * i) * kAttentionBlock;
      _mm512_store_ps(column, _mm512_cvtph_ps(_mm512_castsi512_si256(both)));
      _mm512_store_ps(column + kAttentionBlock,
                      _mm512_cvtph_ps(_mm512_extracti64x4_epi64(both, 1)));
    }
  }
}

// The F16 at the beginning of each of 16 rows.
__m512 load_halves(const std::byte* rows, std::int64_t stride) {
  __m512i row[4];
  for (int i = 0; i < 4; ++i) row[i] = load_four(rows + i * stride, stride);
  const __m512i pairs = _mm512_unpacklo_epi32(_mm512_unpacklo_epi16(row[0], row[1]),
                                              _mm512_unpacklo_epi16(row[2], row[3]));
  return _mm512_cvtph_ps(_mm512_castsi512_si256(join_quarters(pairs)));
}

// Turned as dwords of four codes. Queries have 128 added to theirs, so sums begin with -128 times
// the sum of a key's codes.
void turn_q8_0(const KvTensor& kv, const std::byte* rows, float* out) {
  const std::int64_t n_blocks = kv.head_size / 32;
  float* scales = out + 8 * n_blocks * kAttentionBlock;
  float* starts = scales + n_blocks * kAttentionBlock;
  for (std::int64_t b = 0; b < n_blocks; ++b) {
    const std::byte* block = rows + b * static_cast<std::int64_t>(sizeof(BlockQ8_0));
    _mm512_store_ps(scales + b * kAttentionBlock, load_halves(block, kv.row_bytes));
    __m512i added = _mm512_setzero_si512();
    for (int half = 0; half < 2; ++half) {
      DwordLanes codes[4];
      DwordLanes::load16(block + offsetof(BlockQ8_0, qs) + 16 * half, kv.row_bytes, codes);
      for (int i = 0; i < 4; ++i) {
        _mm512_store_si512(out + (8 * b + 4 * half + i) * kAttentionBlock, codes[i].v);
        added = _mm512_dpbusd_epi32(added, _mm512_set1_epi8(-128), codes[i].v);
      }
    }
    _mm512_store_si512(starts + b * kAttentionBlock,
                       _mm512_sub_epi32(_mm512_setzero_si512(), added));
  }
}

}  // namespace

void load_turned(const KvTensor& kv, const std::byte* rows, std::int64_t columns, float* scratch,
                 float* out) {
  if (kv.type == DType::kQ8_0) return turn_q8_0(kv, rows, out);
  if (kv.type == DType::kF16 && kv.head_size == columns) return turn_f16(kv, rows, out);
  load(kv, rows, 16, scratch, columns);
  transpose(scratch, columns, out);
}

namespace {

// ---- values, in pairs -------------------------------------------------------------------------

// 32 codes, their four quarters in the order 0, 2, 1, 3.
__m256i load_codes(const std::byte* block) {
  const std::byte* codes = block + offsetof(BlockQ8_0, qs);
  return _mm256_permute4x64_epi64(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(codes)),
                                  0b11'01'10'00);
}

}  // namespace

void load_paired(const KvTensor& kv, const std::byte* rows, std::int64_t begin, std::int64_t end,
                 std::int64_t columns, float* out) {
  const PairedValues<float> to{out, columns};
  const std::int64_t apart = 16 * kv.row_bytes;
  for (std::int64_t b = 0; b < kv.head_size / 32; ++b) {
    const std::byte* blocks = rows + b * static_cast<std::int64_t>(sizeof(BlockQ8_0));
    for (std::int64_t j = begin / 32 * 32; j < end; j += 32) {
      const std::byte* block = blocks + j * kv.row_bytes;
      _mm512_store_ps(to.d(b) + j, load_halves(block, kv.row_bytes));
      _mm512_store_ps(to.d(b) + j + 16, load_halves(block + apart, kv.row_bytes));
      for (int i = 0; i < 16; ++i, block += kv.row_bytes) {
        const __m256i first = load_codes(block);
        const __m256i second = load_codes(block + apart);
        float* pairs = to.pair(j / 2 + i) + 32 * b;
        _mm512_store_si512(pairs, _mm512_cvtepi8_epi16(_mm256_unpacklo_epi8(first, second)));
        _mm512_store_si512(pairs + 16, _mm512_cvtepi8_epi16(_mm256_unpackhi_epi8(first, second)));
      }
    }
    if (begin == 0 && end == kAttentionBlock) {
      to.scale(b) = weight_factors(to.d(b), 0, kAttentionBlock, to.factors(b));
    }
  }
}

}  // namespace galley::kernels::avx512
