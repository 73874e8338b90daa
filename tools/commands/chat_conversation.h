// The messages of a conversation, and what can be done with them: undo, save, load, make room.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "tokenizer/chat_template/chat_template.h"

namespace galley::tools {

class Conversation {
 public:
  // An optional system message, then turns: a user's message and the assistant's answer.
  const std::vector<ChatMessage>& messages() const { return messages_; }
  std::optional<std::string> system() const;
  // Whether there is no turn.
  bool is_empty() const { return n_system() == messages_.size(); }
  std::size_t n_turns() const;
  // Whether the last message is the user's, and so waits for an answer.
  bool waits_for_answer() const;

  // Replaces or adds the system message; the turns stay.
  void set_system(const std::string& text);
  void add_user(const std::string& text) { messages_.push_back({"user", text}); }
  void add_assistant(const std::string& text) { messages_.push_back({"assistant", text}); }
  // Forgets all turns; the system message stays.
  void reset() { messages_.resize(n_system()); }
  // Forgets the last turn. Returns false if there is none.
  bool undo();
  // Forgets the last answer, so that the user's message waits for another. Returns false if there
  // is none.
  bool forget_answer();
  // Forgets the oldest turn, but never the last one. Returns false if there is no other.
  bool drop_oldest();

  // A JSON object {"galley_chat": 1, "messages": [{"role": ..., "content": ...}, ...]}, written
  // whole or not at all. Throws Error kFailure.
  void save(const std::string& path) const;
  // Reads such an object, or the list of messages alone. Throws Error kFailure, naming the file
  // and what is wrong; the conversation is then as it was.
  void load(const std::string& path);

 private:
  std::size_t n_system() const;

  std::vector<ChatMessage> messages_;
};

}  // namespace galley::tools
