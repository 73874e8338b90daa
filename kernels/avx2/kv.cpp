// scalar/kv.cpp, 8 or 32 values at a time.
#include <immintrin.h>

#include "kernels/args.h"
#include "kernels/avx2/lanes.h"
#include "kernels/share.h"
#include "tensor/blocks.h"
#include "tensor/dtype_enum.h"

namespace galley::kernels::avx2 {
namespace {

void store_f32(const float* x, std::int64_t n, std::byte* out) {
  for_lanes(0, n, [&](std::int64_t i, auto lanes) {
    lanes.store(reinterpret_cast<float*>(out) + i, lanes.load(x + i));
  });
}

void store_f16(const float* x, std::int64_t n, std::byte* out) {
  for_lanes(0, n, [&](std::int64_t i, auto lanes) {
    const __m128i halves = _mm256_cvtps_ph(lanes.load(x + i), _MM_FROUND_TO_NEAREST_INT);
    if (lanes.count == 8) {
      _mm_storeu_si128(reinterpret_cast<__m128i*>(out + 2 * i), halves);
    } else {
      __builtin_memcpy(out + 2 * i, &halves, static_cast<std::size_t>(2 * lanes.count));
    }
  });
}

int largest_lane(__m256i x) {
  __m128i max = _mm_max_epi32(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1));
  max = _mm_max_epi32(max, _mm_shuffle_epi32(max, 0b01001110));
  max = _mm_max_epi32(max, _mm_shuffle_epi32(max, 0b10110001));
  return _mm_cvtsi128_si32(max);
}

void store_block(const float* x, BlockQ8_0* out) {
  const __m256i magnitude_bits = _mm256_set1_epi32(0x7fffffff);
  __m256i max_bits = _mm256_setzero_si256();
  for (int i = 0; i < 32; i += 8) {
    const __m256i bits = _mm256_castps_si256(_mm256_loadu_ps(x + i));
    max_bits = _mm256_max_epi32(max_bits, _mm256_and_si256(bits, magnitude_bits));
  }
  const int largest = largest_lane(max_bits);
  if (largest >= 0x7f800000) {  // an infinity or a NaN
    *out = BlockQ8_0{0x7e00, {}};
    return;
  }
  const float d = _mm_cvtss_f32(_mm_castsi128_ps(_mm_cvtsi32_si128(largest))) / 127.0f;
  const __m256 inverse = _mm256_set1_ps(d >= 0x1p-126f ? 1.0f / d : 0.0f);
  out->d = static_cast<std::uint16_t>(
      _mm_cvtsi128_si32(_mm_cvtps_ph(_mm_set_ss(d), _MM_FROUND_TO_NEAREST_INT)));
  __m256i q[4];
  for (int i = 0; i < 4; ++i) {
    q[i] = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x + 8 * i), inverse));
  }
  // Packing works within halves of 128 bits and leaves groups of four in the order of `sorted`.
  const __m256i packed =
      _mm256_packs_epi16(_mm256_packs_epi32(q[0], q[1]), _mm256_packs_epi32(q[2], q[3]));
  const __m256i sorted = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(out->qs),
                      _mm256_permutevar8x32_epi32(packed, sorted));
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

}  // namespace galley::kernels::avx2
