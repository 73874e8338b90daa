// A conversation with a model: messages in, an answer out, nothing computed twice.
//
// Where it sits: between `galley chat` (commands/chat.cpp), which talks to the user, and the
// session. Every turn the whole conversation is rendered by the model's template and tokenized;
// what agrees with the KV cache from the start is kept, only the rest is processed.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "model/sampler.h"
#include "model/session.h"
#include "tokenizer/chat_template/chat_template.h"
#include "tools/commands/generate.h"

namespace galley::tools {

// The prompt of a turn, and how much of it is in the KV cache already.
struct ChatPrompt {
  std::vector<TokenId> ids;
  std::int64_t n_cached = 0;

  std::int64_t n_tokens() const { return static_cast<std::int64_t>(ids.size()); }
};

class ChatSession {
 public:
  ChatSession(Session session, const SamplerOptions& sampling, ChatTemplate chat_template);

  // The conversation, oldest first. A system message, if any, is the first.
  std::vector<ChatMessage>& messages() { return messages_; }
  const std::vector<ChatMessage>& messages() const { return messages_; }
  // Sets, replaces or (empty) removes the system message.
  void set_system(const std::string& content);

  // The prompt for the next answer. Throws TemplateRefusal if the template does not accept the
  // conversation.
  ChatPrompt prompt() const;
  // Positions left for the answer to `prompt`; not more than 0 when it does not fit.
  std::int64_t room_after(const ChatPrompt& prompt) const;
  // Drops the oldest turn: a message of the user and what answers it. The system message and
  // the last message of the user stay. Returns false if there is nothing to drop.
  bool drop_oldest_turn();

  // Generates the answer to `prompt` and appends it to the messages, even when it was interrupted.
  Generation answer(const ChatPrompt& prompt, const GenerateOptions& options,
                    const std::function<void(std::string_view)>& on_text);

  const Session& session() const { return session_; }
  const Sampler& sampler() const { return sampler_; }

 private:
  Session session_;
  Sampler sampler_;
  ChatTemplate template_;
  std::vector<ChatMessage> messages_;
  std::vector<TokenId> cached_;  // the tokens in the KV cache
};

}  // namespace galley::tools
