// What a replay shows of the kept numbers.
#include <algorithm>
#include <optional>

#include "tensor/error.h"
#include "tensor/message.h"
#include "tools/glass/explanation.h"
#include "tools/glass/value_ref.h"
#include "tools/output.h"
#include "tools/token_text.h"
#include "tools/trace/numbers.h"
#include "tools/trace/replay.h"

namespace galley::trace {
namespace {

using tools::format;

constexpr std::int64_t kMostShown = 256;  // numbers of one print

std::vector<std::int64_t> numbers(const nlohmann::ordered_json& ranges) {
  std::vector<std::int64_t> all;
  for (const auto& range : ranges)
    for (auto i = range.at(0).get<std::int64_t>(); i < range.at(1).get<std::int64_t>(); ++i) {
      if (all.size() > (std::size_t{1} << 24)) throw Error(ErrorKind::kFailure, "too many columns");
      all.push_back(i);
    }
  return all;
}

// Where `wanted` is in `kept`, or nothing.
std::optional<std::size_t> index_of(const std::vector<std::int64_t>& kept, std::int64_t wanted) {
  const auto at = std::lower_bound(kept.begin(), kept.end(), wanted);
  if (at == kept.end() || *at != wanted) return std::nullopt;
  return static_cast<std::size_t>(at - kept.begin());
}

}  // namespace

std::string Replay::print(const std::string& reference) const {
  const glass::ValueRef ref =
      glass::parse_value_ref(reference.empty() ? op(op_).at("name").get<std::string>() : reference);
  const std::size_t i = find_op(ref.name);
  if (!op_run(i).contains("values"))
    throw Error(ErrorKind::kUsage, ref.name + " stands in the cache; print its input");
  const bool per_token = op(i).at("rows") == "T";
  std::vector<std::int64_t> rows = pass().at("rows").get<std::vector<std::int64_t>>();
  if (!per_token) rows.assign(pass().at("has_output").get<bool>() ? 1 : 0, 0);
  const std::vector<std::int64_t> columns = numbers(op(i).at("columns"));
  const std::vector<float> values =
      floats_from_base64(op_run(i).at("values").get<std::string>(), name_ + ": " + ref.name);
  if (values.size() != rows.size() * columns.size()) damaged(ref.name + " has another length");
  const std::int64_t n_rows = per_token ? pass().at("n_tokens").get<std::int64_t>()
                                        : static_cast<std::int64_t>(rows.size());
  const glass::Slice all;
  const auto slice = [&](std::size_t k) { return k < ref.slices.size() ? ref.slices[k] : all; };
  if (ref.slices.size() > 2)
    throw Error(ErrorKind::kUsage, ref.name + " has rows and columns only");
  const glass::IndexRange r = glass::resolve(slice(0), n_rows, "row");
  const glass::IndexRange c =
      glass::resolve(slice(1), op(i).at("width").get<std::int64_t>(), "column");
  std::string text;
  std::int64_t n_left = kMostShown, n_missing = 0;
  for (std::int64_t row = r.begin; row < r.end && n_left > 0; ++row) {
    std::string line = format("[%lld]", static_cast<long long>(row));
    for (std::int64_t column = c.begin; column < c.end && n_left > 0; ++column) {
      const auto at_row = index_of(rows, row), at_column = index_of(columns, column);
      if (!at_row || !at_column) {
        ++n_missing;
        continue;
      }
      line += " " + glass::float_text(values[*at_row * columns.size() + *at_column]);
      --n_left;
    }
    text += line + "\n";
  }
  if (n_left == 0)
    text += format("the first %lld; name a part for others\n", static_cast<long long>(kMostShown));
  if (n_missing > 0)
    text += format("%lld numbers were not kept in the trace\n", static_cast<long long>(n_missing));
  return text;
}

std::string Replay::stats(const std::string& name) const {
  const std::size_t i = name.empty() ? op_ : find_op(name);
  if (!op_run(i).contains("stats"))
    throw Error(ErrorKind::kUsage, op(i).at("name").get<std::string>() +
                                       " stands in the cache; its numbers are those of its input");
  const Json& s = op_run(i)["stats"];
  return format("%s: least %g, greatest %g, mean %g, RMS %g\n",
                op(i).at("name").get<std::string>().c_str(), s.at("min").get<double>(),
                s.at("max").get<double>(), s.at("mean").get<double>(), s.at("rms").get<double>());
}

std::string Replay::attention(const Words& words) const {
  const auto layer = op(op_).at("layer").get<std::int64_t>();
  for (const Json& kept : pass().at("attention")) {
    const Json& o = op(kept.at("op").get<std::size_t>());
    if (o.at("layer") != std::max<std::int64_t>(layer, 0)) continue;
    const auto heads = o.at("parameters").at("heads").get<std::size_t>();
    std::size_t head = 0;
    if (!words.empty() && words[0].find_first_not_of("0123456789") == std::string::npos &&
        words[0].size() < 6)
      head = static_cast<std::size_t>(std::stoul(words[0]));
    else if (!words.empty())
      throw Error(ErrorKind::kUsage, in_quotes(words[0]) + " is no head");
    if (head >= heads)
      throw Error(ErrorKind::kUsage, format("there are heads 0 to %zu", heads - 1));
    const auto keys = kept.at("keys").get<std::vector<std::size_t>>();
    const std::vector<float> weights =
        floats_from_base64(kept.at("weights").get<std::string>(), name_ + ": attention");
    const std::size_t n_rows = pass().at("rows").size();
    if (n_rows == 0) return "no token of this pass was kept\n";
    if (weights.size() != n_rows * heads * keys.size()) damaged("attention has another length");
    std::string text = format("layer %lld, head %zu: the last token looks at\n",
                              o.at("layer").get<long long>(), head);
    for (std::size_t k = 0; k < keys.size(); ++k)
      text += format(
          "%4zu %6.1f%%  %s\n", keys[k],
          100 * static_cast<double>(weights[((n_rows - 1) * heads + head) * keys.size() + k]),
          tools::escaped(token_text(trace_.at("tokens").at(keys[k]).at("id"))).c_str());
    return text;
  }
  throw Error(ErrorKind::kUsage, "this layer has no attention");
}

std::string Replay::lens() const {
  std::string text;
  const Json& points = trace_.at("lens_values");
  const Json& all = pass().at("lens");
  for (std::size_t k = all.size(); k-- > 0;) {
    if (all[k].empty()) continue;
    std::string line = format("%-24s", points.at(k).get<std::string>().c_str());
    for (const Json& guess : all[k].back())
      line += format("  %s %.1f%%", tools::escaped(token_text(guess.at("id"))).c_str(),
                     100 * guess.at("p").get<double>());
    text += line + "\n";
  }
  return text.empty() ? "no token of this pass was kept\n" : text;
}

std::string Replay::sampler() const {
  if (!pass().contains("sampler")) return "no token was chosen after this pass\n";
  const Json& choice = pass()["sampler"];
  std::string text;
  for (const Json& stage : choice.at("stages")) {
    text += format("%-12s %6lld left, %5.1f%%  %s\n", stage.at("name").get<std::string>().c_str(),
                   stage.at("n").get<long long>(), 100 * stage.at("mass").get<double>(),
                   stage.at("description").get<std::string>().c_str());
  }
  return text + format("draw %.6f: %s\n", choice.at("draw").get<double>(),
                       tools::escaped(token_text(choice.at("chosen"))).c_str());
}

std::string Replay::explain() const {
  for (const Json& e : trace_.at("explanations")) {
    if (e.at("op") != op_ || e.at("pass") != pass_) continue;
    const Json& x = e.at("explanation");
    std::string text =
        x.at("cell").get<std::string>() + "\n" + x.at("summary").get<std::string>() + "\n";
    for (const Json& step : x.at("steps"))
      text += format("  %-44s %s = %s\n", step.at("label").get<std::string>().c_str(),
                     step.at("result_name").get<std::string>().c_str(),
                     step.at("result").dump().c_str());
    return text + (x.at("same_bits").get<bool>() ? "the number of the run, bit for bit\n"
                                                 : "not the number of the run: it was changed\n");
  }
  return "the trace explains a number of each op in the pass of the last prompt token only\n";
}

}  // namespace galley::trace
