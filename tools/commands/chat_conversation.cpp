#include "tools/commands/chat_conversation.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "tensor/atomic_file.h"
#include "tensor/error.h"
#include "tensor/message.h"
#include "tools/commands/options.h"

namespace galley::tools {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kFormatVersion = 1;

ChatMessage read_message(const Json& value, std::size_t index) {
  const std::string place = "message " + std::to_string(index + 1);
  const auto text = [&](const char* key) {
    if (!value.is_object() || !value.contains(key) || !value[key].is_string())
      throw std::runtime_error(place + " needs a \"" + key + "\" that is a text");
    return value[key].get<std::string>();
  };
  const ChatMessage message{text("role"), text("content")};
  if (message.role != "user" && message.role != "assistant" &&
      !(message.role == "system" && index == 0))
    throw std::runtime_error(place + " has the role " + in_quotes(message.role) +
                             ", expected user or assistant, or system at the beginning");
  return message;
}

std::vector<ChatMessage> read_messages(const Json& file) {
  const bool is_object = file.is_object() && file.contains("messages");
  if (is_object && file.value("galley_chat", kFormatVersion) != kFormatVersion)
    throw std::runtime_error("\"galley_chat\" is not 1, the version that is known here");
  const Json& list = is_object ? file["messages"] : file;
  if (!list.is_array()) throw std::runtime_error("no list of \"messages\"");
  std::vector<ChatMessage> messages;
  for (const Json& value : list) messages.push_back(read_message(value, messages.size()));
  return messages;
}

}  // namespace

std::size_t Conversation::n_system() const {
  return !messages_.empty() && messages_.front().role == "system" ? 1 : 0;
}

std::optional<std::string> Conversation::system() const {
  if (n_system() == 0) return std::nullopt;
  return messages_.front().content;
}

std::size_t Conversation::n_turns() const {
  return static_cast<std::size_t>(std::count_if(
      messages_.begin(), messages_.end(), [](const ChatMessage& m) { return m.role == "user"; }));
}

bool Conversation::waits_for_answer() const {
  return !messages_.empty() && messages_.back().role == "user";
}

void Conversation::set_system(const std::string& text) {
  if (n_system() == 1) {
    messages_.front().content = text;
  } else {
    messages_.insert(messages_.begin(), {"system", text});
  }
}

bool Conversation::undo() {
  if (is_empty()) return false;
  while (!is_empty() && messages_.back().role != "user") messages_.pop_back();
  if (!is_empty()) messages_.pop_back();
  return true;
}

bool Conversation::forget_answer() {
  if (messages_.size() < 2 || messages_.back().role != "assistant" ||
      messages_[messages_.size() - 2].role != "user")
    return false;
  messages_.pop_back();
  return true;
}

bool Conversation::drop_oldest() {
  const auto is_user = [](const ChatMessage& m) { return m.role == "user"; };
  const auto first = messages_.begin() + static_cast<std::ptrdiff_t>(n_system());
  if (first == messages_.end()) return false;
  const auto next = std::find_if(first + 1, messages_.end(), is_user);
  if (next == messages_.end()) return false;
  messages_.erase(first, next);
  return true;
}

void Conversation::save(const std::string& path) const {
  const Json file = {{"galley_chat", kFormatVersion}, {"messages", chat_messages(messages_)}};
  AtomicFile out(path);
  out.write(file.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
  out.commit();
}

void Conversation::load(const std::string& path) {
  try {
    messages_ = read_messages(Json::parse(read_file(path)));
  } catch (const Error&) {
    throw;
  } catch (const std::exception& e) {
    throw Error(ErrorKind::kFailure, path + ": no saved conversation: " + e.what());
  }
}

}  // namespace galley::tools
