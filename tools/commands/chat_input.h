// Where the lines of `galley chat` come from: a terminal, with editing and history, or a pipe.
#pragma once

#include <memory>
#include <optional>
#include <string>

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

// A terminal if stdin and stderr both are one.
std::unique_ptr<ChatInput> open_chat_input();

}  // namespace galley::tools
