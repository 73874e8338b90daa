// Ends generation at given strings, which may begin in one token and end in another.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace galley::tools {

// Text goes in as it is made and comes out as soon as it cannot be part of a stop string any
// more; what may be the beginning of one waits.
class StopStrings {
 public:
  // Empty strings are ignored.
  explicit StopStrings(std::vector<std::string> strings);

  // The text that can be printed now that `text` has come. Once a stop string is complete,
  // stopped_by() names it, nothing from its first byte on comes out, and feed() gives nothing.
  std::string feed(std::string_view text);
  // What still waits, at the end of the text.
  std::string flush();

  // The stop string found, or empty.
  const std::string& stopped_by() const { return stopped_by_; }

 private:
  std::vector<std::string> strings_;
  std::string waiting_;
  std::string stopped_by_;
};

}  // namespace galley::tools
