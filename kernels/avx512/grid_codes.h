// Codebooks (IQ2, IQ3) looked up in registers instead of memory.
//
// Where it sits: row_unpack_grid.h calls look_up_codes, and the compiler prefers these to its own.
// IQ1's codebook is too large for this to pay. Nothing here throws.
//
// An entry of a codebook is 16 bits: eight levels of 2 bits, or four of 3 (tensor/grids.h). So 32
// entries fit in a register, and vpermi2w takes 32 entries, whichever they are, out of 64 at once.
// Larger codebooks are looked up 64 entries at a time, and the upper bits of each number choose.
// The levels then become bytes, two in one more look-up:
//
//   entry, for each two levels  [ w | w | w | w ]      vpshufb
//   shifted                     [ w | w >> 4 | w >> 8 | w >> 12 ]      vpsrlvw
//   64 + level of the low two   [ a b | c d | e f | g h ]      vpermw
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "kernels/avx512/dword_lanes.h"
#include "kernels/unroll.h"
#include "tensor/blocks_grid.h"
#include "tensor/grids.h"

namespace galley::kernels::avx512 {

// ---- Entries -----------------------------------------------------------------------------------

// table[index] in each lane of 16 bits. REQUIRES: index < n, a power of two from 64 on; `table`
// aligned to 64.
template <int n>
GALLEY_INLINE inline __m512i look_up_words(const std::uint16_t* table, __m512i index) {
  if constexpr (n == 64) {
    return _mm512_permutex2var_epi16(_mm512_load_si512(table), index,
                                     _mm512_load_si512(table + 32));
  } else {
    const __mmask32 is_upper = _mm512_test_epi16_mask(index, _mm512_set1_epi16(n / 2));
    return _mm512_mask_blend_epi16(is_upper, look_up_words<n / 2>(table, index),
                                   look_up_words<n / 2>(table + n / 2, index));
  }
}

// ---- From an entry to bytes --------------------------------------------------------------------

// Two levels as two bytes, 64 + each, for all that their bits can be (and again, to fill
// registers).
template <int n_bits, int n_words>
struct LevelPairs {
  alignas(64) std::uint16_t pair[n_words];

