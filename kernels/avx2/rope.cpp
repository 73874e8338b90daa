// scalar/rope.cpp, 4 or 8 pairs at a time.
#include <immintrin.h>

#include "kernels/args.h"
#include "kernels/avx2/lanes.h"
#include "kernels/avx2/math.h"
#include "kernels/share.h"

namespace galley::kernels::avx2 {
namespace {

// All bits set in the first n lanes, of 4.
__m256i first_doubles(std::int64_t n) {
  return _mm256_cmpgt_epi64(_mm256_set1_epi64x(n), _mm256_setr_epi64x(0, 1, 2, 3));
}

// One row of the table: (cos, sin) of 4 angles at a time.
void table_row(double position, const RopeTableArgs& args, float* row) {
  const std::int64_t pairs = args.n_rotated / 2;
  const __m256d scale = _mm256_set1_pd(static_cast<double>(args.scale));
  for (std::int64_t i = 0; i < pairs; i += 4) {
    const __m256d frequency = _mm256_maskload_pd(args.frequencies + i, first_doubles(pairs - i));
    const SinCos turn = sincos(_mm256_mul_pd(_mm256_set1_pd(position), frequency));
    const __m128 cos = _mm256_cvtpd_ps(_mm256_mul_pd(turn.cos, scale));
    const __m128 sin = _mm256_cvtpd_ps(_mm256_mul_pd(turn.sin, scale));
    const __m256 both = _mm256_set_m128(_mm_unpackhi_ps(cos, sin), _mm_unpacklo_ps(cos, sin));
    _mm256_maskstore_ps(row + 2 * i, first_lanes(2 * (pairs - i)), both);
  }
}

// Pairs next to each other: a' = a cos - b sin in the even lanes, b' = b cos + a sin in the odd.
void rotate_interleaved(const float* x, const float* table, std::int64_t n_rotated, float* y) {
  for_lanes(0, n_rotated, [&](std::int64_t i, auto lanes) {
    const __m256 pairs = lanes.load(x + i);
    const __m256 turns = lanes.load(table + i);
    const __m256 swapped = _mm256_permute_ps(pairs, 0b10110001);
    const __m256 crossed = _mm256_mul_ps(swapped, _mm256_movehdup_ps(turns));
    lanes.store(y + i, _mm256_fmaddsub_ps(pairs, _mm256_moveldup_ps(turns), crossed));
  });
}

// Pairs half the rotated width apart.
void rotate_halves(const float* x, const float* table, std::int64_t n_rotated, float* y) {
  const std::int64_t pairs = n_rotated / 2;
  const __m256i in_order = _mm256_setr_epi32(0, 1, 4, 5, 2, 3, 6, 7);
  for_lanes(0, pairs, [&](std::int64_t i, auto lanes) {
    const __m256 low = _mm256_maskload_ps(table + 2 * i, first_lanes(2 * lanes.count));
    const __m256 high = _mm256_maskload_ps(table + 2 * i + 8, first_lanes(2 * lanes.count - 8));
    const __m256 even = _mm256_shuffle_ps(low, high, 0b10001000);  // 0 2 | 8 10 | 4 6 | 12 14
    const __m256 odd = _mm256_shuffle_ps(low, high, 0b11011101);
    const __m256 cos = _mm256_permutevar8x32_ps(even, in_order);
    const __m256 sin = _mm256_permutevar8x32_ps(odd, in_order);
    const __m256 a = lanes.load(x + i);
    const __m256 b = lanes.load(x + i + pairs);
    lanes.store(y + i, _mm256_fmsub_ps(a, cos, _mm256_mul_ps(b, sin)));
    lanes.store(y + i + pairs, _mm256_fmadd_ps(b, cos, _mm256_mul_ps(a, sin)));
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

}  // namespace galley::kernels::avx2
