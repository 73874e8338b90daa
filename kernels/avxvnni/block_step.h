// One block of 32 columns: eight rows of weights times some tokens, with AVX-VNNI.
//
// Where it sits: the innermost step of the AVX-VNNI matmuls (block_isa.h, panel_products.cpp),
// which are those of AVX-512 in registers of half the size: CPUs without AVX-512 may have this one
// instruction of it. Everything else is AVX2's. Nothing here throws; sizes are the caller's to
// check.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "kernels/avx2/block_step.h"
#include "kernels/avx2/dword_lanes.h"
#include "kernels/weight_traits.h"

namespace galley::kernels::avxvnni {

using avx2::DwordLanes;
using avx2::FloatLanes;
using avx2::TileBlock;
using avx2::TokenOfTile;

// vpdpbusd: sum + four products in each lane, of unsigned weights and signed activations.
// (In assembly, so that these files are compiled with the flags of AVX2: what they share with avx2/
// must not become a function that CPUs without the instruction cannot run.)
GALLEY_INLINE inline __m256i add_products(__m256i sum, __m256i codes, __m256i q) {
  __asm__("%{vex%} vpdpbusd %2, %1, %0" : "+x"(sum) : "x"(codes), "x"(q));
  return sum;
}

// Signed codes get 128 added.
template <class Traits>
inline constexpr int kUnsignedOffset = Traits::kBits == 8 ? 128 : Traits::kOffset;

template <class Traits>
__m256i unsigned_codes(DwordLanes codes) {
  if constexpr (Traits::kBits == 8) return _mm256_xor_si256(codes.v, _mm256_set1_epi8(-128));
  return codes.v;
}

// Codes as panels have them: 128 more than the weight, whatever the offset of the type, so that the
// start of QuantizedRows fits. Types with minimums have neither sign nor offset.
template <class Traits>
__m256i panel_codes(DwordLanes codes) {
  if constexpr (Traits::kBits == 8 || Traits::kMinimums > 0) return unsigned_codes<Traits>(codes);
  return _mm256_add_epi8(codes.v, _mm256_set1_epi8(static_cast<char>(128 - Traits::kOffset)));
}

// A block's weights: registers in memory, one row per lane. Eight of codes without a sign, then
// d, the two scales and the minimums, as far as there are any.
template <class Terms>
struct PanelBlock {
  static constexpr int kVectors = 9 + (Terms::kHasScales ? 2 : 0) + Terms::kMinimums;
  static constexpr std::int64_t kBytes = 32 * kVectors;
  const std::byte* at;

  __m256i codes(int k) const {
    return _mm256_load_si256(reinterpret_cast<const __m256i*>(at + 32 * k));
  }
  __m256 d() const { return floats(8); }
  __m256 scale(int half) const { return floats(9 + half); }
  __m256 min(int i) const { return floats((Terms::kHasScales ? 11 : 9) + i); }

 private:
  __m256 floats(int place) const {
    return _mm256_load_ps(reinterpret_cast<const float*>(at + 32 * place));
  }
};

// Where the integer sum of a half of a block begins (0: the first, 1: the last); the start of
// QuantizedRows is that of the whole.
template <int half>
__m256i start_of_half(__m256i sums) {
  return _mm256_madd_epi16(sums, _mm256_set1_epi32(half == 0 ? 0x0000ff80 : -0x800000));
}

}  // namespace galley::kernels::avxvnni
