// From a conversation to the exact token ids the model sees.
//
// Where it sits: `galley chat` keeps the messages; every turn the whole conversation goes through
// the model's template and the tokenizer again, and ChatCache (chat_cache.h) finds out how much of
// the result is already in the KV cache.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "model/session.h"
#include "tokenizer/chat_template/chat_template.h"

namespace galley::tools {

// The template to use, in this order: a file, ChatML if asked for, the model's own.
struct TemplateChoice {
  std::optional<std::string> file;
  bool chatml = false;
};

class ChatPrompt {
 public:
  // Throws Error kUsage, naming the remedy, if the model has no template or no tokenizer;
  // kBadModel for a template that cannot be understood.
  ChatPrompt(const Model& model, const TemplateChoice& choice);

  // The conversation as text, ending with the opening of the assistant's turn. Throws
  // TemplateRefusal and what else ChatTemplate::render throws.
  std::string text(const std::vector<ChatMessage>& messages) const;
  // That text as ids. Special tokens in it are recognised. BOS comes first if the model wants one,
  // whether or not the template prints it: never twice. Throws Error kUsage if nothing is left.
  std::vector<TokenId> ids(const std::vector<ChatMessage>& messages) const;

  // Texts that end a turn, where the template's own end marker is no token of the vocabulary.
  const std::vector<std::string>& stop_texts() const { return stop_texts_; }

 private:
  const Tokenizer& tokenizer_;
  ChatTemplate template_;
  std::vector<std::string> stop_texts_;
};

// One line per token: id, text, bytes in hexadecimal.
std::string show_tokens(const Tokenizer& tokenizer, const std::vector<TokenId>& ids);

// Renders the lines of stdin, JSON objects with "template", "messages" and, where they matter,
// "add_generation_prompt", "bos_token", "eos_token" and "now" (2024-07-26T00:00:00), and writes
// {"text": ...} or {"error": ...} for each. Throws Error kUsage for a line that is no such object.
void render_jsonl();

}  // namespace galley::tools
