// From queries and a block of keys to weights, with the running softmax.
//
// The 16 lanes of a register are 16 positions (the keys of a block are turned when they are
// loaded), so the products need no sum across lanes.
#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "kernels/avx512/attention_inner.h"
#include "kernels/avx512/lanes.h"
#include "kernels/avx512/math.h"
#include "kernels/kernels.h"
#include "kernels/quantized_rows.h"
#include "kernels/unroll.h"
#include "tensor/dtype_enum.h"

namespace galley::kernels::avx512 {
namespace {

// p[row][i] = q[row] . k[i] for kRows rows and 16 kVectors positions; `keys` and `p` point to the
// first of these. (Inlined, the loop has too few registers.)
template <int kRows, int kVectors>
[[gnu::noinline]] void dot_products(const AttentionShape& shape, const float* q, const float* keys,
                                    Ahead& ahead, float* p) {
  __m512 sums[kRows][kVectors];
  unroll<kRows>([&](auto row) GALLEY_INLINE {
    for (__m512& sum : sums[row.value]) sum = _mm512_setzero_ps();
  });
  Ahead to_come = ahead;  // a copy, which stays in registers
  for (std::int64_t c = 0; c < shape.k_size; ++c) {
    for (int i = 0; i < kVectors; i += 2) ask(to_come);
    __m512 key[kVectors];
    for (int i = 0; i < kVectors; ++i) key[i] = _mm512_load_ps(keys + c * kAttentionBlock + 16 * i);
    for (int row = 0; row < kRows; ++row) {
      const __m512 query = _mm512_set1_ps(q[row * shape.k_columns + c]);
      for (int i = 0; i < kVectors; ++i) {
        sums[row][i] = _mm512_fmadd_ps(query, key[i], sums[row][i]);
      }
    }
  }
  ahead = to_come;
  unroll<kRows>([&](auto row) GALLEY_INLINE {
    for (int i = 0; i < kVectors; ++i) {
      _mm512_storeu_ps(p + row.value * kAttentionBlock + 16 * i, sums[row.value][i]);
    }
  });
}

// A block of the rounded query of a row, as round_query leaves it.
struct QueryBlock {
  const std::byte* at;

  __m512i q(int k) const { return _mm512_set1_epi32(dword(4 * k)); }
  __m512 d() const { return _mm512_castsi512_ps(_mm512_set1_epi32(dword(32))); }

