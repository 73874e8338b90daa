// Looking up the codebook types (IQ1, IQ2, IQ3): 32 weights at once.
//
// Where it sits: grid_matmul.h, of all vector instruction sets. tensor/grid_codes.cpp is the same
// weight by weight, and the one to read first.
#include "kernels/grid_rows.h"

#include <immintrin.h>

#include "kernels/matmul_types.h"
#include "tensor/blocks_grid.h"

namespace galley::kernels::avx2 {
namespace {

// 64 + level, or 64 - level in the bytes where `minus` is 255 (= -1).
__m256i with_signs(__m256i levels, __m256i minus) {
  const __m256i codes = _mm256_sub_epi8(_mm256_xor_si256(levels, minus), minus);
  return _mm256_add_epi8(codes, _mm256_set1_epi8(64));
}

// The table entries of four numbers, number(l) for l in 0 .. 3.
template <class Number>
__m256i four(const std::uint64_t* table, const Number& number) {
  const auto entry = [&](unsigned l) { return static_cast<long long>(table[number(l)]); };
  return _mm256_set_epi64x(entry(3), entry(2), entry(1), entry(0));
}

// Of eight, number(m) for m in 0 .. 7.
template <class Number>
__m256i eight(const std::uint32_t* table, const Number& number) {
  const auto entry = [&](unsigned m) { return static_cast<int>(table[number(m)]); };
  return _mm256_set_epi32(entry(7), entry(6), entry(5), entry(4), entry(3), entry(2), entry(1),
                          entry(0));
}

// 255 where bit i of the four bytes is set, for byte i.
__m256i signs_of(const std::uint8_t* bytes) {
  std::int32_t bits;
  __builtin_memcpy(&bits, bytes, 4);
  const __m256i byte_of_weight = _mm256_setr_epi8(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 2,
                                                  2, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3);
  const __m256i bit = _mm256_set1_epi64x(static_cast<long long>(0x8040201008040201u));
  const __m256i spread = _mm256_shuffle_epi8(_mm256_set1_epi32(bits), byte_of_weight);
  return _mm256_cmpeq_epi8(_mm256_and_si256(spread, bit), bit);
}

void put_codes(__m256i codes, int g, BlockGrid& out) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(out.codes + 32 * g), codes);
}

std::int8_t odd(unsigned scale) { return static_cast<std::int8_t>(2 * scale + 1); }

void put_scales(unsigned first, unsigned last, int g, BlockGrid& out) {
  out.scales[2 * g] = odd(first & 15u);
  out.scales[2 * g + 1] = odd(last & 15u);
}

unsigned dword(const std::uint8_t* bytes) {
  unsigned value;
  __builtin_memcpy(&value, bytes, 4);
  return value;
}

float half(std::uint16_t bits) { return _cvtsh_ss(bits); }

// ---- group g of a block, and the scale of a block ----

void look_up_group(const BlockIQ2_XXS& block, int g, BlockGrid& out) {
  const std::uint8_t* entries = block.qs + 8 * g;
  const unsigned bits = dword(entries + 4);
  const __m256i levels = four(kCodebooks.iq2_xxs, [&](unsigned l) { return entries[l]; });
  const __m256i minus =
      four(kCodebooks.seven_signs, [&](unsigned l) { return bits >> (7 * l) & 127u; });
  put_codes(with_signs(levels, minus), g, out);
  put_scales(bits >> 28, bits >> 28, g, out);
}
float scale_of(const BlockIQ2_XXS& block) { return half(block.d) * 0.125f; }

void look_up_group(const BlockIQ2_XS& block, int g, BlockGrid& out) {
  const std::uint16_t* qs = block.qs + 4 * g;
  const __m256i levels = four(kCodebooks.iq2_xs, [&](unsigned l) { return qs[l] & 511u; });
  const __m256i minus = four(kCodebooks.seven_signs, [&](unsigned l) { return qs[l] >> 9; });
  put_codes(with_signs(levels, minus), g, out);
  put_scales(block.scales[g], block.scales[g] >> 4, g, out);
}
float scale_of(const BlockIQ2_XS& block) { return half(block.d) * 0.125f; }

void look_up_group(const BlockIQ2_S& block, int g, BlockGrid& out) {
  const std::uint8_t* qs = block.qs + 4 * g;
  const unsigned upper = block.qh[g];
  const __m256i levels =
      four(kCodebooks.iq2_s, [&](unsigned l) { return qs[l] | (upper >> (2 * l) & 3u) << 8; });
  put_codes(with_signs(levels, signs_of(block.signs + 4 * g)), g, out);
  put_scales(block.scales[g], block.scales[g] >> 4, g, out);
}
float scale_of(const BlockIQ2_S& block) { return half(block.d) * 0.125f; }

