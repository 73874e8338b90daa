// Attention with a running softmax over blocks of cached positions: docs/attention.md.
//
// One token and one head at a time. The fast kernels share each block of keys and values among
// many tokens and heads, which changes nothing in the arithmetic of any of them.
#include <cmath>
#include <cstring>

#include "kernels/kernels.h"
#include "kernels/scalar/attention_steps.h"
#include "kernels/share.h"
#include "tensor/blocks.h"
#include "tensor/half.h"

namespace galley::kernels::scalar {
namespace {

// The softmax so far, and the sum of the values weighted by the same.
struct Running {
  SoftmaxState softmax;
  float* o = nullptr;  // [head_size of v]
};

// The query of one token and head, and scratch memory.
struct Query {
  const float* values;     // [head_size of k],
  QuantizedBlock* blocks;  // and the same rounded, if the keys are Q8_0
  float* row;              // [head_size] of a key or a value
  float* o;                // [head_size of v]
};

const std::byte* cached_row(const KvTensor& kv, std::int64_t sequence, std::int64_t head,
                            std::int64_t position) {
  return kv.data + sequence * kv.sequence_bytes + head * kv.head_bytes +
         position % kv.n_slots * kv.row_bytes;
}

// A cached row of F32 or F16 as floats in out[head_size].
void load_row(const KvTensor& kv, const std::byte* row, float* out) {
  if (kv.type == DType::kF32) {
    std::memcpy(out, row, static_cast<std::size_t>(kv.head_size) * sizeof(float));
  } else {
    for (std::int64_t i = 0; i < kv.head_size; ++i) {
      std::uint16_t half;
      std::memcpy(&half, row + 2 * i, sizeof(half));
      out[i] = half_to_float(half);
    }
  }
}

float product(const KvTensor& k, const std::byte* key, const Query& query) {
  if (k.type == DType::kQ8_0) {
    return score_product(query.blocks, reinterpret_cast<const BlockQ8_0*>(key), k.head_size / 32);
  }
  load_row(k, key, query.row);
  return score_product(query.values, query.row, k.head_size);
}

// o[head_size] = the sum of n cached values, weighted by p[n]. `row` is scratch memory for one.
void weigh(const KvTensor& v, const std::byte* values, std::int64_t n, const float* p, float* row,
           float* o) {
  for (std::int64_t i = 0; i < v.head_size; ++i) o[i] = 0.0f;
  for (std::int64_t j = 0; j < n; ++j) {
    load_row(v, values + j * v.row_bytes, row);
    for (std::int64_t i = 0; i < v.head_size; ++i) o[i] = std::fma(p[j], row[i], o[i]);
  }
}

// The same for values of Q8_0: sums of integers, scaled once for every 32 columns.
void weigh_q8_0(const KvTensor& v, const std::byte* values, std::int64_t n, const float* p,
                float* o) {
  for (std::int64_t b = 0; b < v.head_size / 32; ++b) {
    const BlockQ8_0* blocks[kAttentionBlock];
    float factors[kAttentionBlock];
    for (std::int64_t j = 0; j < n; ++j) {
      blocks[j] = reinterpret_cast<const BlockQ8_0*>(values + j * v.row_bytes) + b;
      factors[j] = half_to_float(blocks[j]->d);
    }
    const float scale = weight_factors(factors, n);
    std::int32_t sums[32] = {};
    for (std::int64_t j = 0; j < n; ++j) {
      const std::int16_t w = integer_weight(p[j], factors[j]);
      for (int i = 0; i < 32; ++i) sums[i] += w * blocks[j]->qs[i];
    }
    for (int i = 0; i < 32; ++i) o[32 * b + i] = static_cast<float>(sums[i]) * scale;
  }
}

// Positions begin .. end - 1, all in one block, as seen by `token` and `head`.
void attend_block(const AttentionArgs& args, std::int64_t token, std::int64_t head,
                  std::int64_t begin, std::int64_t end, const Query& query, Running& all) {
  const std::int64_t kv_head = head / (args.n_heads / args.n_kv_heads);
  const std::int64_t sequence = args.sequences[token];
  float* o = query.o;

  float p[kAttentionBlock];
  SoftmaxState block;
  for (std::int64_t position = begin; position < end; ++position) {
    const std::byte* key = cached_row(args.k, sequence, kv_head, position);
    const float s = attention_score(product(args.k, key, query), args.scale, args.softcap);
    p[position % kAttentionBlock] = s;
    block.m = s > block.m ? s : block.m;
  }
  Partials l;
  for (std::int64_t position = begin; position < end; ++position) {
    const std::int64_t j = position % kAttentionBlock;
    p[j] = exp(p[j] - score_offset(block.m));
    l.add(j, p[j]);
  }
  const std::byte* values = cached_row(args.v, sequence, kv_head, begin);
  const float* weights = p + begin % kAttentionBlock;
  if (args.v.type == DType::kQ8_0) {
    weigh_q8_0(args.v, values, end - begin, weights, o);
  } else {
    weigh(args.v, values, end - begin, weights, query.row, o);
  }
  block.l = l.total();
  const MergeFactors factors = merge(all.softmax, block);
  for (std::int64_t i = 0; i < args.v.head_size; ++i)
    all.o[i] = merge_value(all.o[i], o[i], factors);
}

Query query_of(const AttentionArgs& args, std::int64_t token, std::int64_t head) {
  const std::int64_t n = args.k.head_size;
  Query query;
  query.values = args.q + token * args.q_stride + head * n;
  query.row = reinterpret_cast<float*>(args.scratch);
  query.o = query.row + (n > args.v.head_size ? n : args.v.head_size);
  query.blocks = reinterpret_cast<QuantizedBlock*>(query.o + args.v.head_size);
  if (args.k.type == DType::kQ8_0) {
    for (std::int64_t b = 0; b < n / 32; ++b) {
      query.blocks[b] = quantize_block(query.values + 32 * b);
    }
  }
  return query;
}

void attend(const AttentionArgs& args, std::int64_t token, std::int64_t head) {
  const Query query = query_of(args, token, head);
  Running all;
  all.o = args.out + token * args.out_stride + head * args.v.head_size;
  for (std::int64_t i = 0; i < args.v.head_size; ++i) all.o[i] = 0.0f;
  if (args.sinks) {  // a score whose value is zero
    all.softmax = {args.sinks[head], 1.0f};
  }
  const std::int64_t end = args.positions[token] + std::int64_t{1};
  std::int64_t begin = args.window > 0 && end > args.window ? end - args.window : 0;
  while (begin < end) {
    const std::int64_t next_block = (begin / kAttentionBlock + 1) * kAttentionBlock;
    const std::int64_t stop = next_block < end ? next_block : end;
    attend_block(args, token, head, begin, stop, query, all);
    begin = stop;
  }
  const float inverse = 1.0f / all.softmax.l;
  for (std::int64_t i = 0; i < args.v.head_size; ++i) all.o[i] *= inverse;
}

}  // namespace

void attention(const AttentionArgs& args, Part part) {
  const Range pairs = share(args.tokens * args.n_heads, part);
  for (std::int64_t i = pairs.begin; i < pairs.end; ++i) {
    attend(args, i / args.n_heads, i % args.n_heads);
  }
}

}  // namespace galley::kernels::scalar
