#include "tools/step/breakpoints.h"

#include "tensor/error.h"
#include "tools/glass/value_ref.h"

namespace galley::step {

std::string Breakpoint::where() const {
  return position ? "token " + std::to_string(*position) : pattern;
}

const Breakpoint& Breakpoints::add_values(const Graph& graph, const std::string& pattern, int layer,
                                          bool is_temporary) {
  const std::vector<glass::NamedValue> found = glass::find_values(graph, pattern, layer);
  Breakpoint b;
  b.pattern = found.size() == 1 ? found[0].name : pattern;
  b.is_temporary = is_temporary;
  b.ops.resize(graph.ops.size());
  for (const glass::NamedValue& value : found) b.ops[static_cast<std::size_t>(value.op)] = true;
  b.id = ++last_id_;
  all_.push_back(std::move(b));
  return all_.back();
}

const Breakpoint& Breakpoints::add_token(std::int64_t position, bool is_temporary) {
  Breakpoint b;
  b.position = position;
  b.is_temporary = is_temporary;
  b.id = ++last_id_;
  all_.push_back(std::move(b));
  return all_.back();
}

void Breakpoints::remove(int id) {
  for (std::size_t i = 0; i < all_.size(); ++i)
    if (all_[i].id == id) {
      all_.erase(all_.begin() + static_cast<std::ptrdiff_t>(i));
      return;
    }
  throw Error(ErrorKind::kUsage, "there is no breakpoint " + std::to_string(id) +
                                     (all_.empty() ? "; there are none" : "; 'break' lists them"));
}

std::optional<int> Breakpoints::next_stop(int op, int n_ops) const {
  for (int i = op; i < n_ops; ++i)
    for (const Breakpoint& b : all_)
      if (!b.ops.empty() && b.ops[static_cast<std::size_t>(i)]) return i + 1;
  return std::nullopt;
}

std::optional<Breakpoint> Breakpoints::count_hit(std::size_t i) {
  ++all_[i].n_hits;
  Breakpoint hit = all_[i];
  if (hit.is_temporary) all_.erase(all_.begin() + static_cast<std::ptrdiff_t>(i));
  return hit;
}

std::optional<Breakpoint> Breakpoints::hit_at(int op) {
  for (std::size_t i = 0; i < all_.size(); ++i)
    if (!all_[i].ops.empty() && op > 0 && all_[i].ops[static_cast<std::size_t>(op - 1)])
      return count_hit(i);
  return std::nullopt;
}

std::optional<Breakpoint> Breakpoints::hit_pass(std::int64_t begin, std::int64_t end) {
  for (std::size_t i = 0; i < all_.size(); ++i)
    if (all_[i].position && *all_[i].position >= begin && *all_[i].position < end)
      return count_hit(i);
  return std::nullopt;
}

}  // namespace galley::step
