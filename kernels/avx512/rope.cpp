// scalar/rope.cpp, 8 or 16 pairs at a time.
#include <immintrin.h>

#include "kernels/args.h"
#include "kernels/avx512/lanes.h"
#include "kernels/avx512/math.h"
#include "kernels/share.h"

namespace galley::kernels::avx512 {
namespace {

// One row of the table: (cos, sin) of 8 angles at a time.
void table_row(double position, const RopeTableArgs& args, float* row) {
  const std::int64_t pairs = args.n_rotated / 2;
  const __m512d scale = _mm512_set1_pd(static_cast<double>(args.scale));
  const __m512i interleave =
      _mm512_setr_epi32(0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15);
  for (std::int64_t i = 0; i < pairs; i += 8) {
    const auto mask = static_cast<__mmask8>(first_lanes(pairs - i));
    const __m512d frequency = _mm512_maskz_loadu_pd(mask, args.frequencies + i);
    const SinCos turn = sincos(_mm512_mul_pd(_mm512_set1_pd(position), frequency));
    const __m256 cos = _mm512_cvtpd_ps(_mm512_mul_pd(turn.cos, scale));
    const __m256 sin = _mm512_cvtpd_ps(_mm512_mul_pd(turn.sin, scale));
    const __m512 both = _mm512_insertf32x8(_mm512_castps256_ps512(cos), sin, 1);
    _mm512_mask_storeu_ps(row + 2 * i, first_lanes(2 * (pairs - i)),
                          _mm512_permutexvar_ps(interleave, both));
  }
}

// Pairs next to each other: a' = a cos - b sin in the even lanes, b' = b cos + a sin in the odd.
void rotate_interleaved(const float* x, const float* table, std::int64_t n_rotated, float* y) {
  for_lanes(0, n_rotated, [&](std::int64_t i, auto lanes) {
    const __m512 pairs = lanes.load(x + i);
    const __m512 turns = lanes.load(table + i);
    const __m512 swapped = _mm512_permute_ps(pairs, 0b10110001);
    const __m512 crossed = _mm512_mul_ps(swapped, _mm512_movehdup_ps(turns));
    lanes.store(y + i, _mm512_fmaddsub_ps(pairs, _mm512_moveldup_ps(turns), crossed));
  });
}

// Pairs half the rotated width apart.
void rotate_halves(const float* x, const float* table, std::int64_t n_rotated, float* y) {
  const std::int64_t pairs = n_rotated / 2;
  const __m512i even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
  const __m512i odd = _mm512_add_epi32(even, _mm512_set1_epi32(1));
  for_lanes(0, pairs, [&](std::int64_t i, auto lanes) {
    const __m512 low = _mm512_maskz_loadu_ps(first_lanes(2 * lanes.count), table + 2 * i);
    const __m512 high =
        _mm512_maskz_loadu_ps(first_lanes(2 * lanes.count - 16), table + 2 * i + 16);
    const __m512 cos = _mm512_permutex2var_ps(low, even, high);
    const __m512 sin = _mm512_permutex2var_ps(low, odd, high);
    const __m512 a = lanes.load(x + i);
    const __m512 b = lanes.load(x + i + pairs);
    lanes.store(y + i, _mm512_fmsub_ps(a, cos, _mm512_mul_ps(b, sin)));
    lanes.store(y + i + pairs, _mm512_fmadd_ps(b, cos, _mm512_mul_ps(a, sin)));
  });
}

}  // namespace

void rope_table(const RopeTableArgs& args, Part part) {
  const Range tokens = share(args.tokens, part);
  for (std::int64_t token = tokens.begin; token < tokens.end; ++token) {
    table_row(args.positions[token], args, args.table + token * args.n_rotated);
  }
}

void rope(const RopeArgs& args, Part part) {
  const Range rows = share(args.tokens * args.heads, part);
  for (std::int64_t row = rows.begin; row < rows.end; ++row) {
    const std::int64_t token = row / args.heads;
    const std::int64_t offset = row % args.heads * args.head_size;
    const float* x = args.x + token * args.x_stride + offset;
    const float* table = args.table + token * args.n_rotated;
    float* y = args.y + token * args.y_stride + offset;
    if (args.layout == RopeLayout::kInterleaved) {
      rotate_interleaved(x, table, args.n_rotated, y);
    } else {
      rotate_halves(x, table, args.n_rotated, y);
    }
    for_lanes(args.n_rotated, args.head_size,
              [&](std::int64_t i, auto lanes) { lanes.store(y + i, lanes.load(x + i)); });
  }
}

}  // namespace galley::kernels::avx512
