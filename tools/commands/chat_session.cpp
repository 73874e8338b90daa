#include "tools/commands/chat_session.h"

#include <algorithm>
#include <utility>

#include "tensor/error.h"

namespace galley::tools {
namespace {

std::string token_text(const Tokenizer& tokenizer, std::optional<TokenId> id) {
  return id ? std::string(tokenizer.token_text(*id)) : "";
}

}  // namespace

ChatSession::ChatSession(Session session, const SamplerOptions& sampling,
                         ChatTemplate chat_template)
    : session_(std::move(session)), sampler_(sampling), template_(std::move(chat_template)) {}

void ChatSession::set_system(const std::string& content) {
  const bool has_system = !messages_.empty() && messages_.front().role == "system";
  if (has_system) messages_.erase(messages_.begin());
  if (!content.empty()) messages_.insert(messages_.begin(), {"system", content});
}

ChatPrompt ChatSession::prompt() const {
  const Tokenizer& tokenizer = session_.model().tokenizer();
  ChatInputs inputs;
  inputs.messages = chat_messages(messages_);
  inputs.bos_token = token_text(tokenizer, tokenizer.bos());
  inputs.eos_token = token_text(tokenizer, tokenizer.eos());
  const std::string text = template_.render(inputs);

  // Most templates write BOS themselves; it must not come twice.
  ChatPrompt prompt;
  prompt.ids = tokenizer.encode(text, {.add_special = false, .parse_special = true});
  if (tokenizer.adds_bos() && tokenizer.bos() &&
      (prompt.ids.empty() || prompt.ids.front() != *tokenizer.bos()))
    prompt.ids.insert(prompt.ids.begin(), *tokenizer.bos());
  if (prompt.ids.empty())
    throw Error(ErrorKind::kBadModel, "the chat template makes an empty prompt");

  const auto differs =
      std::mismatch(prompt.ids.begin(), prompt.ids.end(), cached_.begin(), cached_.end());
  // The last token is always run, since its logits are needed.
  prompt.n_cached =
      std::min<std::int64_t>(differs.first - prompt.ids.begin(), prompt.n_tokens() - 1);
  return prompt;
}

std::int64_t ChatSession::room_after(const ChatPrompt& prompt) const {
  return session_.n_context() - prompt.n_tokens();
}

bool ChatSession::drop_oldest_turn() {
  const auto is_user = [](const ChatMessage& m) { return m.role == "user"; };
  const auto first = std::find_if(messages_.begin(), messages_.end(), is_user);
  if (first == messages_.end()) return false;
  const auto second = std::find_if(first + 1, messages_.end(), is_user);
  if (second == messages_.end()) return false;
  messages_.erase(first, second);
  return true;
}

Generation ChatSession::answer(const ChatPrompt& prompt, const GenerateOptions& options,
                               const std::function<void(std::string_view)>& on_text) {
  // Layers with a sliding window may have to start again from an earlier position.
  const auto kept = static_cast<std::size_t>(session_.truncate(prompt.n_cached));
  sampler_.forget();
  for (std::size_t i = 0; i < kept; ++i) sampler_.accept(prompt.ids[i]);
  cached_.clear();  // should the following throw
  Generation g =
      generate(session_, sampler_, std::span(prompt.ids).subspan(kept), options, on_text);
  cached_ = prompt.ids;
  cached_.insert(cached_.end(), g.ids.begin(), g.ids.end());
  cached_.resize(static_cast<std::size_t>(session_.length()));
  messages_.push_back({"assistant", g.text});
  return g;
}

}  // namespace galley::tools
