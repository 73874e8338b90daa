#include "tools/step/arguments.h"

#include <charconv>
#include <cmath>
#include <cstdlib>

#include "tensor/error.h"
#include "tensor/message.h"

namespace galley::step {
namespace {

constexpr std::string_view kSpaces = " \t";

// The end of the word that begins at `i`.
std::size_t word_end(std::string_view text, std::size_t i, const std::string& command) {
  if (text[i] == '"') {
    const std::size_t end = text.find('"', i + 1);
    if (end == std::string_view::npos)
      throw Error(ErrorKind::kUsage, command + ": the quote is not closed");
    return end + 1;
  }
  int depth = 0;
  for (; i < text.size(); ++i) {
    if (text[i] == '[') ++depth;
    if (text[i] == ']') --depth;
    // `q [3, :8]` is meant as `q[3, :8]`.
    const std::size_t next = text.find_first_not_of(kSpaces, i);
    const bool bracket_follows = next != std::string_view::npos && text[next] == '[';
    if (depth <= 0 && kSpaces.find(text[i]) != std::string_view::npos && !bracket_follows) break;
  }
  if (depth > 0) throw Error(ErrorKind::kUsage, command + ": the bracket '[' is not closed");
  return i;
}

}  // namespace

std::string_view trim(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r\n";
  const std::size_t begin = text.find_first_not_of(kBlank);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlank) - begin + 1);
}

Arguments parse_arguments(std::string command, std::string_view rest) {
  rest = trim(rest);
  Arguments arguments;
  arguments.command = std::move(command);
  arguments.rest = rest;
  for (std::size_t i = 0; i < rest.size();) {
    if (kSpaces.find(rest[i]) != std::string_view::npos) {
      ++i;
      continue;
    }
    const std::size_t end = word_end(rest, i, arguments.command);
    const bool quoted_word = rest[i] == '"';
    arguments.words.emplace_back(quoted_word ? rest.substr(i + 1, end - i - 2)
                                             : rest.substr(i, end - i));
    arguments.is_quoted.push_back(quoted_word);
    i = end;
  }
  return arguments;
}

void Arguments::need(std::size_t low, std::size_t high, std::string_view usage) const {
  if (size() >= low && size() <= high) return;
  throw Error(ErrorKind::kUsage, (size() < low ? command + " needs more: "
                                               : command + ": too many "
                                                           "words; ") +
                                     std::string(usage));
}

std::int64_t parse_integer_in(std::string_view text, const std::string& what, std::int64_t low,
                              std::int64_t high) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc() && end == text.data() + text.size() && value >= low && value <= high)
    return value;
  throw Error(ErrorKind::kUsage,
              what + " is " + in_quotes(text) +
                  (high < low ? ", and there is none"
                              : ", expected a number from " + std::to_string(low) + " to " +
                                    std::to_string(high)));
}

float parse_amount(std::string_view text, const std::string& what) {
  const std::string copy(text);
  char* end = nullptr;
  const float value = std::strtof(copy.c_str(), &end);
  if (copy.empty() || end != copy.c_str() + copy.size() || std::isnan(value))
    throw Error(ErrorKind::kUsage, what + " is " + in_quotes(text) + ", expected a number");
  return value;
}

std::int64_t Arguments::integer(std::size_t i, const std::string& what, std::int64_t low,
                                std::int64_t high) const {
  if (i >= size()) throw Error(ErrorKind::kUsage, command + " needs " + what);
  return parse_integer_in(words[i], what, low, high);
}

std::int64_t Arguments::integer_or(std::size_t i, std::int64_t fallback, const std::string& what,
                                   std::int64_t low, std::int64_t high) const {
  return i < size() ? integer(i, what, low, high) : fallback;
}

}  // namespace galley::step
