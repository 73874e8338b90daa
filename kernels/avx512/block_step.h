// One block of 32 columns: sixteen rows of weights times some tokens, with VNNI.
//
// Where it sits: the innermost step of the AVX-512 matmuls (block_isa.h, panel_products.cpp).
// docs/kernels.md draws the registers. Nothing here throws; sizes are the caller's to check.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "kernels/args.h"
#include "kernels/avx512/dword_lanes.h"
#include "kernels/weight_traits.h"

namespace galley::kernels::avx512 {

// vpdpbusd multiplies unsigned weights with signed activations: signed codes get 128 added.
template <class Traits>
inline constexpr int kUnsignedOffset = Traits::kBits == 8 ? 128 : Traits::kOffset;

template <class Traits>
__m512i unsigned_codes(DwordLanes codes) {
  if constexpr (Traits::kBits == 8) return _mm512_xor_si512(codes.v, _mm512_set1_epi8(-128));
  return codes.v;
}

// Codes as panels have them: 128 more than the weight, whatever the offset of the type, so that the
// start of QuantizedRows fits. Types with minimums have neither sign nor offset.
template <class Traits>
__m512i panel_codes(DwordLanes codes) {
  if constexpr (Traits::kBits == 8 || Traits::kMinimums > 0) return unsigned_codes<Traits>(codes);
  return _mm512_add_epi8(codes.v, _mm512_set1_epi8(static_cast<char>(128 - Traits::kOffset)));
}

// A block of a tile of c tokens: see QuantizedRows.
template <int c>
struct TileBlock {
  static constexpr std::int64_t kBytes = c * kQuantizedBlockBytes;
  const std::byte* at;

  // Columns 4 k .. 4 k + 3 of token t, in every lane.
  __m512i q(int k, int t) const { return splat_dword(4 * (k * c + t)); }
  __m512 d(int t) const { return splat_float(32 * c + 4 * t); }
  __m512 sum(int t) const { return splat_float(36 * c + 4 * t); }
  // The sums of the two halves of the block, as the halves of every lane.
  __m512i sums(int t) const { return splat_dword(40 * c + 4 * t); }
  __m512i start(int t) const { return splat_dword(44 * c + 4 * t); }

 private:
  __m512i splat_dword(std::int64_t offset) const {
    std::int32_t value;
    __builtin_memcpy(&value, at + offset, 4);
    return _mm512_set1_epi32(value);
  }
  __m512 splat_float(std::int64_t offset) const {
    float value;
    __builtin_memcpy(&value, at + offset, 4);
    return _mm512_set1_ps(value);
  }
};

// A block's weights: registers in memory, one row per lane. Eight of codes without a sign, then
// d, the two scales and the minimums, as far as there are any.
template <class Terms>
struct PanelBlock {
  static constexpr int kVectors = 9 + (Terms::kHasScales ? 2 : 0) + Terms::kMinimums;
  static constexpr std::int64_t kBytes = 64 * kVectors;
  const std::byte* at;

  __m512i codes(int k) const { return _mm512_load_si512(at + 64 * k); }
  __m512 d() const { return floats(8); }
  __m512 scale(int half) const { return floats(9 + half); }
  __m512 min(int i) const { return floats((Terms::kHasScales ? 11 : 9) + i); }

 private:
  __m512 floats(int place) const { return _mm512_load_ps(at + 64 * place); }
};

// What add_block asks of activations: token t of a tile.
template <class Terms, int c>
struct TokenOfTile {
  const TileBlock<c>& x;
  int t;

  __m512 d() const { return x.d(t); }
  __m512 min_factor(int i) const {
    if constexpr (Terms::kMinimums == 1) return x.sum(t);
    const __m512i sums = x.sums(t);
    const __m512i half =
        i == 0 ? _mm512_srai_epi32(_mm512_slli_epi32(sums, 16), 16) : _mm512_srai_epi32(sums, 16);
    return _mm512_mul_ps(x.d(t), _mm512_cvtepi32_ps(half));
  }
};

// Where the integer sum of the first half of a block begins; the start of QuantizedRows is that of
// the whole.
inline __m512i start_of_first_half(__m512i sums) {
  return _mm512_madd_epi16(sums, _mm512_set1_epi32(0x0000ff80));  // -128 and 0
}

// partial + the products of a block: `sum` is its integer sum, or those of its halves.
template <class Terms, class W, class X>
__m512 add_block(__m512 partial, const __m512i (&sum)[2], const W& w, const X& x) {
  __m512 total = _mm512_cvtepi32_ps(sum[0]);
  if constexpr (Terms::kHasScales) {
    // Integers below 2^24: exact in floats.
    total = _mm512_mul_ps(total, w.scale(0));
    total = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum[1]), w.scale(1), total);
  }
  partial = _mm512_fmadd_ps(total, _mm512_mul_ps(w.d(), x.d()), partial);
  for (int i = 0; i < Terms::kMinimums; ++i) {
    partial = _mm512_fmadd_ps(w.min(i), x.min_factor(i), partial);
  }
  return partial;
}

}  // namespace galley::kernels::avx512
