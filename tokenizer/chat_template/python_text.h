// How values are printed: Python's str() and repr().
#pragma once

#include <string>
#include <string_view>

#include "tokenizer/chat_template/value.h"

namespace galley::chat {

// str(value): what {{ value }} prints. Undefined gives nothing.
std::string to_str(const Value& value);

// repr(value): as inside a printed list, strings in quotes.
std::string to_repr(const Value& value);
std::string repr_of_string(std::string_view text);

// The shortest text that reads back as the same double, in Python's layout: 1.0, 1e-05, nan.
std::string repr_of_double(double value);

}  // namespace galley::chat
