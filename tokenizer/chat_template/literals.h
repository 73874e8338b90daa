// Numbers and strings as they are written in a template; they follow Python's grammar.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "tokenizer/chat_template/fault.h"

namespace galley::chat {

// Length of the float literal that `text` starts with ("1.5", "1e-3", "1_000.0"); 0 if none.
std::size_t float_length(std::string_view text);
double float_value(std::string_view literal);

// Length of the integer literal that `text` starts with ("42", "1_000", "0xff", "0b1"); 0 if
// none. A 0 ends a decimal number: "007" is three numbers.
std::size_t integer_length(std::string_view text);
// Throws Fault at `at` for a number beyond 64 bits.
std::int64_t integer_value(std::string_view literal, Position at);

// The value of a string literal, without its quotes: \n, \x41, \u00e9 and so on are resolved,
// an unknown escape stays as it is. Throws Fault at `at` for a broken escape.
std::string string_value(std::string_view literal, Position at);

}  // namespace galley::chat
