#include "tools/glass/run_data.h"

#include <string>

#include "tensor/error.h"

namespace galley::glass {

std::int64_t RunData::n_rows(Value value) const {
  const ValueInfo& info = graph().info(value);
  return info.rows == Rows::kTokens ? n_tokens() : static_cast<std::int64_t>(outputs().size());
}

bool LiveRun::has_row(Value value, std::int64_t r) const {
  return graph().info(value).cache_layer < 0 && r >= 0 && r < n_rows(value);
}

std::span<const float> LiveRun::row(Value value, std::int64_t r) const {
  if (!has_row(value, r))
    throw Error(ErrorKind::kUsage, graph().info(value).name + " has no row " + std::to_string(r) +
                                       " in this batch; it has " + std::to_string(n_rows(value)));
  return run_.row(value, r);
}

std::vector<float> LiveRun::cached_k(int cache_layer, std::int32_t sequence, std::int64_t kv_head,
                                     std::int64_t position) const {
  return run_.cached_k(cache_layer, sequence, kv_head, position);
}

std::vector<float> LiveRun::cached_v(int cache_layer, std::int32_t sequence, std::int64_t kv_head,
                                     std::int64_t position) const {
  return run_.cached_v(cache_layer, sequence, kv_head, position);
}

}  // namespace galley::glass
