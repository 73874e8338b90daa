// The `attribute` argument of filters: "function.name" or "parts.0", looked up step by step.
#pragma once

#include <string>
#include <vector>

#include "tokenizer/chat_template/value.h"

namespace galley::chat {

class AttributePath {
 public:
  // `path`: a text with dots, an integer, or none for the value itself.
  explicit AttributePath(const Value& path);

  // A step that gives undefined gives `otherwise` instead, unless that is missing or none.
  Value get(const Value& object, const Value& otherwise = Value()) const;

 private:
  Values steps_;
};

// Lower case of texts, everything else as it is: how filters compare unless case_sensitive.
Value fold_case(const Value& value);

}  // namespace galley::chat
