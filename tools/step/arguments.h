// The words of a debugger command, and reading them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace galley::step {

// What stands behind a command's name.
struct Arguments {
  std::string command;  // the command's full name, for messages
  std::string rest;     // all of it, without spaces at its ends
  // Split at spaces outside brackets and quotes: `blk.0.q[3, :8]` is one word. Quotes are taken
  // off: `" cat"` is the word ` cat`.
  std::vector<std::string> words;
  // words[i] was in quotes.
  std::vector<bool> is_quoted;

  std::size_t size() const { return words.size(); }
  bool empty() const { return words.empty(); }
  const std::string& operator[](std::size_t i) const { return words[i]; }
  // Whether word i is `word`.
  bool is(std::size_t i, std::string_view word) const { return i < size() && words[i] == word; }

  // Throws Error kUsage, telling the command's usage, unless there are from `low` to `high` words.
  void need(std::size_t low, std::size_t high, std::string_view usage) const;
  // Word i as an integer in [low, high]; `what` it is, for the message of Error kUsage.
  std::int64_t integer(std::size_t i, const std::string& what, std::int64_t low,
                       std::int64_t high) const;
  // The same, or `fallback` where there is no word i.
  std::int64_t integer_or(std::size_t i, std::int64_t fallback, const std::string& what,
                          std::int64_t low, std::int64_t high) const;
};

// Splits `rest`. Throws Error kUsage for a bracket or a quote that is not closed.
Arguments parse_arguments(std::string command, std::string_view rest);

// `text` as an integer in [low, high]; else Error kUsage naming `what`.
std::int64_t parse_integer_in(std::string_view text, const std::string& what, std::int64_t low,
                              std::int64_t high);
// A number; "inf" and "-inf" too. Error kUsage naming `what`.
float parse_amount(std::string_view text, const std::string& what);

std::string_view trim(std::string_view text);

}  // namespace galley::step
