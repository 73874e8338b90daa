#include "tokenizer/chat_template/literals.h"

#include <charconv>
#include <cstdlib>

#include "tokenizer/chat_template/text.h"

namespace galley::chat {
namespace {

// The value of c as a digit, or 99.
int digit_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return 99;
}

// Where digits of `base`, with single underscores between them, that start at `at` end.
std::size_t skip_digits(std::string_view text, std::size_t at, int base = 10) {
  const auto is_digit_at = [&](std::size_t i) {
    return i < text.size() && digit_value(text[i]) < base;
  };
  if (!is_digit_at(at)) return at;
  while (is_digit_at(at) || (at < text.size() && text[at] == '_' && is_digit_at(at + 1))) ++at;
  return at;
}

int base_of_prefix(std::string_view text) {
  if (text.size() < 2 || text[0] != '0') return 10;
  switch (text[1] | 0x20) {
    case 'b':
      return 2;
    case 'o':
      return 8;
    case 'x':
      return 16;
    default:
      return 10;
  }
}

std::string without_underscores(std::string_view text) {
  std::string digits(text);
  std::erase(digits, '_');
  return digits;
}

// Reads `n_digits` hexadecimal digits at text[at].
char32_t hex_escape(std::string_view text, std::size_t at, std::size_t n_digits, Position place) {
  const std::string_view digits = text.substr(at, n_digits);
  std::uint32_t value = 0;
  const auto result = std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
  if (digits.size() != n_digits || result.ptr != digits.data() + n_digits) {
    throw Fault("a string has a truncated \\x, \\u or \\U escape", place);
  }
  if (value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF)) {
    throw Fault("a string has an escape that is no character: '" + std::string(digits) + "'",
                place);
  }
  return value;
}

char simple_escape(char c) {
  switch (c) {
    case '\\':
    case '\'':
    case '"':
      return c;
    case 'n':
      return '\n';
    case 't':
      return '\t';
    case 'r':
      return '\r';
    case 'a':
      return '\a';
    case 'b':
      return '\b';
    case 'f':
      return '\f';
    case 'v':
      return '\v';
    default:
      return '\0';
  }
}

}  // namespace

std::size_t float_length(std::string_view text) {
  const std::size_t whole = skip_digits(text, 0);
  if (whole == 0) return 0;
  std::size_t end = whole;
  if (end < text.size() && text[end] == '.') {
    const std::size_t fraction = skip_digits(text, end + 1);
    if (fraction > end + 1) end = fraction;
  }
  if (end < text.size() && (text[end] | 0x20) == 'e') {
    std::size_t digits = end + 1;
    if (digits < text.size() && (text[digits] == '+' || text[digits] == '-')) ++digits;
    const std::size_t exponent = skip_digits(text, digits);
    if (exponent > digits) end = exponent;
  }
  return end > whole ? end : 0;
}

double float_value(std::string_view literal) {
  // Beyond the range of a double it gives infinity or zero, as in Python.
  return std::strtod(without_underscores(literal).c_str(), nullptr);
}

std::size_t integer_length(std::string_view text) {
  const int base = base_of_prefix(text);
  if (base != 10) {
    const std::size_t start = text.size() > 2 && text[2] == '_' ? 3 : 2;
    const std::size_t end = skip_digits(text, start, base);
    if (end > start) return end;
  }
  if (text.starts_with('0')) {
    std::size_t end = 1;
    while (text.substr(end).starts_with('0') || text.substr(end).starts_with("_0")) ++end;
    return end;
  }
  return skip_digits(text, 0);
}

std::int64_t integer_value(std::string_view literal, Position at) {
  const int base = base_of_prefix(literal);
  const std::string digits = without_underscores(literal.substr(base == 10 ? 0 : 2));
  std::int64_t value = 0;
  const auto result = std::from_chars(digits.data(), digits.data() + digits.size(), value, base);
  if (result.ec != std::errc()) {
    throw Fault("the integer " + std::string(literal) + " does not fit in 64 bits", at);
  }
  return value;
}

std::string string_value(std::string_view literal, Position at) {
  std::string value;
  for (std::size_t i = 0; i < literal.size(); ++i) {
    if (literal[i] != '\\' || i + 1 == literal.size()) {
      value += literal[i];
      continue;
    }
    const char c = literal[++i];
    if (const char simple = simple_escape(c)) {
      value += simple;
    } else if (c == '\n') {
      // A backslash at the end of a line joins it with the next.
    } else if (c == 'x' || c == 'u' || c == 'U') {
      const std::size_t n_digits = c == 'x' ? 2 : c == 'u' ? 4 : 8;
      append_code_point(value, hex_escape(literal, i + 1, n_digits, at));
      i += n_digits;
    } else if (c >= '0' && c <= '7') {
      char32_t octal = 0;
      for (int n = 0; n < 3 && i < literal.size() && literal[i] >= '0' && literal[i] <= '7'; ++n) {
        octal = octal * 8 + static_cast<char32_t>(literal[i++] - '0');
      }
      --i;
      append_code_point(value, octal);
    } else if (c == 'N') {
      throw Fault("a string has a \\N{...} escape, which is not supported", at);
    } else {
      value += '\\';
      value += c;
    }
  }
  return value;
}

}  // namespace galley::chat
