#include "kernels/avx512bf16/check.h"

#include <immintrin.h>

#include <cstdint>

#include "kernels/flush_denormals.h"

namespace galley::kernels::avx512bf16 {
namespace {

__m512 dot(__m512 sum, __m512i w, __m512i x) {
  __asm__("vdpbf16ps %2, %1, %0" : "+v"(sum) : "v"(w), "v"(x));
  return sum;
}

// (Not inlined: no arithmetic may move to where denormals are not flushed.)
[[gnu::noinline]] __m512 two_multiply_adds(__m512 sum, __m512i w, __m512i x) {
  const __m512i high = _mm512_set1_epi32(static_cast<std::int32_t>(0xffff0000u));
  const auto odd = [high](__m512i v) { return _mm512_castsi512_ps(_mm512_and_si512(v, high)); };
  const auto even = [](__m512i v) { return _mm512_castsi512_ps(_mm512_slli_epi32(v, 16)); };
  return _mm512_fmadd_ps(even(w), even(x), _mm512_fmadd_ps(odd(w), odd(x), sum));
}

// The next pseudorandom bits of each lane (xorshift32: Marsaglia 2003, "Xorshift RNGs").
__m512i next(__m512i state) {
  state = _mm512_xor_si512(state, _mm512_slli_epi32(state, 13));
  state = _mm512_xor_si512(state, _mm512_srli_epi32(state, 17));
  return _mm512_xor_si512(state, _mm512_slli_epi32(state, 5));
}

}  // namespace

bool dot_product_is_as_specified() {
  // Bits that are kept of random numbers, and bits that are set: floats of any size, denormals,
  // infinities and NaNs among them; or floats near 1, whose products and sums round.
  constexpr struct {
    std::uint32_t keep, set;
  } kSizes[] = {{0xffffffffu, 0}, {0x81ff81ffu, 0x3e003e00u}};
  __m512i random = _mm512_setr_epi32(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16);
  for (const auto& size : kSizes) {
    const auto draw = [&] {
      random = next(random);
      const __m512i kept =
          _mm512_and_si512(random, _mm512_set1_epi32(static_cast<std::int32_t>(size.keep)));
      return _mm512_or_si512(kept, _mm512_set1_epi32(static_cast<std::int32_t>(size.set)));
    };
    for (int turn = 0; turn < 256; ++turn) {
      const __m512i w = draw();
      const __m512i x = draw();
      const __m512 sum = _mm512_castsi512_ps(draw());
      const __m512 made = dot(sum, w, x);
      __m512 expected;
      {
        const FlushDenormals flush;
        expected = two_multiply_adds(sum, w, x);
      }
      const __mmask16 differ =
          _mm512_cmpneq_epi32_mask(_mm512_castps_si512(made), _mm512_castps_si512(expected));
      const __mmask16 both_nan = _mm512_cmp_ps_mask(made, made, _CMP_UNORD_Q) &
                                 _mm512_cmp_ps_mask(expected, expected, _CMP_UNORD_Q);
      if ((differ & ~both_nan) != 0) return false;
    }
  }
  return true;
}

}  // namespace galley::kernels::avx512bf16
