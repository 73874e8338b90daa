#include "model/executor_view.h"

#include <cmath>

#include "tensor/dequantize.h"
#include "tensor/error.h"

namespace galley {
namespace {

std::vector<float> cached(const kernels::KvTensor& t, std::int32_t sequence, std::int64_t head,
                          std::int64_t position) {
  std::vector<float> values(static_cast<std::size_t>(t.head_size));
  dequantize_row(t.type,
                 t.data + sequence * t.sequence_bytes + head * t.head_bytes +
                     position % t.n_slots * t.row_bytes,
                 values);
  return values;
}

}  // namespace

std::span<float> ExecutorView::row(Value value, std::int64_t r) {
  const ValueInfo& info = executor_.graph_.info(value);
  GALLEY_CHECK(info.cache_layer < 0, info.name + " has no rows, it is in the cache");
  const Executor::Rowset rows = executor_.at(value);
  GALLEY_CHECK(r >= 0 && r < rows.rows, info.name + " has " + std::to_string(rows.rows) + " rows");
  return {rows.row(r), static_cast<std::size_t>(rows.width)};
}

std::vector<float> ExecutorView::cached_k(int cache_layer, std::int32_t sequence,
                                          std::int64_t kv_head, std::int64_t position) const {
  return cached(executor_.cache_.k(cache_layer), sequence, kv_head, position);
}

std::vector<float> ExecutorView::cached_v(int cache_layer, std::int32_t sequence,
                                          std::int64_t kv_head, std::int64_t position) const {
  return cached(executor_.cache_.v(cache_layer), sequence, kv_head, position);
}

std::vector<float> ExecutorView::attention_scores(const Op& op, std::int64_t token,
                                                  std::int64_t head) {
  const CacheLayer& layer = executor_.graph_.cache_layers[static_cast<std::size_t>(op.cache_layer)];
  const std::int64_t position = positions()[static_cast<std::size_t>(token)];
  const std::int32_t sequence = sequences()[static_cast<std::size_t>(token)];
  const std::span<const float> q = row(op.inputs[0], token)
                                       .subspan(static_cast<std::size_t>(head * layer.head_size_k),
                                                static_cast<std::size_t>(layer.head_size_k));
  const std::int64_t kv_head = head / (op.heads / layer.n_kv_heads);
  std::vector<float> scores(static_cast<std::size_t>(position) + 1, -INFINITY);
  const std::int64_t window = op.attention.window;
  const std::int64_t first = window > 0 ? std::max<std::int64_t>(0, position - window + 1) : 0;
  for (std::int64_t p = first; p <= position; ++p) {
    const std::vector<float> k = cached_k(op.cache_layer, sequence, kv_head, p);
    double sum = 0;
    for (std::size_t i = 0; i < k.size(); ++i)
      sum += static_cast<double>(q[i]) * static_cast<double>(k[i]);
    sum *= static_cast<double>(op.attention.scale);
    const auto cap = static_cast<double>(op.attention.softcap);
    if (cap > 0) sum = cap * std::tanh(sum / cap);
    scores[static_cast<std::size_t>(p)] = static_cast<float>(sum);
  }
  return scores;
}

std::vector<float> ExecutorView::attention_weights(const Op& op, std::int64_t token,
                                                   std::int64_t head) {
  std::vector<float> weights = attention_scores(op, token, head);
  double highest = -INFINITY;
  for (float s : weights) highest = std::max(highest, static_cast<double>(s));
  const float* sinks =
      op.attention.sinks ? reinterpret_cast<const float*>(op.attention.sinks->data) : nullptr;
  double sum = sinks ? std::exp(static_cast<double>(sinks[head]) - highest) : 0;
  for (float s : weights) sum += std::exp(static_cast<double>(s) - highest);
  for (float& w : weights) w = static_cast<float>(std::exp(static_cast<double>(w) - highest) / sum);
  return weights;
}

}  // namespace galley
