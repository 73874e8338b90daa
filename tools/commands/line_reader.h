// Lines from the user: edited and with a history on a terminal, plainly from a pipe.
#pragma once

#include <optional>
#include <string>

namespace galley::tools {

class LineReader {
 public:
  LineReader();

  // The next line without its newline, or nothing at the end of the input. `prompt` is shown on
  // a terminal only. Throws Cancelled on Ctrl-C.
  std::optional<std::string> read(const std::string& prompt);

  bool is_interactive() const { return is_interactive_; }

 private:
  bool is_interactive_;
};

}  // namespace galley::tools
