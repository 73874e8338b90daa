// What the parts of `galley chat` share.
#pragma once

#include <optional>

#include "tokenizer/chat_template/chat_template.h"

namespace galley::tools {

// Answers every line of stdin (a conversation, and perhaps its template; else `fallback` is used)
// with {"text": ...} or {"error": ...}. Throws Error kUsage for a line that is neither.
void render_lines(const std::optional<ChatTemplate>& fallback);

}  // namespace galley::tools
