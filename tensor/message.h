// Small helpers for error messages: numbers people can read, text nobody can abuse.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace galley {

// 4718592 as "4,718,592".
std::string with_commas(std::uint64_t number);

// `text` from an untrusted file between single quotes, fit for one line on a terminal: control
// characters, quotes and bytes outside ASCII as \xNN, and cut after 80 bytes.
std::string in_quotes(std::string_view text);

// ", did you mean 'run'?" for the known word nearest to `word`, or nothing if none is near.
std::string suggestion(std::string_view word, const std::vector<std::string>& known);

}  // namespace galley
