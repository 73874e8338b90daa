// JSON in and out: the conversation comes in as nlohmann::ordered_json, |tojson writes what
// Python's json.dumps writes.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "tokenizer/chat_template/value.h"

namespace galley::chat {

// Throws Fault for an integer beyond 64 bits or values nested too deep.
Value from_json(const nlohmann::ordered_json& json);

struct JsonLayout {
  std::optional<std::string> indent;  // one level of it; nothing: all on one line
  std::string item_separator = ", ";
  std::string key_separator = ": ";
  bool ensure_ascii = false;  // write other characters as \u escapes
  bool sort_keys = false;
};

// json.dumps(value). Throws Fault for what is not JSON: undefined, generators, ...
std::string to_json(const Value& value, const JsonLayout& layout);

}  // namespace galley::chat
