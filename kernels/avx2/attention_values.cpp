// The values of a block, weighted. The 8 lanes of a register are 8 columns.
#include <immintrin.h>

#include <cstdint>

#include "kernels/avx2/attention_inner.h"
#include "kernels/unroll.h"
#include "tensor/dtype_enum.h"

namespace galley::kernels::avx2 {
namespace {

using Half = std::uint16_t;  // the bits of an F16

// 8 columns of a cached row.
__m256 load_columns(const float* x) { return _mm256_loadu_ps(x); }
__m256 load_columns(const Half* x) {
  return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(x)));
}

// o[row] = o[row] * keep + take * sum over j of p[row][j] * v[j], for 8 kColumns columns from c
// on. Each row takes its positions in order; those that all rows see are done together.
template <int kRows, int kColumns, typename T>
void weigh_columns(const AttentionShape& shape, const AttentionBlock& values,
                   const AttentionRows& rows, std::int64_t c) {
  const std::int64_t stride = shape.v_columns;
  const float* p = rows.p;
  const T* v = reinterpret_cast<const T*>(values.rows) + c;
  __m256 sums[kRows][kColumns];
  for (auto& row : sums) {
    for (__m256& sum : row) sum = _mm256_setzero_ps();
  }
  int common_end = rows.end[0];
  bool same_begin = true;
  for (int row = 1; row < kRows; ++row) {
    common_end = rows.end[row] < common_end ? rows.end[row] : common_end;
    same_begin = same_begin && rows.begin[row] == rows.begin[0];
  }
  int j = rows.begin[0];
  Ahead to_come = *values.ahead;  // a copy, which stays in registers
  for (; same_begin && j < common_end; ++j) {
    ask(to_come);
    __m256 value[kColumns];
    for (int i = 0; i < kColumns; ++i) value[i] = load_columns(v + j * stride + 8 * i);
    for (int row = 0; row < kRows; ++row) {
      const __m256 weight = _mm256_set1_ps(p[row * kAttentionBlock + j]);
      for (int i = 0; i < kColumns; ++i) {
        sums[row][i] = _mm256_fmadd_ps(weight, value[i], sums[row][i]);
      }
    }
  }
  *values.ahead = to_come;
  unroll<kRows>([&](auto index) GALLEY_INLINE {
    constexpr int row = decltype(index)::value;
    if (rows.begin[row] >= rows.end[row]) return;
    for (int rest = same_begin ? j : rows.begin[row]; rest < rows.end[row]; ++rest) {
      const __m256 weight = _mm256_set1_ps(p[row * kAttentionBlock + rest]);
      for (int i = 0; i < kColumns; ++i) {
        const __m256 value = load_columns(v + rest * stride + 8 * i);
        sums[row][i] = _mm256_fmadd_ps(weight, value, sums[row][i]);
      }
    }
    float* o = rows.o + row * stride + c;
    const __m256 keep = _mm256_set1_ps(rows.keep[row]);
    const __m256 take = _mm256_set1_ps(rows.take[row]);
    for (int i = 0; i < kColumns; ++i) {
      const __m256 taken = _mm256_mul_ps(sums[row][i], take);
      _mm256_storeu_ps(o + 8 * i, _mm256_fmadd_ps(_mm256_loadu_ps(o + 8 * i), keep, taken));
    }
  });
}

template <int kRows, typename T>
void weigh_rows(const AttentionShape& shape, const AttentionBlock& values,
                const AttentionRows& rows) {
  std::int64_t c = 0;
  for (; c + 24 <= shape.v_columns; c += 24) weigh_columns<kRows, 3, T>(shape, values, rows, c);
  for (; c + 16 <= shape.v_columns; c += 16) weigh_columns<kRows, 2, T>(shape, values, rows, c);
  for (; c < shape.v_columns; c += 8) weigh_columns<kRows, 1, T>(shape, values, rows, c);
}

template <typename T>
void weigh_as(const AttentionShape& shape, const AttentionBlock& values,
              const AttentionRows& rows) {
  if (rows.count == 4) return weigh_rows<4, T>(shape, values, rows);
  if (rows.count == 2) return weigh_rows<2, T>(shape, values, rows);
  return weigh_rows<1, T>(shape, values, rows);
}

}  // namespace

void weigh(const AttentionShape& shape, const AttentionBlock& values, const AttentionRows& rows) {
  if (values.type == DType::kQ8_0) return weigh_paired(shape, values, rows);
  return values.type == DType::kF16 ? weigh_as<Half>(shape, values, rows)
                                    : weigh_as<float>(shape, values, rows);
}

}  // namespace galley::kernels::avx2
