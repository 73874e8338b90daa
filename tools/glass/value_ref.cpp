#include "tools/glass/value_ref.h"

#include <algorithm>
#include <charconv>

#include "tensor/error.h"
#include "tensor/message.h"
#include "tools/glass/run_record.h"

namespace galley::glass {
namespace {

[[noreturn]] void bad_reference(std::string_view text, const std::string& why) {
  throw Error(ErrorKind::kUsage, in_quotes(text) + ": " + why);
}

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") + 1 - begin);
}

std::int64_t number(std::string_view digits, std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc() || end != digits.data() + digits.size())
    bad_reference(
        text, in_quotes(digits) + " is no index; write a number or a range such as 3, :8 or -2:");
  return value;
}

Slice parse_slice(std::string_view part, std::string_view text) {
  part = trimmed(part);
  const std::size_t colon = part.find(':');
  Slice slice;
  if (colon == std::string_view::npos) {
    slice.is_index = true;
    slice.begin = number(part, text);
    return slice;
  }
  const std::string_view begin = trimmed(part.substr(0, colon));
  const std::string_view end = trimmed(part.substr(colon + 1));
  if (!begin.empty()) slice.begin = number(begin, text);
  if (!end.empty()) slice.end = number(end, text);
  return slice;
}

// The names that `name` may stand for.
std::string with_layer(const std::string& name, int layer) {
  return "blk." + std::to_string(layer) + "." + name;
}

[[noreturn]] void no_such_value(const std::vector<NamedValue>& all, const std::string& name,
                                int layer) {
  std::vector<std::string> names;
  std::string in_layer;
  for (const NamedValue& v : all) {
    names.push_back(v.name);
    const std::string suffix = "." + name;
    if (in_layer.empty() && v.name.ends_with(suffix)) in_layer = v.name;
  }
  if (!in_layer.empty())
    throw Error(ErrorKind::kUsage,
                in_quotes(name) + " is a value of each layer: write " + in_layer);
  std::string near = suggestion(name, names);
  if (near.empty()) near = suggestion(with_layer(name, std::max(layer, 0)), names);
  throw Error(ErrorKind::kUsage, "there is no value " + in_quotes(name) + near);
}

}  // namespace

ValueRef parse_value_ref(std::string_view text) {
  const std::string_view whole = trimmed(text);
  const std::size_t open = whole.find('[');
  ValueRef ref;
  ref.name = trimmed(whole.substr(0, open));
  if (ref.name.empty()) bad_reference(text, "no name; write for example blk.0.q[3, :8]");
  if (ref.name.find_first_of("]:, \t") != std::string::npos)
    bad_reference(text, "a name has no spaces, commas or colons; indices go into [ ]");
  if (open == std::string_view::npos) return ref;
  if (whole.back() != ']') bad_reference(text, "the indices need a ']' at the end");
  std::string_view inside = whole.substr(open + 1, whole.size() - open - 2);
  if (inside.find_first_of("[]") != std::string_view::npos)
    bad_reference(text, "one pair of [ ] holds all indices: blk.0.q[3, :8]");
  while (true) {
    const std::size_t comma = inside.find(',');
    ref.slices.push_back(parse_slice(inside.substr(0, comma), text));
    if (comma == std::string_view::npos) break;
    inside.remove_prefix(comma + 1);
  }
  return ref;
}

IndexRange resolve(const Slice& slice, std::int64_t n, const std::string& what) {
  const auto from_end = [n](std::int64_t i) { return i < 0 ? i + n : i; };
  if (slice.is_index) {
    const std::int64_t i = from_end(*slice.begin);
    if (i < 0 || i >= n)
      throw Error(ErrorKind::kUsage, "there is no " + what + " " + std::to_string(*slice.begin) +
                                         "; there are " + std::to_string(n) +
                                         (n > 0 ? ", from 0" : ""));
    return {i, i + 1};
  }
  const std::int64_t begin = std::clamp<std::int64_t>(from_end(slice.begin.value_or(0)), 0, n);
  const std::int64_t end = std::clamp<std::int64_t>(from_end(slice.end.value_or(n)), begin, n);
  return {begin, end};
}

