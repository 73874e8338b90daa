#include "tools/step/values.h"

#include <cmath>

#include "tensor/error.h"
#include "tensor/message.h"
#include "tools/output.h"
#include "tools/step/show.h"

namespace galley::step {

using tools::format;

namespace {

const char* dimension_name(glass::ValueKind kind, std::size_t i) {
  static const char* const kRows[] = {"row", "column"};
  static const char* const kCache[] = {"position", "column"};
  static const char* const kAttention[] = {"head", "token", "position"};
  if (kind == glass::ValueKind::kRows) return kRows[i];
  return kind == glass::ValueKind::kCache ? kCache[i] : kAttention[i];
}

glass::NamedValue last_made(Debugger& d) {
  if (d.last_op() < 0)
    throw Error(ErrorKind::kUsage, "no value has been made in this pass yet; step makes one");
  return glass::find_value(d.run().graph(),
                           d.run().graph().ops[static_cast<std::size_t>(d.last_op())].name);
}

}  // namespace

Selection::Selection(Debugger& d, std::string_view text) : run_(d.run()) {
  glass::ValueRef ref;
  // `print [3, :8]`: of the value made last.
  const bool is_unnamed = text.empty() || text.front() == '[';
  if (!text.empty()) ref = glass::parse_value_ref(cat({is_unnamed ? "x" : "", text}));
  named_ = is_unnamed ? last_made(d) : glass::find_value(run_.graph(), ref.name, d.layer());
  need_made();
  sizes_ = glass::dimensions(run_.graph(), named_, run_.pass_end() - run_.pass_begin(),
                             run_.view().n_outputs(), run_.pass_end());
  if (ref.slices.size() > sizes_.size())
    throw Error(ErrorKind::kUsage,
                name() + format(" has %zu dimensions, not %zu", sizes_.size(), ref.slices.size()));
  n_given_ = ref.slices.size();
  for (std::size_t i = 0; i < sizes_.size(); ++i)
    ranges_.push_back(i < n_given_
                          ? glass::resolve(ref.slices[i], sizes_[i],
                                           cat({dimension_name(named_.kind, i), " of ", name()}))
                          : glass::IndexRange{0, sizes_[i]});
}

void Selection::need_made() const {
  if (named_.op < run_.next_op()) return;
  throw Error(ErrorKind::kUsage,
              cat({name(), " has not been made yet; run-until ", name(), " goes there"}));
}

bool Selection::is_one_number() const { return n_numbers() == 1 && n_given_ == sizes_.size(); }

std::int64_t Selection::n_numbers() const {
  std::int64_t n = 1;
  for (const glass::IndexRange& range : ranges_) n *= range.size();
  return n;
}

std::vector<float> Selection::whole_row(std::int64_t head, std::int64_t r) const {
  const StoppedData data = run_.data();
  const Op& op = run_.graph().ops[static_cast<std::size_t>(named_.op)];
  if (named_.kind == glass::ValueKind::kRows) {
    const auto row = data.row(named_.value, r);
    return {row.begin(), row.end()};
  }
  if (named_.kind == glass::ValueKind::kCache) {
    const CacheLayer& layer = run_.graph().cache_layers[static_cast<std::size_t>(op.cache_layer)];
    std::vector<float> row;
    for (std::int64_t h = 0; h < layer.n_kv_heads; ++h) {
      const std::vector<float> part = op.kind == OpKind::kStoreK
                                          ? data.cached_k(op.cache_layer, 0, h, r)
                                          : data.cached_v(op.cache_layer, 0, h, r);
      row.insert(row.end(), part.begin(), part.end());
    }
    return row;
  }
  const glass::AttentionTrace trace = glass::trace_attention(data, op, r, head);
  const bool is_weights = named_.kind == glass::ValueKind::kAttentionWeights;
  std::vector<float> row = is_weights ? trace.weights : trace.scores;
  // Later positions are hidden.
  row.resize(static_cast<std::size_t>(sizes_.back()), is_weights ? 0.0f : -INFINITY);
  return row;
}

std::vector<float> Selection::row(std::int64_t head, std::int64_t r) const {
  const std::vector<float> whole = whole_row(head, r);
  const glass::IndexRange& columns = ranges_.back();
  return {whole.begin() + columns.begin, whole.begin() + columns.end};
}

std::string Selection::part_text() const {
  std::string text = "[";
  for (std::size_t i = 0; i < ranges_.size(); ++i) {
    const glass::IndexRange& r = ranges_[i];
    text += format(i > 0 ? ", %lld" : "%lld", as_ll(r.begin));
    if (r.size() != 1) text += format(":%lld", as_ll(r.end));
  }
  return text + "]";
}

}  // namespace galley::step
