// Tokens and their making as text, for every command that shows them.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "tokenizer/tokenizer.h"

namespace galley::tools {

// `text` on one line of a terminal: in quotes, control characters and broken UTF-8 escaped.
std::string escaped(std::string_view text);
// The bytes as hexadecimal numbers.
std::string hex(std::string_view bytes, const char* separator);

// How each part of `text` becomes ids, merge by merge, with ranks or scores.
std::string merges_text(const Tokenizer& tokenizer, std::string_view text, EncodeOptions options);
nlohmann::ordered_json merges_json(const Tokenizer& tokenizer, std::string_view text,
                                   EncodeOptions options);

}  // namespace galley::tools