std::vector<NamedValue> named_values(const Graph& graph) {
  std::vector<NamedValue> all;
  for (std::size_t i = 0; i < graph.ops.size(); ++i) {
    const Op& op = graph.ops[i];
    const int index = static_cast<int>(i);
    const bool is_cache = graph.info(op.output).cache_layer >= 0;
    if (op.kind == OpKind::kAttention) {
      all.push_back({ValueKind::kAttentionScores, op.name + "_scores", index, op.output});
      all.push_back({ValueKind::kAttentionWeights, op.name + "_weights", index, op.output});
    }
    all.push_back({is_cache ? ValueKind::kCache : ValueKind::kRows, op.name, index, op.output});
  }
  return all;
}

std::vector<NamedValue> find_values(const Graph& graph, const std::string& name, int layer) {
  const std::vector<NamedValue> all = named_values(graph);
  std::vector<NamedValue> found;
  const auto add_matches = [&](const std::string& pattern) {
    for (const NamedValue& v : all)
      if (matches(pattern, v.name)) found.push_back(v);
  };
  add_matches(name);
  if (found.empty() && layer >= 0) add_matches(with_layer(name, layer));
  if (found.empty()) no_such_value(all, name, layer);
  return found;
}

NamedValue find_value(const Graph& graph, const std::string& name, int layer) {
  const std::vector<NamedValue> found = find_values(graph, name, layer);
  if (found.size() > 1)
    throw Error(ErrorKind::kUsage, in_quotes(name) + " fits " + std::to_string(found.size()) +
                                       " values (" + found[0].name + ", " + found[1].name +
                                       (found.size() > 2 ? ", ...)" : ")") + "; name one");
  return found[0];
}

std::vector<std::int64_t> dimensions(const Graph& graph, const NamedValue& named,
                                     std::int64_t n_tokens, std::int64_t n_outputs,
                                     std::int64_t n_positions) {
  const ValueInfo& info = graph.info(named.value);
  switch (named.kind) {
    case ValueKind::kRows:
      return {info.rows == Rows::kTokens ? n_tokens : n_outputs, info.width};
    case ValueKind::kCache:
      return {n_positions, info.width};
    case ValueKind::kAttentionScores:
    case ValueKind::kAttentionWeights:
      break;
  }
  return {graph.ops[static_cast<std::size_t>(named.op)].heads, n_tokens, n_positions};
}

Cell parse_cell(const RunData& run, std::string_view text, int layer) {
  const ValueRef ref = parse_value_ref(text);
  Cell cell{find_value(run.graph(), ref.name, layer)};
  std::int64_t n_positions = 0;
  for (const std::int32_t p : run.positions())
    n_positions = std::max<std::int64_t>(n_positions, p + 1);
  const std::vector<std::int64_t> sizes =
      dimensions(run.graph(), cell.named, run.n_tokens(),
                 static_cast<std::int64_t>(run.outputs().size()), n_positions);
  static const std::vector<std::string> kRowNames = {"row", "column"};
  static const std::vector<std::string> kCacheNames = {"position", "column"};
  static const std::vector<std::string> kAttentionNames = {"head", "token", "position"};
  const std::vector<std::string>& what = cell.named.kind == ValueKind::kRows    ? kRowNames
                                         : cell.named.kind == ValueKind::kCache ? kCacheNames
                                                                                : kAttentionNames;
  bool all_indices = ref.slices.size() == sizes.size();
  for (const Slice& slice : ref.slices) all_indices &= slice.is_index;
  if (!all_indices) {
    std::string example = cell.named.name + "[0";
    for (std::size_t i = 1; i < sizes.size(); ++i) example += ", 0";
    std::string list = what[0];
    for (std::size_t i = 1; i < sizes.size(); ++i) list += ", " + what[i];
    bad_reference(text, "one number needs an index for each of " + list + ": " + example + "]");
  }
  std::vector<std::int64_t> at;
  for (std::size_t i = 0; i < sizes.size(); ++i)
    at.push_back(resolve(ref.slices[i], sizes[i], what[i] + " of " + cell.named.name).begin);
  if (at.size() == 3) cell.head = at[0];
  cell.row = at[at.size() - 2];
  cell.column = at[at.size() - 1];
  return cell;
}

std::string cell_name(const Cell& cell) {
  std::string text = cell.named.name + "[";
  if (cell.named.kind == ValueKind::kAttentionScores ||
      cell.named.kind == ValueKind::kAttentionWeights)
    text += std::to_string(cell.head) + ", ";
  return text + std::to_string(cell.row) + ", " + std::to_string(cell.column) + "]";
}

}  // namespace galley::glass