 private:
  std::int32_t dword(std::int64_t offset) const {
    std::int32_t value;
    __builtin_memcpy(&value, at + offset, 4);
    return value;
  }
};

// The same for keys of Q8_0: of each block of columns the sum of integers, scaled.
template <int kRows, int kVectors>
[[gnu::noinline]] void dot_products_q8_0(const AttentionShape& shape, const std::byte* q8,
                                         const float* keys, Ahead& ahead, float* p) {
  const float* scales = keys + shape.k_size / 4 * kAttentionBlock;
  const float* starts = scales + shape.k_size / 32 * kAttentionBlock;
  Ahead to_come = ahead;
  for (std::int64_t b = 0; b < shape.k_size / 32; ++b) {
    __m512i sums[kRows][kVectors];
    QueryBlock query[kRows];
    unroll<kRows>([&](auto row) GALLEY_INLINE {
      query[row.value].at = shape.query_block(q8, row.value, b);
      for (int i = 0; i < kVectors; ++i) {
        sums[row.value][i] = _mm512_load_si512(starts + b * kAttentionBlock + 16 * i);
      }
    });
    unroll<8>([&](auto step) GALLEY_INLINE {
      constexpr int k = decltype(step)::value;
      if (to_come.at < to_come.end) {
        for (int i = 0; i <= kVectors; ++i) ask(to_come);
      }
      __m512i key[kVectors];
      for (int i = 0; i < kVectors; ++i) {
        key[i] = _mm512_load_si512(keys + (8 * b + k) * kAttentionBlock + 16 * i);
      }
      unroll<kRows>([&](auto row) GALLEY_INLINE {
        const __m512i q = query[row.value].q(k);
        for (int i = 0; i < kVectors; ++i) {
          sums[row.value][i] = _mm512_dpbusd_epi32(sums[row.value][i], q, key[i]);
        }
      });
    });
    unroll<kRows>([&](auto row) GALLEY_INLINE {
      for (int i = 0; i < kVectors; ++i) {
        float* dot = p + row.value * kAttentionBlock + 16 * i;
        const __m512 d = _mm512_load_ps(scales + b * kAttentionBlock + 16 * i);
        _mm512_storeu_ps(dot, _mm512_fmadd_ps(_mm512_cvtepi32_ps(sums[row.value][i]),
                                              _mm512_mul_ps(query[row.value].d(), d),
                                              b == 0 ? _mm512_setzero_ps() : _mm512_loadu_ps(dot)));
      }
    });
  }
  ahead = to_come;
}

// The score of a row and 16 positions from j on, from their dot products: -inf where the row does
// not see the position.
__m512 finish_score(const AttentionShape& shape, const AttentionRows& rows, int row, int j,
                    __m512 dot) {
  __m512 score = _mm512_mul_ps(dot, _mm512_set1_ps(shape.scale));
  if (shape.softcap > 0.0f) {
    const __m512 softcap = _mm512_set1_ps(shape.softcap);
    score = _mm512_mul_ps(softcap, tanh(_mm512_div_ps(score, softcap)));
  }
  const __m512i position =
      _mm512_add_epi32(_mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15),
                       _mm512_set1_epi32(j));
  const __mmask16 is_seen = _mm512_cmpge_epi32_mask(position, _mm512_set1_epi32(rows.begin[row])) &
                            _mm512_cmplt_epi32_mask(position, _mm512_set1_epi32(rows.end[row]));
  return _mm512_mask_mov_ps(_mm512_set1_ps(-__builtin_inff()), is_seen, score);
}

// Fills p with the dot products of the positions seen and those around them.
template <int kRows>
void multiply_positions(const AttentionShape& shape, const AttentionBlock& keys,
                        const AttentionRows& rows, const SeenPositions& seen) {
  constexpr int kVectors = kRows <= 4 ? 4 : 2;
  constexpr int kStep = 16 * kVectors;
  for (int j = seen.begin / kStep * kStep; j < seen.end; j += kStep) {
    const float* k = reinterpret_cast<const float*>(keys.rows) + j;
    if (keys.type == DType::kQ8_0) {
      dot_products_q8_0<kRows, kVectors>(shape, rows.q8, k, *keys.ahead, rows.p + j);
    } else {
      dot_products<kRows, kVectors>(shape, rows.q, k, *keys.ahead, rows.p + j);
    }
  }
}

__m512 larger(__m512 a, __m512 b) { return _mm512_max_ps(a, b); }
__m512 sum(__m512 a, __m512 b) { return _mm512_add_ps(a, b); }

// Lane `row` of the result combines the 16 lanes of x[row], in the order of total (lanes.h): lanes
// 8 apart, then 4, 2 and 1. All rows at once: half as many shuffles as one after another.
template <__m512 (*combine)(__m512, __m512), int kRows>
GALLEY_INLINE inline __m512 across_lanes(const __m512 (&x)[kRows]) {
  __m512 eight[4];
  __m512 four[2];
  for (int i = 0; i < 4; ++i) {
    const __m512 a = x[2 * i % kRows];
    const __m512 b = x[(2 * i + 1) % kRows];
    eight[i] = combine(_mm512_shuffle_f32x4(a, b, 0x44), _mm512_shuffle_f32x4(a, b, 0xee));
  }
  for (int i = 0; i < 2; ++i) {
    const __m512 a = eight[2 * i];
    const __m512 b = eight[2 * i + 1];
    four[i] = combine(_mm512_shuffle_f32x4(a, b, 0x88), _mm512_shuffle_f32x4(a, b, 0xdd));
  }
  // Quarter i: two lanes of row i, two of row i + 4.
  const __m512d a = _mm512_castps_pd(four[0]);
  const __m512d b = _mm512_castps_pd(four[1]);
  const __m512 two = combine(_mm512_castpd_ps(_mm512_unpacklo_pd(a, b)),
                             _mm512_castpd_ps(_mm512_unpackhi_pd(a, b)));
  const __m512 one = combine(two, _mm512_permute_ps(two, 0b10'11'00'01));
  const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 2, 6, 10, 14, 0, 0, 0, 0, 0, 0, 0, 0);
  return _mm512_permutexvar_ps(order, one);
}

// What is subtracted from scores whose maximum is m: m, but 0 where m is -inf.
__m512 offset(__m512 m) {
  const __m512 lowest = _mm512_set1_ps(-__builtin_inff());
  return _mm512_maskz_mov_ps(_mm512_cmpneq_ps_mask(m, lowest), m);
}

// The largest score of each row in m, the sum of its weights in l: one row per lane.
struct BlockSoftmax {
  __m512 m;
  __m512 l;
};

// Turns the dot products in p into weights e^(score - m).
template <int kRows>
BlockSoftmax weigh_positions(const AttentionShape& shape, const AttentionRows& rows,
                             const SeenPositions& seen) {
  const int begin = seen.begin / 16 * 16;
  __m512 largest[kRows];
  for (int row = 0; row < kRows; ++row) {
    largest[row] = _mm512_set1_ps(-__builtin_inff());
    for (int j = begin; j < seen.end; j += 16) {
      float* p = rows.p + row * kAttentionBlock + j;
      const __m512 score = finish_score(shape, rows, row, j, _mm512_loadu_ps(p));
      _mm512_storeu_ps(p, score);
      largest[row] = _mm512_max_ps(score, largest[row]);  // the second operand if it is a NaN
    }
  }
  BlockSoftmax block;
  block.m = across_lanes<larger>(largest);
  alignas(64) float shift[16];
  _mm512_store_ps(shift, offset(block.m));
  __m512 sums[kRows];  // of 16 partial sums each
  for (int row = 0; row < kRows; ++row) {
    sums[row] = _mm512_setzero_ps();
    for (int j = begin; j < seen.end; j += 16) {
      float* p = rows.p + row * kAttentionBlock + j;
      const __m512 weight = exp(_mm512_sub_ps(_mm512_loadu_ps(p), _mm512_set1_ps(shift[row])));
      _mm512_storeu_ps(p, weight);
      sums[row] = _mm512_add_ps(sums[row], weight);
    }
  }
  block.l = across_lanes<sum>(sums);
  return block;
}

// The same where every row sees the whole block and scores are dot products times shape.scale > 0:
// then the largest score is that of the largest product, and nothing needs to be stored between.
template <int kRows>
BlockSoftmax weigh_whole_block(const AttentionShape& shape, const AttentionRows& rows) {
  const auto at = [&rows](int row, int i) { return rows.p + row * kAttentionBlock + 16 * i; };
  __m512 largest[kRows];
  unroll<kRows>([&](auto row) GALLEY_INLINE {
    largest[row.value] = _mm512_set1_ps(-__builtin_inff());
    for (int i = 0; i < 4; ++i) {
      largest[row.value] = _mm512_max_ps(_mm512_loadu_ps(at(row.value, i)), largest[row.value]);
    }
  });
  const __m512 scale = _mm512_set1_ps(shape.scale);
  BlockSoftmax block;
  block.m = _mm512_mul_ps(across_lanes<larger>(largest), scale);
  alignas(64) float shift[16];
  _mm512_store_ps(shift, offset(block.m));
  __m512 sums[kRows];
  unroll<kRows>([&](auto row) GALLEY_INLINE {
    __m512 weights[4];
    for (int i = 0; i < 4; ++i) {
      const __m512 score = _mm512_mul_ps(_mm512_loadu_ps(at(row.value, i)), scale);
      weights[i] = _mm512_sub_ps(score, _mm512_set1_ps(shift[row.value]));
    }
    exp_of_each(weights);
    sums[row.value] = _mm512_setzero_ps();
    for (int i = 0; i < 4; ++i) {
      _mm512_storeu_ps(at(row.value, i), weights[i]);
      sums[row.value] = _mm512_add_ps(sums[row.value], weights[i]);
    }
  });
  block.l = across_lanes<sum>(sums);
  return block;
}

// Merges the maxima and sums of the block into the rows', and tells how to merge their values.
template <int kRows>
void merge(const BlockSoftmax& block, AttentionRows& rows) {
  const auto integers = [](const std::int32_t* x) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(x));
  };
  const auto all = static_cast<__mmask8>((1u << kRows) - 1u);
  const __mmask16 sees_any =
      _mm256_mask_cmplt_epi32_mask(all, integers(rows.begin), integers(rows.end));
  const __m512 m = _mm512_maskz_loadu_ps(sees_any, rows.m);
  const __m512 l = _mm512_maskz_loadu_ps(sees_any, rows.l);
  const __m512 max = _mm512_max_ps(block.m, m);
  const __m512 keep = exp(_mm512_sub_ps(m, offset(max)));
  const __m512 take = exp(_mm512_sub_ps(block.m, offset(max)));
  _mm512_mask_storeu_ps(rows.m, sees_any, max);
  _mm512_mask_storeu_ps(rows.l, sees_any, _mm512_fmadd_ps(l, keep, _mm512_mul_ps(block.l, take)));
  _mm512_mask_storeu_ps(rows.keep, all, keep);
  _mm512_mask_storeu_ps(rows.take, all, take);
}

