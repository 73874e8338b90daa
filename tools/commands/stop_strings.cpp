#include "tools/commands/stop_strings.h"

#include <algorithm>
#include <utility>

namespace galley::tools {

StopStrings::StopStrings(std::vector<std::string> strings) : strings_(std::move(strings)) {
  std::erase(strings_, "");
}

std::string StopStrings::feed(std::string_view text) {
  if (!stopped_by_.empty()) return "";
  waiting_ += text;
  // The first one found in the text, the longest of those that begin at the same place.
  std::size_t found = std::string::npos;
  for (const std::string& s : strings_) {
    const std::size_t at = waiting_.find(s);
    if (at == std::string::npos || at > found) continue;
    if (at == found && s.size() < stopped_by_.size()) continue;
    found = at;
    stopped_by_ = s;
  }
  if (found != std::string::npos) {
    waiting_.resize(found);
    return std::exchange(waiting_, "");
  }
  // Keep the longest end of the text that is the beginning of a stop string.
  std::size_t keep = 0;
  for (const std::string& s : strings_)
    for (std::size_t n = std::min(s.size() - 1, waiting_.size()); n > keep; --n)
      if (std::string_view(waiting_).ends_with(std::string_view(s).substr(0, n))) keep = n;
  std::string out = waiting_.substr(0, waiting_.size() - keep);
  waiting_.erase(0, out.size());
  return out;
}

std::string StopStrings::flush() { return std::exchange(waiting_, ""); }

}  // namespace galley::tools
