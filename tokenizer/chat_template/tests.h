// The tests of the language: x is defined, n is divisibleby(3).
#pragma once

#include <string_view>

#include "tokenizer/chat_template/value.h"

namespace galley::chat {

using TestFunction = bool (*)(const Value& value, const Arguments& arguments);

// nullptr if there is no test of that name. Operators have names too: "==", "in", "lt".
TestFunction find_test(std::string_view name);

}  // namespace galley::chat
