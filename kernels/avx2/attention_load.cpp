// Cached keys and values as the other functions need them.
#include "kernels/avx2/attention_inner.h"

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "kernels/attention_paired.h"
#include "kernels/avx2/dword_lanes.h"
#include "kernels/avx2/lanes.h"
#include "tensor/blocks.h"
#include "tensor/dtype_enum.h"

namespace galley::kernels::avx2 {
namespace {

// ---- cached rows as floats ------------------------------------------------------------------

void load_f16(const std::byte* row, std::int64_t n, float* out) {
  std::int64_t i = 0;
  for (; i + 8 <= n; i += 8) {
    const __m128i halves = _mm_loadu_si128(reinterpret_cast<const __m128i*>(row + 2 * i));
    _mm256_storeu_ps(out + i, _mm256_cvtph_ps(halves));
  }
  if (i < n) {
    __m128i halves = _mm_setzero_si128();
    __builtin_memcpy(&halves, row + 2 * i, static_cast<std::size_t>(2 * (n - i)));
    _mm256_storeu_ps(out + i, _mm256_cvtph_ps(halves));
  }
}

void load_f32(const std::byte* row, std::int64_t n, float* out) {
  for_lanes(0, n, [&](std::int64_t i, auto lanes) {
    _mm256_storeu_ps(out + i, lanes.load(reinterpret_cast<const float*>(row) + i));
  });
}

}  // namespace

void load(const KvTensor& kv, const std::byte* rows, std::int64_t n_rows, float* out,
          std::int64_t columns) {
  for (std::int64_t i = 0; i < n_rows; ++i) {
    const std::byte* row = rows + i * kv.row_bytes;
    float* out_row = out + i * columns;
    if (kv.type == DType::kF16) {
      load_f16(row, kv.head_size, out_row);
    } else {
      load_f32(row, kv.head_size, out_row);
    }
    // The loads above wrote whole registers; the padding may reach one register further.
    if (columns - kv.head_size >= 8) _mm256_storeu_ps(out_row + columns - 8, _mm256_setzero_ps());
  }
}

namespace {

// ---- keys, turned, 8 positions; values, in pairs ----------------------------------------------

// The F16 at the beginning of each of 8 rows.
__m256 load_halves(const std::byte* rows, std::int64_t stride) {
  alignas(16) std::uint16_t halves[8];
  for (int i = 0; i < 8; ++i) __builtin_memcpy(halves + i, rows + i * stride, 2);
  return _mm256_cvtph_ps(_mm_load_si128(reinterpret_cast<const __m128i*>(halves)));
}

// 16 codes of a block from column c on.
__m128i load_codes(const std::byte* block, std::int64_t c) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(block + offsetof(BlockQ8_0, qs) + c));
}

// out[c][position] = rows[position][c], for 8 positions; out's rows are kAttentionBlock apart.
void transpose(const float* rows, std::int64_t columns, float* out) {
  for (std::int64_t c = 0; c < columns; c += 4) {
    DwordLanes turned[4];
    DwordLanes::load16(reinterpret_cast<const std::byte*>(rows + c), 4 * columns, turned);
    for (int i = 0; i < 4; ++i) {
      _mm256_store_ps(out + (c + i) * kAttentionBlock, _mm256_castsi256_ps(turned[i].v));
    }
  }
}

// Codes as 16 bits, a dword of two columns: what vpmaddwd multiplies.
void turn_q8_0(const KvTensor& kv, const std::byte* rows, float* out) {
  float* scales = out + kv.head_size / 2 * kAttentionBlock;
  for (std::int64_t b = 0; b < kv.head_size / 32; ++b) {
    const std::byte* block = rows + b * static_cast<std::int64_t>(sizeof(BlockQ8_0));
    _mm256_store_ps(scales + b * kAttentionBlock, load_halves(block, kv.row_bytes));
    for (int half = 0; half < 2; ++half) {
      DwordLanes codes[4];
      DwordLanes::load16(block + offsetof(BlockQ8_0, qs) + 16 * half, kv.row_bytes, codes);
      for (int i = 0; i < 4; ++i) {
        float* columns = out + (16 * b + 8 * half + 2 * i) * kAttentionBlock;
        _mm256_store_ps(columns, _mm256_castsi256_ps(widened<0>(codes[i])));
        _mm256_store_ps(columns + kAttentionBlock, _mm256_castsi256_ps(widened<1>(codes[i])));
      }
    }
  }
}

}  // namespace

void load_turned(const KvTensor& kv, const std::byte* rows, std::int64_t columns, float* scratch,
                 float* out) {
  if (kv.type == DType::kQ8_0) return turn_q8_0(kv, rows, out);
  load(kv, rows, 8, scratch, columns);
  transpose(scratch, columns, out);
}

void load_paired(const KvTensor& kv, const std::byte* rows, std::int64_t begin, std::int64_t end,
                 std::int64_t columns, float* out) {
  const PairedValues<float> to{out, columns};
  const std::int64_t apart = 8 * kv.row_bytes;
  for (std::int64_t b = 0; b < kv.head_size / 32; ++b) {
    const std::byte* blocks = rows + b * static_cast<std::int64_t>(sizeof(BlockQ8_0));
    for (std::int64_t j = begin / 16 * 16; j < end; j += 16) {
      const std::byte* block = blocks + j * kv.row_bytes;
      _mm256_store_ps(to.d(b) + j, load_halves(block, kv.row_bytes));
      _mm256_store_ps(to.d(b) + j + 8, load_halves(block + apart, kv.row_bytes));
      for (int i = 0; i < 8; ++i, block += kv.row_bytes) {
        for (std::int64_t c = 0; c < 32; c += 16) {
          const __m128i first = load_codes(block, c);
          const __m128i second = load_codes(block + apart, c);
          auto* pairs = reinterpret_cast<__m256i*>(to.pair(j / 2 + i) + 32 * b + c);
          _mm256_store_si256(pairs, _mm256_cvtepi8_epi16(_mm_unpacklo_epi8(first, second)));
          _mm256_store_si256(pairs + 1, _mm256_cvtepi8_epi16(_mm_unpackhi_epi8(first, second)));
        }
      }
    }
    if (begin == 0 && end == kAttentionBlock) {
      to.scale(b) = weight_factors(to.d(b), 0, kAttentionBlock, to.factors(b));
    }
  }
}

}  // namespace galley::kernels::avx2
