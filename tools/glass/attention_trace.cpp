#include "tools/glass/attention_trace.h"

#include <algorithm>

#include "kernels/kernels.h"
#include "kernels/scalar/attention_steps.h"
#include "tensor/error.h"

namespace galley::glass {

using kernels::kAttentionBlock;
namespace scalar = kernels::scalar;

namespace {

// Positions begin .. end - 1, all in one block.
void trace_block(std::int64_t begin, std::int64_t end, scalar::SoftmaxState& all,
                 AttentionTrace& out) {
  scalar::SoftmaxState block;
  for (std::int64_t p = begin; p < end; ++p) {
    const float s = out.scores[static_cast<std::size_t>(p)];
    block.m = s > block.m ? s : block.m;
  }
  scalar::Partials l;
  for (std::int64_t p = begin; p < end; ++p) {
    const auto i = static_cast<std::size_t>(p);
    out.exponentials[i] = scalar::exp(out.scores[i] - scalar::score_offset(block.m));
    l.add(p % kAttentionBlock, out.exponentials[i]);
  }
  block.l = l.total();
  const scalar::MergeFactors factors = scalar::merge(all, block);
  for (std::int64_t p = out.first; p < end; ++p) {
    const auto i = static_cast<std::size_t>(p);
    out.weights[i] = p < begin ? out.weights[i] * factors.keep : out.exponentials[i] * factors.take;
  }
  out.blocks.push_back({begin, end, block.m, block.l, factors.keep, factors.take, all.m, all.l});
}

}  // namespace

std::vector<BlockQ8_0> cached_blocks(std::span<const float> row) {
  const auto n = static_cast<std::int64_t>(row.size());
  std::vector<BlockQ8_0> blocks(row.size() / 32);
  const std::int32_t first = 0;
  const std::int64_t bytes = n / 32 * static_cast<std::int64_t>(sizeof(BlockQ8_0));
  scalar::store_kv(
      {row.data(),
       n,
       1,
       1,
       &first,
       &first,
       {DType::kQ8_0, reinterpret_cast<std::byte*>(blocks.data()), n, 1, bytes, bytes, bytes}},
      {0, 1});
  return blocks;
}

std::vector<scalar::QuantizedBlock> query_blocks(std::span<const float> q) {
  std::vector<scalar::QuantizedBlock> blocks;
  for (std::size_t i = 0; i < q.size(); i += 32) {
    blocks.push_back(scalar::quantize_block(q.data() + i));
  }
  return blocks;
}

float score_product(DType kv_type, std::span<const float> q, std::span<const float> k) {
  if (kv_type != DType::kQ8_0) return scalar::score_product(q.data(), k.data(), std::ssize(k));
  const std::vector<scalar::QuantizedBlock> query = query_blocks(q);
  return scalar::score_product(query.data(), cached_blocks(k).data(), std::ssize(query));
}

AttentionTrace trace_attention(const RunData& run, const Op& op, std::int64_t token,
                               std::int64_t head) {
  GALLEY_CHECK(op.kind == OpKind::kAttention, op.name + " is no attention");
  const CacheLayer& layer = run.graph().cache_layers[static_cast<std::size_t>(op.cache_layer)];
  const auto t = static_cast<std::size_t>(token);
  const std::int32_t sequence = run.sequences()[t];
  AttentionTrace out;
  out.position = run.positions()[t];
  out.first =
      layer.window > 0 ? std::max<std::int64_t>(0, out.position - op.attention.window + 1) : 0;
  out.kv_head = head / (op.heads / layer.n_kv_heads);
  const std::int64_t n = out.position + 1;
  out.scores.assign(static_cast<std::size_t>(n), scalar::kMinusInfinity);
  out.exponentials.assign(static_cast<std::size_t>(n), 0);
  out.weights.assign(static_cast<std::size_t>(n), 0);

  const float* q = run.row(op.inputs[0], token).data() + head * layer.head_size_k;
  for (std::int64_t p = out.first; p < n; ++p) {
    const std::vector<float> k = run.cached_k(op.cache_layer, sequence, out.kv_head, p);
    out.scores[static_cast<std::size_t>(p)] = scalar::attention_score(
        score_product(run.kv_type(), {q, k.size()}, k), op.attention.scale, op.attention.softcap);
  }
  scalar::SoftmaxState all;
  if (op.attention.sinks)  // a score whose value is zero
    all = {reinterpret_cast<const float*>(op.attention.sinks->data)[head], 1.0f};
  for (std::int64_t begin = out.first; begin < n;) {
    const std::int64_t end = std::min(n, (begin / kAttentionBlock + 1) * kAttentionBlock);
    trace_block(begin, end, all, out);
    begin = end;
  }
  out.inverse = 1.0f / all.l;
  for (float& w : out.weights) w *= out.inverse;
  return out;
}

}  // namespace galley::glass