template <int kRows>
void score_rows(const AttentionShape& shape, const AttentionBlock& keys, AttentionRows& rows) {
  const SeenPositions seen = seen_by<kRows>(rows);
  multiply_positions<kRows>(shape, keys, rows, seen);
  const bool is_plain = seen.all && shape.softcap <= 0.0f && shape.scale > 0.0f;
  merge<kRows>(
      is_plain ? weigh_whole_block<kRows>(shape, rows) : weigh_positions<kRows>(shape, rows, seen),
      rows);
}

}  // namespace

// With 128 added to each code, as vpdpbusd multiplies unsigned with signed bytes; the sums with a
// key begin where that is taken off (load_turned).
void round_query(const float* q, std::int64_t n, std::byte* out) {
  quantize_rows(one_query(q, n, out), Part{});
  for (std::int64_t b = 0; b < n / 32; ++b) {
    auto* codes = reinterpret_cast<__m256i*>(out + b * kQuantizedBlockBytes);
    _mm256_storeu_si256(codes, _mm256_xor_si256(_mm256_loadu_si256(codes), _mm256_set1_epi8(-128)));
  }
}

void score(const AttentionShape& shape, const AttentionBlock& keys, AttentionRows& rows) {
  if (rows.count == 8) return score_rows<8>(shape, keys, rows);
  if (rows.count == 4) return score_rows<4>(shape, keys, rows);
  if (rows.count == 2) return score_rows<2>(shape, keys, rows);
  return score_rows<1>(shape, keys, rows);
}

}  // namespace galley::kernels::avx512
