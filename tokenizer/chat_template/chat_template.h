// Chat templates: the small program inside a model file that turns a conversation into the
// exact text the model was trained on.
//
// Where it sits: GGUF metadata `tokenizer.chat_template` -> ChatTemplate::parse -> render ->
// text -> tokenizer (with special tokens recognised). Templates are written in Jinja; this
// folder is an interpreter of that language as documented at
// https://jinja.palletsprojects.com/en/stable/templates/, with the set-up and the extra
// functions of the Transformers library. docs/chat-templates.md says what is in and what is not.
//
// A template comes from a file of unknown origin: it is parsed and run under limits of depth,
// memory and work (limits.h), reads nothing but its inputs and writes nothing but its text.
#pragma once

#include <ctime>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/error.h"

namespace galley {

namespace chat {
struct Program;
}

// One turn of a plain conversation. Turns with tool calls or other fields are given as JSON.
struct ChatMessage {
  std::string role;     // "system", "user", "assistant", "tool"
  std::string content;  // UTF-8
};

// `[{"role": ..., "content": ...}, ...]`, the form of ChatInputs::messages.
nlohmann::ordered_json chat_messages(const std::vector<ChatMessage>& messages);

// What a template may read.
struct ChatInputs {
  nlohmann::ordered_json messages = nlohmann::ordered_json::array();
  bool add_generation_prompt = true;  // end with the opening of the assistant's turn
  std::string bos_token;              // text of the token, such as "<s>"
  std::string eos_token;
  // What `strftime_now` formats; the current local time when absent.
  std::optional<std::tm> now;
  // Any further variables by name: `tools`, `documents`, `enable_thinking`, ... A name that
  // is not here is undefined in the template.
  nlohmann::ordered_json variables = nlohmann::ordered_json::object();
};

// The template called `raise_exception(message)`: it does not accept this conversation, for
// instance because it knows no system role. `what()` is the whole line for the user.
class TemplateRefusal : public Error {
 public:
  TemplateRefusal(const std::string& line, std::string message)
      : Error(ErrorKind::kFailure, line), message_(std::move(message)) {}

  // The template's own words, unchanged.
  const std::string& message() const { return message_; }

 private:
  std::string message_;
};

// A parsed template. Cheap to copy; render may be called from several threads at once.
class ChatTemplate {
 public:
  // Parses Jinja `source`. `name` stands in error messages (the file the template is from).
  // Throws Error(kBadModel), naming line and column, for what is not Jinja or not supported.
  static ChatTemplate parse(std::string source, std::string name);

  // The prompt, byte for byte as Transformers' apply_chat_template gives it.
  // Throws TemplateRefusal when the template refuses the conversation, and Error(kBadModel),
  // naming line and column, for any other error in it, including a limit that is reached.
  std::string render(const ChatInputs& inputs) const;

  // Whether the template ever reads an input variable of this name ("tools",
  // "enable_thinking"); if not, giving it changes nothing.
  bool reads(std::string_view variable) const;

  const std::string& source() const;

 private:
  explicit ChatTemplate(std::shared_ptr<const chat::Program> program)
      : program_(std::move(program)) {}

  std::shared_ptr<const chat::Program> program_;
};

}  // namespace galley
