// The methods of str. Positions and widths count code points.
#include <algorithm>
#include <iterator>

#include "tokenizer/chat_template/arguments.h"
#include "tokenizer/chat_template/fault.h"
#include "tokenizer/chat_template/format.h"
#include "tokenizer/chat_template/methods.h"
#include "tokenizer/chat_template/search.h"
#include "tokenizer/chat_template/text.h"

namespace galley::chat {
namespace {

// A result of the same kind as self: methods of Markup give Markup.
Value like(const Value& self, std::string text) {
  return Value::string(std::move(text), self.text().is_markup);
}

template <std::string (*convert)(std::string_view)>
Value convert_case(const Value& self, const Arguments& arguments) {
  check_no_arguments("the method", arguments);
  return like(self, convert(self.as_string()));
}

template <Side side>
Value strip_method(const Value& self, const Arguments& arguments) {
  const Parameters p("strip", arguments, {"/chars"});
  spend_bytes(self.as_string().size());
  if (!p.is_set(0)) return like(self, std::string(strip(self.as_string(), side, nullptr)));
  const std::string_view characters = p.text(0);
  return like(self, std::string(strip(self.as_string(), side, &characters)));
}

Value split_method(const Value& self, const Arguments& arguments, bool from_right) {
  const Parameters p(from_right ? "rsplit" : "split", arguments, {"sep", "maxsplit"});
  const std::int64_t max_splits = p.integer(1, -1);
  const auto parts = p.is_set(0) ? split(self.as_string(), p.text(0), max_splits, from_right)
                                 : split_at_space(self.as_string(), max_splits, from_right);
  Values values;
  for (std::string_view part : parts) values.push_back(like(self, std::string(part)));
  return Value::list(std::move(values));
}

Value split_left(const Value& self, const Arguments& arguments) {
  return split_method(self, arguments, false);
}
Value split_right(const Value& self, const Arguments& arguments) {
  return split_method(self, arguments, true);
}

Value splitlines(const Value& self, const Arguments& arguments) {
  const Parameters p("splitlines", arguments, {"keepends"});
  Values lines;
  for (std::string_view line : split_lines(self.as_string(), p.truth(0, false))) {
    lines.push_back(like(self, std::string(line)));
  }
  return Value::list(std::move(lines));
}

template <bool from_right>
Value partition(const Value& self, const Arguments& arguments) {
  const Parameters p("partition", arguments, {"/sep"}, 1);
  const std::string& text = self.as_string();
  const std::string& separator = p.text(0);
  if (separator.empty()) throw Fault("empty separator");
  const std::size_t at = from_right ? text.rfind(separator) : text.find(separator);
  if (at == std::string::npos) {
    return from_right ? Value::tuple({Value::string(""), Value::string(""), self})
                      : Value::tuple({self, Value::string(""), Value::string("")});
  }
  return Value::tuple({like(self, text.substr(0, at)), Value::string(separator),
                       like(self, text.substr(at + separator.size()))});
}

Value replace(const Value& self, const Arguments& arguments) {
  const Parameters p("replace", arguments, {"/old", "/new", "/count"}, 2);
  return like(self, replace_all(self.as_string(), p.text(0), p.text(1), p.integer(2, -1)));
}

Value join(const Value& self, const Arguments& arguments) {
  const Parameters p("join", arguments, {"/iterable"}, 1);
  std::string text;
  const Next next = iterate(p.required(0));
  for (std::size_t i = 0; const std::optional<Value> item = next(); ++i) {
    if (!item->is_string()) {
      throw Fault("sequence item " + std::to_string(i) + ": expected str instance, " +
                  type_name(*item) + " found");
    }
    if (i != 0) text += self.as_string();
    text += item->as_string();
    check_text_size(text.size());
  }
  return like(self, std::move(text));
}

// startswith(prefix, start, end); prefix may be a tuple of several.
template <bool at_end>
Value has_affix(const Value& self, const Arguments& arguments) {
  const char* name = at_end ? "endswith" : "startswith";
  const Parameters p(name, arguments, {"/prefix", "/start", "/end"}, 1);
  const std::optional<Window> window = select_window(self.as_string(), p, 1);
  const auto matches = [&](const Value& affix) {
    if (!affix.is_string()) {
      throw Fault(std::string(name) + " first arg must be str or a tuple of str, not " +
                  type_name(affix));
    }
    if (!window) return false;
    return at_end ? window->text.ends_with(affix.as_string())
                  : window->text.starts_with(affix.as_string());
  };
  const Value& affix = p.required(0);
  if (!affix.is(Kind::kTuple)) return Value::boolean(matches(affix));
  return Value::boolean(std::any_of(affix.items().begin(), affix.items().end(), matches));
}

// find, rfind, index, rindex(sub, start, end).
template <bool from_right, bool must_exist>
Value find(const Value& self, const Arguments& arguments) {
  const Parameters p(from_right ? "rfind" : "find", arguments, {"/sub", "/start", "/end"}, 1);
  const std::string& needle = p.text(0);
  spend_bytes(self.as_string().size());
  if (const std::optional<Window> window = select_window(self.as_string(), p, 1)) {
    const std::size_t at = from_right ? window->text.rfind(needle) : window->text.find(needle);
    if (at != std::string_view::npos) {
      const std::size_t before = count_code_points(window->text.substr(0, at));
      return Value::integer(static_cast<std::int64_t>(window->start + before));
    }
  }
  if (must_exist) throw Fault("substring not found");
  return Value::integer(-1);
}

Value count(const Value& self, const Arguments& arguments) {
  const Parameters p("count", arguments, {"/sub", "/start", "/end"}, 1);
  const std::string& needle = p.text(0);
  spend_bytes(self.as_string().size());
  const std::optional<Window> window = select_window(self.as_string(), p, 1);
  if (!window) return Value::integer(0);
  if (needle.empty()) {
    return Value::integer(static_cast<std::int64_t>(count_code_points(window->text)) + 1);
  }
  std::int64_t n = 0;
  for (std::size_t at = window->text.find(needle); at != std::string_view::npos; ++n) {
    at = window->text.find(needle, at + needle.size());
  }
  return Value::integer(n);
}

// True if there are characters and all of them pass.
template <bool (*test)(char32_t)>
Value all_characters(const Value& self, const Arguments& arguments) {
  check_no_arguments("the method", arguments);
  const std::u32string characters = decode(self.as_string());
  return Value::boolean(!characters.empty() &&
                        std::all_of(characters.begin(), characters.end(), test));
}

bool is_alphanumeric(char32_t c) { return is_alphabetic(c) || is_numeric(c); }

// True if there are letters with case and all of them are of the one asked for.
template <bool upper>
Value has_case(const Value& self, const Arguments& arguments) {
  check_no_arguments("the method", arguments);
  bool found = false;
  for (char32_t c : decode(self.as_string())) {
    if (upper ? is_lower(c) || is_title(c) : is_upper(c) || is_title(c)) {
      return Value::boolean(false);
    }
    found = found || (upper ? is_upper(c) : is_lower(c));
  }
  return Value::boolean(found);
}

Value is_title_case(const Value& self, const Arguments& arguments) {
  check_no_arguments("the method istitle", arguments);
  bool found = false;
  bool in_word = false;
  for (char32_t c : decode(self.as_string())) {
    const bool starts = is_upper(c) || is_title(c);
    if (starts ? in_word : is_lower(c) && !in_word) return Value::boolean(false);
    in_word = starts || is_lower(c);
    found = found || in_word;
  }
  return Value::boolean(found);
}

Value is_identifier(const Value& self, const Arguments& arguments) {
  check_no_arguments("the method isidentifier", arguments);
  const std::u32string characters = decode(self.as_string());
  return Value::boolean(!characters.empty() && starts_identifier(characters[0]) &&
                        std::all_of(characters.begin(), characters.end(), continues_identifier));
}

Value is_ascii(const Value& self, const Arguments& arguments) {
  check_no_arguments("the method isascii", arguments);
  return Value::boolean(std::all_of(self.as_string().begin(), self.as_string().end(),
                                    [](char c) { return static_cast<signed char>(c) >= 0; }));
}

Value is_all_printable(const Value& self, const Arguments& arguments) {
  check_no_arguments("the method isprintable", arguments);
  const std::u32string characters = decode(self.as_string());
  return Value::boolean(std::all_of(characters.begin(), characters.end(), is_printable));
}

// center, ljust, rjust(width, fillchar).
template <Align align>
Value justify(const Value& self, const Arguments& arguments) {
  const Parameters p("center, ljust and rjust", arguments, {"/width", "/fillchar"}, 1);
  const std::string fill = p.text(1, " ");
  if (count_code_points(fill) != 1)
    throw Fault("The fill character must be exactly one character long");
  return like(self, pad(self.as_string(), p.integer(0, 0), align, fill));
}

Value zfill(const Value& self, const Arguments& arguments) {
  const Parameters p("zfill", arguments, {"/width"}, 1);
  std::string_view digits = self.as_string();
  std::string sign;
  if (digits.starts_with('+') || digits.starts_with('-')) {
    sign = digits.substr(0, 1);
    digits.remove_prefix(1);
  }
  const auto width = p.integer(0, 0);
  return like(self, sign + pad(digits, width - (sign.empty() ? 0 : 1), Align::kRight, "0"));
}

Value expandtabs(const Value& self, const Arguments& arguments) {
  const Parameters p("expandtabs", arguments, {"tabsize"});
  const std::int64_t tab = p.integer(0, 8);
  std::string text;
  std::int64_t column = 0;
  for (char32_t c : decode(self.as_string())) {
    if (c == '\t') {
      const std::int64_t n = tab > 0 ? tab - column % tab : 0;
      check_text_size(text.size() + static_cast<std::size_t>(n));
      text.append(static_cast<std::size_t>(n), ' ');
      column += n;
    } else {
      append_code_point(text, c);
      column = c == '\n' || c == '\r' ? 0 : column + 1;
    }
  }
  return like(self, std::move(text));
}

Value remove_prefix(const Value& self, const Arguments& arguments) {
  const Parameters p("removeprefix", arguments, {"/prefix"}, 1);
  const std::string& prefix = p.text(0);
  if (!self.as_string().starts_with(prefix)) return self;
  return like(self, self.as_string().substr(prefix.size()));
}

Value remove_suffix(const Value& self, const Arguments& arguments) {
  const Parameters p("removesuffix", arguments, {"/suffix"}, 1);
  const std::string& suffix = p.text(0);
  if (!self.as_string().ends_with(suffix)) return self;
  return like(self, self.as_string().substr(0, self.as_string().size() - suffix.size()));
}

Value format(const Value& self, const Arguments& arguments) {
  if (self.text().is_markup) throw Fault("the method format of safe text is not supported");
  return Value::string(format_braces(self.as_string(), arguments));
}

struct Row {
  std::string_view name;
  MethodBody body;  // nullptr: not supported
};

constexpr Row kMethods[] = {{"capitalize", convert_case<to_capitalized>},
                            {"casefold", nullptr},
                            {"center", justify<Align::kCenter>},
                            {"count", count},
                            {"encode", nullptr},
                            {"endswith", has_affix<true>},
                            {"expandtabs", expandtabs},
                            {"find", find<false, false>},
                            {"format", format},
                            {"format_map", nullptr},
                            {"index", find<false, true>},
                            {"isalnum", all_characters<is_alphanumeric>},
                            {"isalpha", all_characters<is_alphabetic>},
                            {"isascii", is_ascii},
                            {"isdecimal", all_characters<is_decimal>},
                            {"isdigit", all_characters<is_digit>},
                            {"isidentifier", is_identifier},
                            {"islower", has_case<false>},
                            {"isnumeric", all_characters<is_numeric>},
                            {"isprintable", is_all_printable},
                            {"isspace", all_characters<is_space>},
                            {"istitle", is_title_case},
                            {"isupper", has_case<true>},
                            {"join", join},
                            {"ljust", justify<Align::kLeft>},
                            {"lower", convert_case<to_lower>},
                            {"lstrip", strip_method<Side::kLeft>},
                            {"maketrans", nullptr},
                            {"partition", partition<false>},
                            {"removeprefix", remove_prefix},
                            {"removesuffix", remove_suffix},
                            {"replace", replace},
                            {"rfind", find<true, false>},
                            {"rindex", find<true, true>},
                            {"rjust", justify<Align::kRight>},
                            {"rpartition", partition<true>},
                            {"rsplit", split_right},
                            {"rstrip", strip_method<Side::kRight>},
                            {"split", split_left},
                            {"splitlines", splitlines},
                            {"startswith", has_affix<false>},
                            {"strip", strip_method<Side::kBoth>},
                            {"swapcase", convert_case<swap_case>},
                            {"title", convert_case<to_title>},
                            {"translate", nullptr},
                            {"upper", convert_case<to_upper>},
                            {"zfill", zfill}};

}  // namespace

std::optional<Method> find_string_method(std::string_view name) {
  const Row* row = std::lower_bound(std::begin(kMethods), std::end(kMethods), name,
                                    [](const Row& r, std::string_view n) { return r.name < n; });
  if (row == std::end(kMethods) || row->name != name) return std::nullopt;
  return Method{row->body};
}

}  // namespace galley::chat
