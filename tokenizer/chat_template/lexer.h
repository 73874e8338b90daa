// Cuts template source into tokens, applying the white space rules of Jinja as Transformers
// sets it up:
//   - one newline at the very end of the source is dropped; \r\n and \r become \n
//   - the first newline after a %} or #} is dropped ("trim blocks"), unless written +%}
//   - spaces and tabs between the start of a line and a {% or {# are dropped ("lstrip
//     blocks"), unless written {%+
//   - a minus inside a tag, {%- or -%}, drops all white space on that side
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tokenizer/chat_template/fault.h"

namespace galley::chat {

enum class TokenKind {
  kText,           // outside of tags; `text` is what is printed
  kVariableBegin,  // {{
  kVariableEnd,    // }}
  kBlockBegin,     // {%
  kBlockEnd,       // %}
  kName,
  kString,   // `text` is the value, escapes resolved
  kInteger,  // `integer` is the value
  kFloat,    // `number` is the value
  kOperator,
  kEnd,
};

struct Token {
  TokenKind kind;
  std::string text;
  Position at;
  std::int64_t integer = 0;
  double number = 0;

  bool is(TokenKind k, const char* t) const { return kind == k && text == t; }
  bool is_operator(const char* t) const { return is(TokenKind::kOperator, t); }
  bool is_name(const char* t) const { return is(TokenKind::kName, t); }
};

// How a token reads in an error message: "'endfor'", "end of the template".
std::string describe(const Token& token);

// The tokens of `source`, ending with kEnd. Comments and {% raw %} are resolved.
// Throws Fault with a position for what is not Jinja.
std::vector<Token> tokenize(const std::string& source);

}  // namespace galley::chat
