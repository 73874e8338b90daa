// Where the lines of `galley chat` and `galley step` come from: a terminal, with editing, history
// and completion, or a pipe.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace galley::tools {

class ChatInput {
 public:
  virtual ~ChatInput() = default;

  // Whether somebody is there to answer questions.
  virtual bool is_terminal() const = 0;
  // The next line, without its end; nothing at the end of input. A terminal shows `prompt`. Throws
  // Cancelled on Ctrl-C.
  virtual std::optional<std::string> line(const std::string& prompt) = 0;
};

// What may stand in place of the last word of a line, for the Tab key.
using Completer = std::function<std::vector<std::string>(std::string_view line)>;

// A terminal if stdin and stderr both are one.
std::unique_ptr<ChatInput> open_chat_input(Completer completer = nullptr);

}  // namespace galley::tools
