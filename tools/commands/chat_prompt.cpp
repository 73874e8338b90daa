#include "tools/commands/chat_prompt.h"

#include "tensor/error.h"
#include "tools/commands/options.h"
#include "tools/output.h"
#include "tools/token_text.h"

namespace galley::tools {
namespace {

// The format that many models share: each turn between two markers.
constexpr const char* kChatMl =
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";
constexpr const char* kChatMlEnd = "<|im_end|>";

ChatTemplate choose_template(const Model& model, const TemplateChoice& choice) {
  const std::string& path = model.file().path();
  if (!model.tokenizer().has_vocab())
    throw Error(ErrorKind::kUsage,
                path + ": the model has no tokenizer, and chat needs one; use galley run --ids");
  if (choice.file) return ChatTemplate::parse(read_file(*choice.file), *choice.file);
  if (choice.chatml) return ChatTemplate::parse(kChatMl, "ChatML");
  const auto source = model.file().get_string("tokenizer.chat_template");
  if (!source)
    throw Error(ErrorKind::kUsage,
                path +
                    ": no chat template (key 'tokenizer.chat_template'), so it may not be a "
                    "model for chats; give one with --template FILE, or try --chatml");
  return ChatTemplate::parse(std::string(*source), path);
}

std::string token_text(const Tokenizer& tokenizer, std::optional<TokenId> id) {
  return id ? std::string(tokenizer.token_text(*id)) : "";
}

}  // namespace

ChatPrompt::ChatPrompt(const Model& model, const TemplateChoice& choice)
    : tokenizer_(model.tokenizer()), template_(choose_template(model, choice)) {
  if (choice.chatml && !choice.file && !tokenizer_.find(kChatMlEnd)) {
    warn("ChatML's markers are no tokens of this model; it may not understand them");
    stop_texts_ = {kChatMlEnd};
  }
}

std::string ChatPrompt::text(const std::vector<ChatMessage>& messages) const {
  ChatInputs inputs;
  inputs.messages = chat_messages(messages);
  inputs.bos_token = token_text(tokenizer_, tokenizer_.bos());
  inputs.eos_token = token_text(tokenizer_, tokenizer_.eos());
  return template_.render(inputs);
}

std::vector<TokenId> ChatPrompt::ids(const std::vector<ChatMessage>& messages) const {
  std::vector<TokenId> ids =
      tokenizer_.encode(text(messages), {.add_special = false, .parse_special = true});
  const std::optional<TokenId> bos = tokenizer_.bos();
  if (bos && tokenizer_.adds_bos() && (ids.empty() || ids.front() != *bos))
    ids.insert(ids.begin(), *bos);
  if (ids.empty())
    throw Error(ErrorKind::kUsage, "the chat template makes an empty prompt of this conversation");
  return ids;
}

std::string show_tokens(const Tokenizer& tokenizer, const std::vector<TokenId>& ids) {
  std::string text;
  for (TokenId id : ids) {
    const std::string_view piece = tokenizer.piece(id);
    text += format("%7d  ", id) + escaped(piece) + "  " + hex(piece, " ") + "\n";
  }
  return text;
}

}  // namespace galley::tools
