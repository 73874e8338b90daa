#include "tools/commands/line_reader.h"

#include <editline/readline.h>

#include <cstdlib>
#include <iostream>

#include "tools/interrupt.h"
#include "tools/output.h"

namespace galley::tools {

LineReader::LineReader() : is_interactive_(stdin_is_terminal() && stdout_is_terminal()) {
  if (!is_interactive_) return;
  rl_readline_name = "galley";
  using_history();
}

std::optional<std::string> LineReader::read(const std::string& prompt) {
  if (!is_interactive_) {
    std::string line;
    const bool got = static_cast<bool>(std::getline(std::cin, line));
    check_interrupt();
    if (!got) return std::nullopt;
    return line;
  }
  flush_out();
  char* line = readline(prompt.c_str());
  check_interrupt();
  if (!line) return std::nullopt;
  std::string text = line;
  std::free(line);
  if (!text.empty()) add_history(text.c_str());
  return text;
}

}  // namespace galley::tools
