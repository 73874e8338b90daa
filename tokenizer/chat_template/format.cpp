#include "tokenizer/chat_template/format.h"

#include "tokenizer/chat_template/fault.h"
#include "tokenizer/chat_template/format_number.h"
#include "tokenizer/chat_template/lookup.h"
#include "tokenizer/chat_template/python_text.h"
#include "tokenizer/chat_template/search.h"
#include "tokenizer/chat_template/text.h"

namespace galley::chat {
namespace {

constexpr std::int64_t kMaxWidth = 100'000;

bool is_ascii_digit(char c) { return c >= '0' && c <= '9'; }

// Reads digits at text[at], moving `at` behind them. Throws Fault for absurd numbers.
std::int64_t read_count(std::string_view text, std::size_t& at) {
  std::int64_t count = 0;
  while (at < text.size() && is_ascii_digit(text[at])) {
    count = count * 10 + (text[at++] - '0');
    if (count > kMaxWidth) throw Fault("a width or precision of a format is too large");
  }
  return count;
}

// ---- "..." % values ----

class PercentFormatter {
 public:
  PercentFormatter(std::string_view pattern, const Value& values)
      : pattern_(pattern), values_(values) {}

  std::string run() {
    while (at_ < pattern_.size()) {
      if (pattern_[at_] != '%') {
        out_ += pattern_[at_++];
        continue;
      }
      ++at_;
      conversion();
      check_text_size(out_.size());
    }
    // A dict or a list need not be used at all.
    const bool is_optional = values_.is(Kind::kDict) || values_.is(Kind::kList);
    const std::size_t n_given = values_.is(Kind::kTuple) ? values_.items().size() : 1;
    if (!is_optional && n_used_ < n_given) {
      throw Fault("not all arguments converted during string formatting");
    }
    return std::move(out_);
  }

 private:
  char next() {
    if (at_ >= pattern_.size()) throw Fault("incomplete format");
    return pattern_[at_++];
  }

  Value next_value() {
    if (named_) return std::move(*std::exchange(named_, std::nullopt));
    const bool is_tuple = values_.is(Kind::kTuple);
    if (n_used_ >= (is_tuple ? values_.items().size() : 1)) {
      throw Fault("not enough arguments for format string");
    }
    return is_tuple ? values_.items()[n_used_++] : (++n_used_, values_);
  }

  std::int64_t count_or_star() {
    if (at_ < pattern_.size() && pattern_[at_] == '*') {
      ++at_;
      const Value value = next_value();
      if (!value.is_integral()) throw Fault("* wants int");
      if (value.as_integer() > kMaxWidth || value.as_integer() < -kMaxWidth) {
        throw Fault("a width or precision of a format is too large");
      }
      return value.as_integer();
    }
    return read_count(pattern_, at_);
  }

  void conversion() {
    if (at_ < pattern_.size() && pattern_[at_] == '(') read_name();
    NumberFormat format;
    bool is_left = false;
    for (; at_ < pattern_.size(); ++at_) {
      const char c = pattern_[at_];
      if (c == '-')
        is_left = true;
      else if (c == '0')
        format.zero_pad = true;
      else if (c == '+')
        format.sign = '+';
      else if (c == ' ')
        format.sign = format.sign == '+' ? '+' : ' ';
      else if (c == '#')
        format.alternate = true;
      else
        break;
    }
    std::int64_t width = count_or_star();
    if (width < 0) {
      is_left = true;
      width = -width;
    }
    if (at_ < pattern_.size() && pattern_[at_] == '.') {
      ++at_;
      format.precision = std::max<std::int64_t>(count_or_star(), 0);
    }
    while (at_ < pattern_.size() &&
           std::string_view("hlL").find(pattern_[at_]) != std::string_view::npos)
      ++at_;
    format.type = next();
    if (format.type == '%') {
      out_ += '%';
      return;
    }
    if (!is_left && format.zero_pad) format.width = width;
    const std::string text = convert(format);
    out_ += pad(text, width, is_left ? Align::kLeft : Align::kRight, " ");
  }

