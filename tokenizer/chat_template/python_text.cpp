#include "tokenizer/chat_template/python_text.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>

#include "tokenizer/chat_template/fault.h"
#include "tokenizer/chat_template/text.h"

namespace galley::chat {
namespace {

void append_repr(std::string& out, const Value& value);

void append_items(std::string& out, const Values& items) {
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (i != 0) out += ", ";
    append_repr(out, items[i]);
  }
}

void append_dict(std::string& out, const Dict& dict) {
  out += '{';
  for (std::size_t i = 0; i < dict.size(); ++i) {
    if (i != 0) out += ", ";
    append_repr(out, dict.entries()[i].first);
    out += ": ";
    append_repr(out, dict.entries()[i].second);
  }
  out += '}';
}

void append_repr(std::string& out, const Value& value) {
  spend_steps(1);
  check_text_size(out.size());
  switch (value.kind()) {
    case Kind::kUndefined:
      out += "Undefined";
      return;
    case Kind::kNone:
      out += "None";
      return;
    case Kind::kBool:
      out += value.as_bool() ? "True" : "False";
      return;
    case Kind::kInt:
      out += std::to_string(value.as_integer());
      return;
    case Kind::kFloat:
      out += repr_of_double(value.as_double());
      return;
    case Kind::kString:
      if (value.text().is_markup) {
        out += "Markup(" + repr_of_string(value.as_string()) + ")";
      } else {
        out += repr_of_string(value.as_string());
      }
      return;
    case Kind::kList:
      out += '[';
      append_items(out, value.items());
      out += ']';
      return;
    case Kind::kTuple:
      out += '(';
      append_items(out, value.items());
      out += value.items().size() == 1 ? ",)" : ")";
      return;
    case Kind::kDict:
      append_dict(out, value.as_dict());
      return;
    case Kind::kObject:
      out += value.as_object()->repr();
      return;
  }
}

void append_escape(std::string& out, char32_t c) {
  std::array<char, 16> text;
  const auto code = static_cast<unsigned>(c);
  if (code <= 0xFF) {
    std::snprintf(text.data(), text.size(), "\\x%02x", code);
  } else if (code <= 0xFFFF) {
    std::snprintf(text.data(), text.size(), "\\u%04x", code);
  } else {
    std::snprintf(text.data(), text.size(), "\\U%08x", code);
  }
  out += text.data();
}

}  // namespace

std::string repr_of_string(std::string_view text) {
  const bool has_single = text.find('\'') != std::string_view::npos;
  const bool has_double = text.find('"') != std::string_view::npos;
  const char quote = has_single && !has_double ? '"' : '\'';
  std::string out(1, quote);
  for (char32_t c : decode(text)) {
    if (c == static_cast<char32_t>(quote) || c == '\\') {
      out += '\\';
      out += static_cast<char>(c);
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\r') {
      out += "\\r";
    } else if (c == '\t') {
      out += "\\t";
    } else if (is_printable(c)) {
      append_code_point(out, c);
    } else {
      append_escape(out, c);
    }
  }
  out += quote;
  return out;
}

std::string repr_of_double(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  std::array<char, 64> buffer;
  const auto shortest = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value,
                                      std::chars_format::scientific);
  const std::string_view text(buffer.data(),
                              static_cast<std::size_t>(shortest.ptr - buffer.data()));
  int exponent = 0;
  const std::size_t e = text.find('e');
  const std::size_t exponent_at = e + (text[e + 1] == '+' ? 2 : 1);
  std::from_chars(text.data() + exponent_at, text.data() + text.size(), exponent);
  if (exponent < -4 || exponent >= 16) return std::string(text);
  const auto fixed =
      std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, std::chars_format::fixed);
  std::string out(buffer.data(), fixed.ptr);
  if (out.find('.') == std::string::npos) out += ".0";
  return out;
}

std::string to_repr(const Value& value) {
  std::string out;
  append_repr(out, value);
  return out;
}

std::string to_str(const Value& value) {
  if (value.is_string()) return value.as_string();
  if (value.is_undefined()) return "";
  return to_repr(value);
}

}  // namespace galley::chat
