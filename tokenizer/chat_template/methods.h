// The methods of Python's values that a template may call: 'a'.upper(), message.items().
#pragma once

#include <optional>
#include <string_view>

#include "tokenizer/chat_template/value.h"

namespace galley::chat {

// `self` is the value the method was looked up on.
using MethodBody = Value (*)(const Value& self, const Arguments& arguments);

struct Method {
  // nullptr: Python has this method, this interpreter does not.
  MethodBody body = nullptr;
  // A method that would change its list or dict; the sandbox does not give it out.
  bool changes_value = false;
};

// The method of that name, if Python's type has one.
std::optional<Method> find_method(const Value& self, std::string_view name);

// The table of one type, in string_methods.cpp.
std::optional<Method> find_string_method(std::string_view name);

}  // namespace galley::chat