  void read_name() {
    std::size_t depth = 1;
    const std::size_t start = ++at_;
    for (; depth > 0; ++at_) {
      if (at_ >= pattern_.size()) throw Fault("incomplete format key");
      if (pattern_[at_] == '(') ++depth;
      if (pattern_[at_] == ')') --depth;
    }
    const std::string name(pattern_.substr(start, at_ - start - 1));
    if (!values_.is(Kind::kDict)) throw Fault("format requires a mapping");
    const Value* value = values_.as_dict().find(name);
    if (!value) throw Fault("KeyError: " + repr_of_string(name));
    named_ = *value;
  }

  std::string convert(NumberFormat& format) {
    const Value value = next_value();
    switch (format.type) {
      case 's':
        return cut(to_str(value), format.precision);
      case 'r':
        return cut(to_repr(value), format.precision);
      case 'c':
        return character(value);
      case 'd':
      case 'i':
      case 'u':
        format.type = 'd';
        if (!value.is_number()) fail_type(format.type, "a real number", value);
        return format_integer(to_integer(value), format);
      case 'x':
      case 'X':
      case 'o':
        if (!value.is_integral()) fail_type(format.type, "an integer", value);
        return format_integer(value.as_integer(), format);
      case 'f':
      case 'F':
      case 'e':
      case 'E':
      case 'g':
      case 'G':
        if (value.is_undefined()) throw Fault(value.why_undefined());
        if (!value.is_number()) throw Fault("must be real number, not " + type_name(value));
        return format_double(value.as_double(), format);
      default:
        throw Fault(std::string("unsupported format character '") + format.type + "'");
    }
  }

  [[noreturn]] static void fail_type(char type, const char* wanted, const Value& value) {
    if (value.is_undefined()) throw Fault(value.why_undefined());
    throw Fault(std::string("%") + type + " format: " + wanted + " is required, not " +
                type_name(value));
  }

  static std::int64_t to_integer(const Value& value) {
    if (value.is_integral()) return value.as_integer();
    const double d = value.as_double();
    if (!(d > -9.2e18 && d < 9.2e18)) throw Fault("cannot convert float to a 64-bit integer");
    return static_cast<std::int64_t>(d);
  }

  static std::string cut(const std::string& text, std::int64_t precision) {
    if (precision < 0) return text;
    return std::string(code_point_range(text, 0, static_cast<std::size_t>(precision)));
  }

  static std::string character(const Value& value) {
    if (value.is_string() && count_code_points(value.as_string()) == 1) return value.as_string();
    if (!value.is_integral()) throw Fault("%c requires int or char");
    if (value.as_integer() < 0 || value.as_integer() > 0x10FFFF) {
      throw Fault("%c arg not in range(0x110000)");
    }
    std::string text;
    append_code_point(text, static_cast<char32_t>(value.as_integer()));
    return text;
  }

  std::string_view pattern_;
  const Value& values_;
  std::size_t at_ = 0;
  std::size_t n_used_ = 0;
  std::optional<Value> named_;  // of the conversion being read
  std::string out_;
};

// ---- "...".format(...) ----

class BraceFormatter {
 public:
  explicit BraceFormatter(const Arguments& arguments) : arguments_(arguments) {}

  std::string run(std::string_view pattern, int depth) {
    if (depth > 2) throw Fault("Max string recursion exceeded");
    std::string out;
    for (std::size_t at = 0; at < pattern.size();) {
      const char c = pattern[at++];
      if (c != '{' && c != '}') {
        out += c;
      } else if (at < pattern.size() && pattern[at] == c) {
        out += c;
        ++at;
      } else if (c == '}') {
        throw Fault("Single '}' encountered in format string");
      } else {
        out += field(read_field(pattern, at), depth);
      }
      check_text_size(out.size());
    }
    return out;
  }

