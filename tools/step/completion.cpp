// What may stand in place of the word that is being typed.
#include <algorithm>

#include "tools/glass/value_ref.h"
#include "tools/step/commands.h"

namespace galley::step {
namespace {

// Words that some commands know.
constexpr std::string_view kWords[] = {"head",  "token", "top",   "row", "grid",
                                       "layer", "all",   "block", "off", "from"};

void add_values(const DebugRun& run, int layer, std::vector<std::string>& words) {
  const std::string prefix = "blk." + std::to_string(layer) + ".";
  for (const glass::NamedValue& v : glass::named_values(run.graph())) {
    words.push_back(v.name);
    if (layer >= 0 && v.name.starts_with(prefix)) words.push_back(v.name.substr(prefix.size()));
  }
}

}  // namespace

std::vector<std::string> Debugger::completions(std::string_view line) const {
  const std::size_t begin = line.find_first_not_of(" \t");
  const std::size_t space = line.find_last_of(" \t");
  const bool is_first =
      space == std::string_view::npos || begin == std::string_view::npos || space < begin;
  const std::string_view word =
      is_first ? line.substr(std::min(begin, line.size())) : line.substr(space + 1);
  std::vector<std::string> all;
  const auto add_commands = [&all] {
    for (const CommandGroup& group : command_groups())
      for (const Command& c : group.commands) all.emplace_back(c.name);
  };
  if (is_first) {
    add_commands();
  } else {
    const std::string_view name = line.substr(begin, line.find_first_of(" \t", begin) - begin);
    Completes completes = Completes::kNothing;
    for (const CommandGroup& group : command_groups())
      for (const Command& c : group.commands)
        if (c.name == name || (!c.alias.empty() && c.alias == name)) completes = c.completes;
    if (completes == Completes::kCommands) add_commands();
    if (completes == Completes::kValues) add_values(run_, layer(), all);
    if (completes == Completes::kTensors)
      for (const Tensor& t : model_->file().tensors()) all.push_back(t.name);
    if (completes != Completes::kNothing && completes != Completes::kCommands)
      all.insert(all.end(), std::begin(kWords), std::end(kWords));
  }
  std::erase_if(all, [word](const std::string& w) { return !w.starts_with(word); });
  std::sort(all.begin(), all.end());
  all.erase(std::unique(all.begin(), all.end()), all.end());
  return all;
}

}  // namespace galley::step