  template <class Level>
  explicit constexpr LevelPairs(Level level) : pair{} {
    constexpr unsigned kLevels = 1u << n_bits;
    for (unsigned i = 0; i < n_words; ++i) {
      const unsigned first = static_cast<unsigned>(level(i % kLevels));
      const unsigned second = static_cast<unsigned>(level(i / kLevels % kLevels));
      pair[i] = static_cast<std::uint16_t>((64 + first) | (64 + second) << 8);
    }
  }
};
inline constexpr LevelPairs<2, 32> kPairsIQ2([](unsigned n) { return kLevelsIQ2[n]; });
inline constexpr LevelPairs<3, 64> kPairsIQ3_XXS([](unsigned n) { return kLevelsIQ3_XXS[n]; });
inline constexpr LevelPairs<3, 64> kPairsIQ3_S([](unsigned n) { return 2 * n + 1; });

// Four times words 2 j and 2 j + 1 of each quarter, or twice words 4 j .. 4 j + 3.
template <int copies>
GALLEY_INLINE inline __m512i spread_words(__m512i words, int j) {
  alignas(16) std::int8_t from[16];
  for (int i = 0; i < 16; ++i)
    from[i] = static_cast<std::int8_t>(16 / copies * j + i / 2 / copies * 2 + i % 2);
  const __m128i index = _mm_load_si128(reinterpret_cast<const __m128i*>(from));
  return _mm512_shuffle_epi8(words, _mm512_broadcast_i32x4(index));
}

// The codes of a group, from entries of eight levels: word 2 j + i of a quarter of entries[half] is
// entry i of that half of its row's block 2 j (or 2 j + 1).
GALLEY_INLINE inline void codes_of_eights(const __m512i (&entries)[2], DwordLanes (&codes)[8]) {
  const __m512i right = _mm512_set1_epi64(0x000c'0008'0004'0000);
  const __m512i pairs = _mm512_load_si512(kPairsIQ2.pair);
  for (int i = 0; i < 8; ++i) {
    const __m512i words = spread_words<4>(entries[i % 2], i / 2);
    codes[i].v = _mm512_permutexvar_epi16(_mm512_srlv_epi16(words, right), pairs);
  }
}

// The same from entries of four levels: word 4 (j % 2) + i of a quarter of entries[j / 2][half].
GALLEY_INLINE inline void codes_of_fours(const __m512i (&entries)[2][2],
                                         const LevelPairs<3, 64>& pairs, DwordLanes (&codes)[8]) {
  const __m512i right = _mm512_set1_epi32(0x0006'0000);
  for (int i = 0; i < 8; ++i) {
    const __m512i words = spread_words<2>(entries[i / 4][i % 2], i / 2 % 2);
    codes[i].v = look_up_words<64>(pairs.pair, _mm512_srlv_epi16(words, right));
  }
}

// ---- The numbers of entries, as the types have them ---------------------------------------------

// The bytes of each lane, two at a time, to words: those of the first half of a block, and of the
// last.
GALLEY_INLINE inline void widen_halves(DwordLanes bytes, __m512i (&words)[2]) {
  const auto index = [](std::int32_t first) {  // bytes `first` and the next, above each a zero
    const std::int32_t of_lane = static_cast<std::int32_t>(0x80018000u) + first * 0x00010001;
    return _mm512_broadcast_i32x4(
        _mm_setr_epi32(of_lane, of_lane + 0x00040004, of_lane + 0x00080008, of_lane + 0x000c000c));
  };
  words[0] = _mm512_shuffle_epi8(bytes.v, index(0));
  words[1] = _mm512_shuffle_epi8(bytes.v, index(2));
}

GALLEY_INLINE inline void look_up_codes(const BlockIQ2_XXS* /*type*/, const std::byte* group,
                                        std::int64_t stride, DwordLanes (&codes)[8]) {
  DwordLanes dwords[2];
  DwordLanes::load_alternating(group + 2, stride, dwords);
  __m512i number[2];
  widen_halves(dwords[0], number);
  const __m512i entries[2] = {look_up_words<256>(kGridIQ2_XXS, number[0]),
                              look_up_words<256>(kGridIQ2_XXS, number[1])};
  codes_of_eights(entries, codes);
}

GALLEY_INLINE inline void look_up_codes(const BlockIQ2_XS* /*type*/, const std::byte* group,
                                        std::int64_t stride, DwordLanes (&codes)[8]) {
  DwordLanes number[2];
  DwordLanes::load_alternating(group + 2, stride, number);
  const DwordLanes nine_bits = DwordLanes::splat(0x01ff01ff);
  const __m512i entries[2] = {look_up_words<512>(kGridIQ2_XS, (number[0] & nine_bits).v),
                              look_up_words<512>(kGridIQ2_XS, (number[1] & nine_bits).v)};
  codes_of_eights(entries, codes);
}

GALLEY_INLINE inline void look_up_codes(const BlockIQ2_S* /*type*/, const std::byte* group,
                                        std::int64_t stride, DwordLanes (&codes)[8]) {
  constexpr std::int8_t z = -1;
  // The byte of upper bits of each block, in both halves of its lane.
  static constexpr std::int8_t kUpper[32] = {0, z, 0, z, 2, z, 2, z, 4, z, 4, z, 6, z, 6, z,
                                             1, z, 1, z, 3, z, 3, z, 5, z, 5, z, 7, z, 7, z};
  __m512i number[2];
  widen_halves(DwordLanes::load_blocks(group + 2, stride), number);
  const DwordLanes upper =
      shuffle_bytes(DwordLanes::load_twice(group + 66, stride), DwordLanes::of_bytes(kUpper));
  const __m512i upper_bits = _mm512_set1_epi16(0x300);
  // Bits 2 l and 2 l + 1 to bits 8 and 9, by a product.
  const __m512i first = multiply16(upper, DwordLanes::splat(0x00400100)).v;
  const __m512i last = multiply16(upper, DwordLanes::splat(0x00040010)).v;
  number[0] = _mm512_or_si512(number[0], _mm512_and_si512(first, upper_bits));
  number[1] = _mm512_or_si512(number[1], _mm512_and_si512(last, upper_bits));
  const __m512i entries[2] = {look_up_words<1024>(kGridIQ2_S, number[0]),
                              look_up_words<1024>(kGridIQ2_S, number[1])};
  codes_of_eights(entries, codes);
}

// Numbers of 8 bits, eight for each block: as codes_of_fours takes entries.
GALLEY_INLINE inline void widen_eights(const std::byte* at, std::int64_t stride,
                                       __m512i (&number)[2][2]) {
  DwordLanes halves[2];
  DwordLanes::load_alternating(at, stride, halves);
  for (int half = 0; half < 2; ++half) {
    number[0][half] = _mm512_unpacklo_epi8(halves[half].v, _mm512_setzero_si512());
    number[1][half] = _mm512_unpackhi_epi8(halves[half].v, _mm512_setzero_si512());
  }
}

GALLEY_INLINE inline void look_up_codes(const BlockIQ3_XXS* /*type*/, const std::byte* group,
                                        std::int64_t stride, DwordLanes (&codes)[8]) {
  __m512i words[2][2];
  widen_eights(group + 2, stride, words);
  for (auto& halves : words) {
    for (__m512i& word : halves) word = look_up_words<256>(kGridIQ3_XXS, word);
  }
  codes_of_fours(words, kPairsIQ3_XXS, codes);
}

GALLEY_INLINE inline void look_up_codes(const BlockIQ3_S* /*type*/, const std::byte* group,
                                        std::int64_t stride, DwordLanes (&codes)[8]) {
  // The byte of upper bits of blocks 0 and 2, or 1 and 3, four times each; then of those after
  // them.
  static constexpr std::int8_t kUpper[2][32] = {
      {0, 0, 0, 0, 0, 0, 0, 0, 2, 2, 2, 2, 2, 2, 2, 2,   //
       1, 1, 1, 1, 1, 1, 1, 1, 3, 3, 3, 3, 3, 3, 3, 3},  //
      {4, 4, 4, 4, 4, 4, 4, 4, 6, 6, 6, 6, 6, 6, 6, 6,   //
       5, 5, 5, 5, 5, 5, 5, 5, 7, 7, 7, 7, 7, 7, 7, 7}};
  const DwordLanes upper = DwordLanes::load_twice(group + 66, stride);
  __m512i words[2][2];
  widen_eights(group + 2, stride, words);
  for (int i = 0; i < 2; ++i) {
    const __m512i bits = shuffle_bytes(upper, DwordLanes::of_bytes(kUpper[i])).v;
    for (int half = 0; half < 2; ++half) {
      const __m512i own =
          _mm512_set1_epi64(half == 0 ? 0x0008'0004'0002'0001 : 0x0080'0040'0020'0010);
      const __mmask32 is_upper = _mm512_test_epi16_mask(bits, own);
      const __m512i number =
          _mm512_mask_add_epi16(words[i][half], is_upper, words[i][half], _mm512_set1_epi16(256));
      words[i][half] = look_up_words<512>(kGridIQ3_S, number);
    }
  }
  codes_of_fours(words, kPairsIQ3_S, codes);
}

}  // namespace galley::kernels::avx512