 private:
  // What stands between the brace before `at` and the one that closes it.
  static std::string_view read_field(std::string_view pattern, std::size_t& at) {
    const std::size_t start = at;
    for (int depth = 1; depth > 0; ++at) {
      if (at >= pattern.size()) throw Fault("expected '}' before end of string");
      if (pattern[at] == '{') ++depth;
      if (pattern[at] == '}') --depth;
    }
    return pattern.substr(start, at - start - 1);
  }

  // NAME!CONVERSION:SPEC
  std::string field(std::string_view text, int depth) {
    const std::size_t colon = text.find_first_of("!:");
    Value value = lookup(text.substr(0, colon));
    std::string_view rest = colon == std::string_view::npos ? "" : text.substr(colon);
    if (rest.starts_with('!')) {
      if (rest.size() < 2 || (rest[1] != 's' && rest[1] != 'r')) {
        throw Fault("a conversion other than !s and !r is not supported in format()");
      }
      value = Value::string(rest[1] == 's' ? to_str(value) : to_repr(value));
      rest.remove_prefix(2);
      if (!rest.empty() && rest[0] != ':') throw Fault("expected ':' after conversion specifier");
    }
    const std::string spec = rest.empty() ? "" : run(rest.substr(1), depth + 1);
    return format_value(value, spec);
  }

  Value first_of(std::string_view name) {
    const bool is_index = !name.empty() && std::all_of(name.begin(), name.end(), is_ascii_digit);
    if (!is_index && !name.empty()) {
      for (const auto& [key, value] : arguments_.named) {
        if (key == name) return value;
      }
      throw Fault("KeyError: " + repr_of_string(name));
    }
    if (numbering_ == (is_index ? Numbering::kAutomatic : Numbering::kManual)) {
      throw Fault("cannot switch between manual and automatic field numbering");
    }
    numbering_ = is_index ? Numbering::kManual : Numbering::kAutomatic;
    std::size_t digits = 0;
    const std::size_t index =
        is_index ? static_cast<std::size_t>(read_count(name, digits)) : n_automatic_++;
    if (index >= arguments_.positional.size()) {
      throw Fault("Replacement index " + std::to_string(index) +
                  " out of range for positional args tuple");
    }
    return arguments_.positional[index];
  }

  // A name with .attributes and [items] behind it.
  Value lookup(std::string_view path) {
    std::size_t at = std::min(path.find_first_of(".["), path.size());
    Value value = first_of(path.substr(0, at));
    while (at < path.size()) {
      const bool is_attribute = path[at] == '.';
      const std::size_t start = at + 1;
      at = is_attribute ? std::min(path.find_first_of(".[", start), path.size())
                        : path.find(']', start);
      if (at == std::string_view::npos) throw Fault("Missing ']' in format string");
      const std::string name(path.substr(start, at - start));
      if (name.empty()) throw Fault("Empty attribute in format string");
      if (is_attribute) {
        value = get_attribute(value, name);
        continue;
      }
      const bool is_index = std::all_of(name.begin(), name.end(), is_ascii_digit);
      std::size_t digits = 0;
      value = get_item(value,
                       is_index ? Value::integer(read_count(name, digits)) : Value::string(name));
      ++at;
      if (at < path.size() && path[at] != '.' && path[at] != '[') {
        throw Fault("Only '.' or '[' may follow ']' in format field specifier");
      }
    }
    return value;
  }

  enum class Numbering { kUnknown, kAutomatic, kManual };
  const Arguments& arguments_;
  Numbering numbering_ = Numbering::kUnknown;
  std::size_t n_automatic_ = 0;
};

}  // namespace

Value format_percent(const Value& pattern, const Value& values) {
  if (pattern.text().is_markup) throw Fault("formatting safe text with % is not supported");
  return Value::string(PercentFormatter(pattern.as_string(), values).run());
}

std::string format_braces(std::string_view pattern, const Arguments& arguments) {
  return BraceFormatter(arguments).run(pattern, 1);
}

}  // namespace galley::chat
