// scalar/kv.cpp, 16 or 32 values at a time.
#include <immintrin.h>

#include "kernels/args.h"
#include "kernels/avx512/lanes.h"
#include "kernels/share.h"
#include "tensor/blocks.h"
#include "tensor/dtype_enum.h"

namespace galley::kernels::avx512 {
namespace {

void store_f32(const float* x, std::int64_t n, std::byte* out) {
  for_lanes(0, n, [&](std::int64_t i, auto lanes) {
    lanes.store(reinterpret_cast<float*>(out) + i, lanes.load(x + i));
  });
}

void store_f16(const float* x, std::int64_t n, std::byte* out) {
  for_lanes(0, n, [&](std::int64_t i, auto lanes) {
    const __m256i halves = _mm512_cvtps_ph(lanes.load(x + i), _MM_FROUND_TO_NEAREST_INT);
    _mm256_mask_storeu_epi16(out + 2 * i, first_lanes(lanes.count), halves);
  });
}

void store_block(const float* x, BlockQ8_0* out) {
  const __m512 low = _mm512_loadu_ps(x);
  const __m512 high = _mm512_loadu_ps(x + 16);
  const __m512i magnitude_bits = _mm512_set1_epi32(0x7fffffff);
  const __m512i max_bits =
      _mm512_max_epi32(_mm512_and_si512(_mm512_castps_si512(low), magnitude_bits),
                       _mm512_and_si512(_mm512_castps_si512(high), magnitude_bits));
  const int largest = _mm512_reduce_max_epi32(max_bits);
  if (largest >= 0x7f800000) {  // an infinity or a NaN
    *out = BlockQ8_0{0x7e00, {}};
    return;
  }
  const float d = _mm_cvtss_f32(_mm_castsi128_ps(_mm_cvtsi32_si128(largest))) / 127.0f;
  const __m512 inverse = _mm512_set1_ps(d >= 0x1p-126f ? 1.0f / d : 0.0f);
  out->d = static_cast<std::uint16_t>(
      _mm_cvtsi128_si32(_mm_cvtps_ph(_mm_set_ss(d), _MM_FROUND_TO_NEAREST_INT)));
  const __m512i q_low = _mm512_cvtps_epi32(_mm512_mul_ps(low, inverse));
  const __m512i q_high = _mm512_cvtps_epi32(_mm512_mul_ps(high, inverse));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(out->qs), _mm512_cvtepi32_epi8(q_low));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(out->qs + 16), _mm512_cvtepi32_epi8(q_high));
}

}  // namespace

void store_kv(const StoreKvArgs& args, Part part) {
  const KvTensor& out = args.out;
  const Range rows = share(args.tokens * args.n_kv_heads, part);
  for (std::int64_t i = rows.begin; i < rows.end; ++i) {
    const std::int64_t token = i / args.n_kv_heads;
    const std::int64_t head = i % args.n_kv_heads;
    const float* x = args.x + token * args.x_stride + head * out.head_size;
    std::byte* row = out.data + args.sequences[token] * out.sequence_bytes + head * out.head_bytes +
                     args.positions[token] % out.n_slots * out.row_bytes;
    if (out.type == DType::kF16) {
      store_f16(x, out.head_size, row);
    } else if (out.type == DType::kQ8_0) {
      auto* blocks = reinterpret_cast<BlockQ8_0*>(row);
      for (std::int64_t b = 0; b < out.head_size / 32; ++b) store_block(x + 32 * b, blocks + b);
    } else {
      store_f32(x, out.head_size, row);
    }
  }
}

}  // namespace galley::kernels::avx512
