// Attention with a running softmax over blocks of cached positions: docs/attention.md.
//
// One token and one head at a time. The fast kernels share each block of keys and values among
// many tokens and heads, which changes nothing in the arithmetic of any of them.
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "kernels/kernels.h"
#include "kernels/scalar/math.h"
#include "kernels/scalar/partials.h"
#include "kernels/share.h"
#include "tensor/blocks.h"
#include "tensor/half.h"

namespace galley::kernels::scalar {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();

// The softmax so far: with m the largest score, l = sum of e^(score - m), o = the sum of the
// values weighted by the same.
struct Running {
  float m = -kInf;
  float l = 0.0f;
  float* o = nullptr;  // [head_size of v]
};

// The cached row of `position` as floats in out[head_size].
void load_row(const KvTensor& kv, std::int64_t sequence, std::int64_t head, std::int64_t position,
              float* out) {
  const std::byte* row = kv.data + sequence * kv.sequence_bytes + head * kv.head_bytes +
                         position % kv.n_slots * kv.row_bytes;
  if (kv.type == DType::kF32) {
    std::memcpy(out, row, static_cast<std::size_t>(kv.head_size) * sizeof(float));
  } else if (kv.type == DType::kF16) {
    for (std::int64_t i = 0; i < kv.head_size; ++i) {
      std::uint16_t half;
      std::memcpy(&half, row + 2 * i, sizeof(half));
      out[i] = half_to_float(half);
    }
  } else {
    for (std::int64_t i = 0; i < kv.head_size; ++i) {
      BlockQ8_0 block;
      std::memcpy(&block, row + i / 32 * static_cast<std::int64_t>(sizeof(block)), sizeof(block));
      out[i] = half_to_float(block.d) * static_cast<float>(block.qs[i % 32]);
    }
  }
}

// What is subtracted from the scores: their maximum, unless all of them are -inf, whose
// weights are then e^-inf = 0.
float offset(float max) { return max == -kInf ? 0.0f : max; }

// Merges the block (m, l, o) into `all`: both are brought to the larger maximum and added.
void merge(float m, float l, const float* o, std::int64_t n, Running& all) {
  const float max = m > all.m ? m : all.m;
  const float keep = exp(all.m - offset(max));
  const float take = exp(m - offset(max));
  all.m = max;
  all.l = std::fma(all.l, keep, l * take);
  for (std::int64_t i = 0; i < n; ++i) all.o[i] = std::fma(all.o[i], keep, o[i] * take);
}

float score(const AttentionArgs& args, const float* q, const float* k) {
  const float scaled = dot(q, k, args.k.head_size) * args.scale;
  return args.softcap > 0.0f ? args.softcap * tanh(scaled / args.softcap) : scaled;
}

// Positions begin .. end - 1, all in one block, as seen by `token` and `head`.
void attend_block(const AttentionArgs& args, std::int64_t token, std::int64_t head,
                  std::int64_t begin, std::int64_t end, float* scratch, Running& all) {
  const std::int64_t kv_head = head / (args.n_heads / args.n_kv_heads);
  const std::int64_t sequence = args.sequences[token];
  const float* q = args.q + token * args.q_stride + head * args.k.head_size;
  float* row = scratch;  // of a key, then of a value
  float* o = scratch + (args.k.head_size > args.v.head_size ? args.k.head_size : args.v.head_size);

  float p[kAttentionBlock];
  float m = -kInf;
  for (std::int64_t position = begin; position < end; ++position) {
    load_row(args.k, sequence, kv_head, position, row);
    const float s = score(args, q, row);
    p[position % kAttentionBlock] = s;
    m = s > m ? s : m;
  }
  Partials l;
  for (std::int64_t i = 0; i < args.v.head_size; ++i) o[i] = 0.0f;
  for (std::int64_t position = begin; position < end; ++position) {
    const std::int64_t j = position % kAttentionBlock;
    p[j] = exp(p[j] - offset(m));
    l.add(j, p[j]);
    load_row(args.v, sequence, kv_head, position, row);
    for (std::int64_t i = 0; i < args.v.head_size; ++i) o[i] = std::fma(p[j], row[i], o[i]);
  }
  merge(m, l.total(), o, args.v.head_size, all);
}

void attend(const AttentionArgs& args, std::int64_t token, std::int64_t head) {
  Running all;
  all.o = args.out + token * args.out_stride + head * args.v.head_size;
  for (std::int64_t i = 0; i < args.v.head_size; ++i) all.o[i] = 0.0f;
  if (args.sinks) {  // a score whose value is zero
    all.m = args.sinks[head];
    all.l = 1.0f;
  }
  const std::int64_t end = args.positions[token] + std::int64_t{1};
  std::int64_t begin = args.window > 0 && end > args.window ? end - args.window : 0;
  while (begin < end) {
    const std::int64_t next_block = (begin / kAttentionBlock + 1) * kAttentionBlock;
    const std::int64_t stop = next_block < end ? next_block : end;
    attend_block(args, token, head, begin, stop, reinterpret_cast<float*>(args.scratch), all);
    begin = stop;
  }
  const float inverse = 1.0f / all.l;
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
