// A trace as JSON, in the format of docs/trace-format.md.
//
// Where it sits: `galley trace` writes it to a file or puts it into the page; the live page asks
// for it; trace_reader.h reads it back.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "tools/trace/trace.h"

namespace galley::trace {

constexpr int kTraceVersion = 1;

// The whole document.
nlohmann::ordered_json trace_json(const Trace& trace);
// The same as text: valid UTF-8 (U+FFFD where the model's text is broken), and with no '<' in it,
// so that it can stand inside an HTML <script> element whatever the prompt says.
std::string trace_text(const Trace& trace);

// One token: {"id", "text", "bytes" (hexadecimal), "special"}.
nlohmann::ordered_json token_json(const Tokenizer& tokenizer, TokenId id);
// `document` as trace_text writes it.
std::string script_safe(const nlohmann::ordered_json& document);

}  // namespace galley::trace