void look_up_group(const BlockIQ3_XXS& block, int g, BlockGrid& out) {
  const std::uint8_t* qs = block.qs + 8 * g;
  const unsigned bits = dword(block.signs + 4 * g);
  const __m256i levels = eight(kCodebooks.iq3_xxs, [&](unsigned m) { return qs[m]; });
  const __m256i minus =
      four(kCodebooks.seven_signs, [&](unsigned l) { return bits >> (7 * l) & 127u; });
  put_codes(with_signs(levels, minus), g, out);
  put_scales(bits >> 28, bits >> 28, g, out);
}
float scale_of(const BlockIQ3_XXS& block) { return half(block.d) * 0.25f; }

void look_up_group(const BlockIQ3_S& block, int g, BlockGrid& out) {
  const std::uint8_t* qs = block.qs + 8 * g;
  const unsigned upper = block.qh[g];
  const __m256i levels =
      eight(kCodebooks.iq3_s, [&](unsigned m) { return qs[m] | (upper >> m & 1u) << 8; });
  put_codes(with_signs(levels, signs_of(block.signs + 4 * g)), g, out);
  const unsigned scale = block.scales[g / 2] >> (4 * (g % 2));
  put_scales(scale, scale, g, out);
}
float scale_of(const BlockIQ3_S& block) { return half(block.d); }

// An eighth is added to or, with bit 15, taken off all levels of the group.
void look_up_group(const BlockIQ1_S& block, int g, BlockGrid& out) {
  const std::uint8_t* qs = block.qs + 4 * g;
  const unsigned bits = block.qh[g];
  const __m256i levels =
      four(kCodebooks.iq1, [&](unsigned l) { return qs[l] | (bits >> (3 * l) & 7u) << 8; });
  const __m256i eighth = _mm256_set1_epi8((bits & 0x8000u) != 0 ? -1 : 1);
  put_codes(_mm256_add_epi8(levels, eighth), g, out);
  put_scales(bits >> 12 & 7u, bits >> 12 & 7u, g, out);
}
float scale_of(const BlockIQ1_S& block) { return half(block.d) * 0.125f; }

// Here each entry has a bit of its own for that.
void look_up_group(const BlockIQ1_M& block, int g, BlockGrid& out) {
  const std::uint8_t* qs = block.qs + 4 * g;
  const unsigned nibbles = block.qh[2 * g] | static_cast<unsigned>(block.qh[2 * g + 1]) << 8;
  const __m256i levels =
      four(kCodebooks.iq1, [&](unsigned l) { return qs[l] | (nibbles >> (4 * l) & 7u) << 8; });
  const __m256i at = _mm256_setr_epi64x(8, 8 << 4, 8 << 8, 8 << 12);
  const __m256i bits = _mm256_and_si256(_mm256_set1_epi64x(static_cast<long long>(nibbles)), at);
  const __m256i eighth = _mm256_or_si256(_mm256_cmpeq_epi64(bits, at), _mm256_set1_epi8(1));
  put_codes(_mm256_add_epi8(levels, eighth), g, out);
  const unsigned scales = block.scales[g / 2] >> (6 * (g % 2));
  put_scales(scales & 7u, scales >> 3 & 7u, g, out);
}
float scale_of(const BlockIQ1_M& block) {
  unsigned d = 0;
  for (int i = 0; i < 4; ++i) d |= (block.scales[i] >> 12 & 15u) << (4 * i);
  return half(static_cast<std::uint16_t>(d)) * 0.125f;
}

template <class Block>
void look_up(const std::byte* rows, std::int64_t n_blocks, BlockGrid* out) {
  const auto* blocks = reinterpret_cast<const Block*>(rows);
  for (std::int64_t b = 0; b < n_blocks; ++b) {
    for (int g = 0; g < 8; ++g) look_up_group(blocks[b], g, out[b]);
    out[b].d = scale_of(blocks[b]);
  }
}

}  // namespace

void look_up_rows(DType type, const std::byte* rows, std::int64_t n_rows, std::int64_t cols,
                  BlockGrid* out) {
  const std::int64_t n = n_rows * (cols / 256);
  switch (type) {
    case DType::kIQ2_XXS:
      return look_up<BlockIQ2_XXS>(rows, n, out);
    case DType::kIQ2_XS:
      return look_up<BlockIQ2_XS>(rows, n, out);
    case DType::kIQ2_S:
      return look_up<BlockIQ2_S>(rows, n, out);
    case DType::kIQ3_XXS:
      return look_up<BlockIQ3_XXS>(rows, n, out);
    case DType::kIQ3_S:
      return look_up<BlockIQ3_S>(rows, n, out);
    case DType::kIQ1_S:
      return look_up<BlockIQ1_S>(rows, n, out);
    case DType::kIQ1_M:
      return look_up<BlockIQ1_M>(rows, n, out);
    default:
      no_matmul_for(type);
  }
}

}  // namespace galley::kernels::avx2
