#include "tools/glass/run_record.h"

#include <algorithm>
#include <utility>

#include "tensor/error.h"

namespace galley::glass {
namespace {

// The sequences of a batch, each once.
std::vector<std::int32_t> distinct(std::span<const std::int32_t> sequences) {
  std::vector<std::int32_t> all(sequences.begin(), sequences.end());
  std::sort(all.begin(), all.end());
  all.erase(std::unique(all.begin(), all.end()), all.end());
  return all;
}

// The positions of `sequence` that tokens of the batch see in a layer with this window.
std::pair<std::int64_t, std::int64_t> visible(RunView& run, std::int32_t sequence,
                                              std::int64_t window) {
  std::int64_t first = -1, last = -1;
  for (std::size_t t = 0; t < run.positions().size(); ++t) {
    if (run.sequences()[t] != sequence) continue;
    if (first < 0) first = run.positions()[t];
    last = run.positions()[t];
  }
  first = window > 0 ? std::max<std::int64_t>(0, first - window + 1) : 0;
  return {first, last + 1};
}

}  // namespace

bool RunRecord::has_row(Value v, std::int64_t r) const {
  const RecordedValue& kept = value(v);
  return kept.is_kept && r >= kept.first_row && r < kept.first_row + kept.n_rows();
}

std::span<const float> RunRecord::row(Value v, std::int64_t r) const {
  const RecordedValue& kept = value(v);
  if (!has_row(v, r)) {
    const std::int64_t n = n_rows(v);
    const std::string& name = graph().info(v).name;
    throw Error(ErrorKind::kUsage,
                r >= 0 && r < n ? "row " + std::to_string(r) + " of " + name + " was not recorded"
                                : name + " has no row " + std::to_string(r) +
                                      " in this batch; it has " + std::to_string(n));
  }
  const std::size_t begin = static_cast<std::size_t>((r - kept.first_row) * kept.width);
  return std::span(kept.data).subspan(begin, static_cast<std::size_t>(kept.width));
}

std::vector<float> RunRecord::cached(const std::vector<Cached>& all, int cache_layer,
                                     std::int32_t sequence, std::int64_t kv_head,
                                     std::int64_t position) const {
  for (const Cached& c : all) {
    if (c.cache_layer != cache_layer || c.sequence != sequence) continue;
    if (position < c.first || position >= c.first + c.n_positions) break;
    const float* begin =
        c.data.data() + (kv_head * c.n_positions + position - c.first) * c.head_size;
    return {begin, begin + c.head_size};
  }
  throw Error(ErrorKind::kUsage, "position " + std::to_string(position) +
                                     " of the cache of layer " + std::to_string(cache_layer) +
                                     " was not recorded");
}

std::vector<float> RunRecord::cached_k(int cache_layer, std::int32_t sequence, std::int64_t kv_head,
                                       std::int64_t position) const {
  return cached(keys_, cache_layer, sequence, kv_head, position);
}

std::vector<float> RunRecord::cached_v(int cache_layer, std::int32_t sequence, std::int64_t kv_head,
                                       std::int64_t position) const {
  return cached(cached_values_, cache_layer, sequence, kv_head, position);
}

std::int64_t RunRecord::n_bytes() const {
  std::size_t n = 0;
  for (const RecordedValue& v : values_) n += v.data.size() * sizeof(float);
  for (const auto* all : {&keys_, &cached_values_})
    for (const Cached& c : *all) n += c.data.size() * sizeof(float);
  return static_cast<std::int64_t>(n);
}

void Recorder::begin(RunView& run) {
  const Graph& graph = run.graph();
  if (is_wanted_.size() != graph.values.size()) {
    is_wanted_.clear();
    for (const ValueInfo& info : graph.values)
      is_wanted_.push_back(
          std::any_of(options_.patterns.begin(), options_.patterns.end(),
                      [&](const std::string& p) { return matches(p, info.name); }));
  }
  RunRecord& record = records_.emplace_back();
  record.graph_ = &graph;
  const auto copy = [](std::span<const std::int32_t> from) {
    return std::vector<std::int32_t>(from.begin(), from.end());
  };
  record.token_ids_ = copy(run.token_ids());
  record.positions_ = copy(run.positions());
  record.sequences_ = copy(run.sequences());
  record.outputs_ = copy(run.outputs());
  record.n_context_ = run.n_context();
  record.kv_type_ = run.kv_type();
  record.values_.resize(graph.values.size());
  record.op_ns_.assign(graph.ops.size(), 0);
}

void Recorder::before_op(RunView& run, int op_index) {
  if (op_index == 0) begin(run);
  began_ = std::chrono::steady_clock::now();
}

void Recorder::after_op(RunView& run, int op_index) {
  const auto elapsed = std::chrono::steady_clock::now() - began_;
  RunRecord& record = records_.back();
  record.op_ns_[static_cast<std::size_t>(op_index)] =
      std::chrono::duration_cast<std::chrono::nanoseconds>(elapsed).count();
  const Op& op = run.graph().ops[static_cast<std::size_t>(op_index)];
  if (op.kind == OpKind::kAttention && options_.cache) keep_cache(run, op);
  const ValueInfo& info = run.graph().info(op.output);
  if (info.cache_layer >= 0 || !is_wanted_[static_cast<std::size_t>(op.output.id)]) return;
  RecordedValue& kept = record.values_[static_cast<std::size_t>(op.output.id)];
  const std::int64_t n = record.n_rows(op.output);
  kept.is_kept = true;
  kept.width = info.width;
  kept.first_row = options_.max_rows > 0 ? std::max<std::int64_t>(0, n - options_.max_rows) : 0;
  kept.data.reserve(static_cast<std::size_t>((n - kept.first_row) * info.width));
  for (std::int64_t r = kept.first_row; r < n; ++r) {
    const std::span<const float> row = run.row(op.output, r);
    kept.data.insert(kept.data.end(), row.begin(), row.end());
  }
}

void Recorder::keep_cache(RunView& run, const Op& op) {
  RunRecord& record = records_.back();
  const CacheLayer& layer = run.graph().cache_layers[static_cast<std::size_t>(op.cache_layer)];
  for (const std::int32_t sequence : distinct(run.sequences())) {
    const auto [first, end] = visible(run, sequence, layer.window);
    RunRecord::Cached k{op.cache_layer, sequence, first, end - first, layer.head_size_k, {}};
    RunRecord::Cached v{op.cache_layer, sequence, first, end - first, layer.head_size_v, {}};
    for (std::int64_t head = 0; head < layer.n_kv_heads; ++head)
      for (std::int64_t p = first; p < end; ++p) {
        const std::vector<float> key = run.cached_k(op.cache_layer, sequence, head, p);
        const std::vector<float> value = run.cached_v(op.cache_layer, sequence, head, p);
        k.data.insert(k.data.end(), key.begin(), key.end());
        v.data.insert(v.data.end(), value.begin(), value.end());
      }
    record.keys_.push_back(std::move(k));
    record.cached_values_.push_back(std::move(v));
  }
}

bool matches(std::string_view pattern, std::string_view name) {
  // The last `*` takes more whenever what follows does not fit.
  std::size_t p = 0, n = 0, star = std::string_view::npos, taken = 0;
  while (n < name.size()) {
    if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == name[n]) && pattern[p] != '*') {
      ++p, ++n;
    } else if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      taken = n;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      n = ++taken;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

}  // namespace galley::glass
