// Pieces of text that several commands show.
#pragma once

#include <initializer_list>
#include <span>
#include <string>
#include <string_view>

#include "tools/step/debug_run.h"

namespace galley::step {

// The parts one after another.
std::string cat(std::initializer_list<std::string_view> parts);

// A token as a quoted text, control characters escaped; where the model has no tokenizer, its id.
std::string token_text(const Model& model, TokenId id);
// Several tokens as one such text.
std::string text_of(const Model& model, std::span<const TokenId> ids);

// "[7, 256]": the shape of a value in this pass.
std::string shape_text(DebugRun& run, Value value);

// An op on one line: number, name, kind, shape; with a summary of its value if it has been made and
// `with_values` is set.
std::string op_line(DebugRun& run, int op, bool with_values = true);

// `text` in lines of at most `width` characters, each with `indent` in front and a newline.
std::string wrapped(const std::string& text, std::size_t width, const std::string& indent);

// `text` cut or filled up with spaces in front to `width` characters (of UTF-8).
std::string fitted(const std::string& text, std::size_t width);
// `text` with spaces behind it up to `width` characters; longer ones stay.
std::string left(const std::string& text, std::size_t width);

// A number for a table, 6 digits.
std::string number_text(double x);
// `p` as "12.3%".
std::string percent_text(double p);

// For printf's %lld.
inline long long as_ll(std::int64_t n) { return static_cast<long long>(n); }

}  // namespace galley::step
