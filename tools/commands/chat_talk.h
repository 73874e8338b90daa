// The conversation in progress: a message in, an answer out, within the limits of the context.
//
// Where it sits: chat.cpp reads lines and hands them to say() or, those with a slash, to
// run_chat_command (chat_commands.h), which uses the rest.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tools/commands/chat_cache.h"
#include "tools/commands/chat_conversation.h"
#include "tools/commands/chat_input.h"
#include "tools/commands/chat_prompt.h"
#include "tools/commands/options.h"

namespace galley::tools {

// What to do when a conversation no longer fits into the context.
enum class OnFull {
  kAsk,   // the user, on a terminal
  kStop,  // Error kContextExceeded
  kDrop   // the oldest turns
};

struct TalkOptions {
  GenerateOptions generate;
  OnFull on_full = OnFull::kStop;
  bool json = false;
  bool verbose = false;
  bool show_prompt = false;
};

class ChatTalk {
 public:
  ChatTalk(Session& session, const ChatPrompt& prompt, const SamplerOptions& sampling,
           TalkOptions options, ChatInput& input);

  Conversation& conversation() { return conversation_; }

  // Sends `message` and writes the answer to stdout. Ctrl-C ends the answer; on a terminal the
  // conversation then goes on with what was said, otherwise this throws Cancelled. Throws Error
  // kContextExceeded if there is no room, and what the template throws. After an error the
  // conversation is as before.
  void say(const std::string& message);
  // Answers the last message again. Throws Error kUsage if there is none.
  void answer_again();
  // Writes the prompt that `message` would make, token by token, to stdout.
  void show_prompt_of(const std::string& message) const;

  // On stderr: what this chat has cost so far; how full the context is.
  void print_stats() const;
  void print_context() const;

 private:
  struct Totals {
    std::int64_t n_answers = 0, n_prompt = 0, n_cached = 0, n_prefill = 0, n_made = 0, n_decode = 0;
    double prefill_s = 0, decode_s = 0;
  };

  void answer();
  // The ids of the conversation. If they leave too little room for an answer, announces it and
  // drops the oldest turns or throws Error kContextExceeded.
  std::vector<TokenId> fitting_prompt();
  bool agrees_to_drop(std::size_t n_turns);
  std::int64_t room_for_answer() const;
  void finish(const ChatCache::Answer& answer);
  void print_json(const ChatCache::Answer& answer) const;
  void announce_fill();

  Session& session_;
  const ChatPrompt& prompt_;
  TalkOptions options_;
  ChatInput& input_;
  ChatCache cache_;
  Conversation conversation_;
  Totals totals_;
  bool said_nearly_full_ = false;
};

}  // namespace galley::tools
