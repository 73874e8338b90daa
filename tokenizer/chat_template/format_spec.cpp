// format(value, spec): Python's format specification mini-language.
#include <algorithm>
#include <cmath>

#include "tokenizer/chat_template/fault.h"
#include "tokenizer/chat_template/format.h"
#include "tokenizer/chat_template/format_number.h"
#include "tokenizer/chat_template/python_text.h"
#include "tokenizer/chat_template/search.h"
#include "tokenizer/chat_template/text.h"

namespace galley::chat {
namespace {

constexpr std::int64_t kMaxWidth = 100'000;

struct Spec {
  std::string fill = " ";
  char align = '\0';  // < > ^ =, or none
  char type = '\0';
  std::int64_t width = 0;
  NumberFormat number;
};

class SpecParser {
 public:
  explicit SpecParser(std::string_view text) : text_(text) {}

  Spec parse() {
    Spec spec;
    parse_align(spec);
    if (take_one_of("+- ")) spec.number.sign = taken_;
    spec.number.alternate = take_one_of("#");
    if (take_one_of("0") && !spec.align) {
      spec.align = '=';
      spec.fill = std::string(1, '0');
    }
    spec.width = count();
    if (take_one_of(",_")) spec.number.separator = taken_;
    if (take_one_of(".")) {
      const std::size_t before = at_;
      spec.number.precision = count();
      if (at_ == before) throw Fault("Format specifier missing precision");
    }
    if (at_ < text_.size()) spec.type = text_[at_++];
    if (at_ != text_.size()) throw Fault("Invalid format specifier '" + std::string(text_) + "'");
    return spec;
  }

 private:
  static bool is_align(char c) { return c == '<' || c == '>' || c == '^' || c == '='; }

  void parse_align(Spec& spec) {
    if (text_.empty()) return;
    const std::size_t fill = decode_at(text_, 0).n_bytes;
    if (fill < text_.size() && is_align(text_[fill])) {
      spec.fill = text_.substr(0, fill);
      spec.align = text_[fill];
      at_ = fill + 1;
    } else if (is_align(text_[0])) {
      spec.align = text_[0];
      at_ = 1;
    }
  }

  bool take_one_of(std::string_view characters) {
    if (at_ >= text_.size() || characters.find(text_[at_]) == std::string_view::npos) return false;
    taken_ = text_[at_++];
    return true;
  }

  std::int64_t count() {
    std::int64_t count = 0;
    while (take_one_of("0123456789")) {
      count = count * 10 + (taken_ - '0');
      if (count > kMaxWidth) throw Fault("a width or precision of a format is too large");
    }
    return count;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  char taken_ = '\0';
};

std::string align_text(const std::string& text, const Spec& spec, char otherwise) {
  const char align = spec.align ? spec.align : otherwise;
  if (align == '^') {  // an odd character goes to the right, unlike in str.center
    const auto missing =
        std::max<std::int64_t>(spec.width - static_cast<std::int64_t>(count_code_points(text)), 0);
    const std::string left = pad(text, spec.width - (missing + 1) / 2, Align::kRight, spec.fill);
    return pad(left, spec.width, Align::kLeft, spec.fill);
  }
  return pad(text, spec.width, align == '<' ? Align::kLeft : Align::kRight, spec.fill);
}

[[noreturn]] void fail_type(const Spec& spec, const Value& value) {
  throw Fault(std::string("Unknown format code '") + spec.type + "' for object of type '" +
              type_name(value) + "'");
}

std::string format_text(const Value& value, const Spec& spec) {
  if (spec.type != '\0' && spec.type != 's') fail_type(spec, value);
  if (spec.align == '=') throw Fault("'=' alignment not allowed in string format specifier");
  if (spec.number.sign != '-' || spec.number.separator || spec.number.alternate) {
    throw Fault("a sign, '#' or separator is not allowed in a string format specifier");
  }
  std::string text = to_str(value);
  if (spec.number.precision >= 0) {
    text = code_point_range(text, 0, static_cast<std::size_t>(spec.number.precision));
  }
  return align_text(text, spec, '<');
}

// The number in `spec`, its sign in front of zeros used as fill.
std::string align_number(const Spec& spec, NumberFormat format, bool is_integer, const Value& value,
                         const std::string& suffix) {
  if (spec.align == '=' && spec.fill == "0") {
    format.zero_pad = true;
    format.width = spec.width - static_cast<std::int64_t>(suffix.size());
  }
  std::string text = is_integer
                         ? format_integer(value.as_integer(), format)
                         : format_double(value.as_double() * (suffix.empty() ? 1 : 100), format);
  text += suffix;
  if (spec.align == '=' && spec.fill != "0") {
    const bool has_sign = text.starts_with('-') || text.starts_with('+') || text.starts_with(' ');
    const std::string sign = has_sign ? text.substr(0, 1) : "";
    return sign + pad(text.substr(sign.size()), spec.width - static_cast<std::int64_t>(sign.size()),
                      Align::kRight, spec.fill);
  }
  return align_text(text, spec, '>');
}

std::string format_number(const Value& value, const Spec& spec) {
  NumberFormat format = spec.number;
  const std::string_view integer_types = "dxXob";
  const std::string_view float_types = "fFeEgG";
  format.type = spec.type;
  if (value.is_integral() && (spec.type == '\0' || spec.type == 'n')) format.type = 'd';
  if (value.is_integral() && integer_types.find(format.type) != std::string_view::npos) {
    if (format.precision >= 0) throw Fault("Precision not allowed in integer format specifier");
    return align_number(spec, format, true, value, "");
  }
  if (value.is_integral() && spec.type == 'c') {
    if (value.as_integer() < 0 || value.as_integer() > 0x10FFFF) {
      throw Fault("%c arg not in range(0x110000)");
    }
    std::string character;
    append_code_point(character, static_cast<char32_t>(value.as_integer()));
    return align_text(character, spec, '<');
  }
  if (spec.type == '%') {
    format.type = 'f';
    return align_number(spec, format, false, value, "%");
  }
  if (float_types.find(format.type) != std::string_view::npos && format.type != '\0') {
    return align_number(spec, format, false, value, "");
  }
  if (spec.type == '\0' && value.is(Kind::kFloat)) {
    if (format.precision >= 0 || format.separator || format.sign != '-') {
      throw Fault("a format of a float with neither type nor plain width is not supported");
    }
    return align_text(to_str(value), spec, '>');
  }
  fail_type(spec, value);
}

}  // namespace

std::string format_value(const Value& value, std::string_view spec_text) {
  if (spec_text.empty()) return to_str(value);
  const Spec spec = SpecParser(spec_text).parse();
  if (value.is_string()) return format_text(value, spec);
  if (value.is(Kind::kBool) && spec.type == '\0')
    return format_number(Value::integer(value.as_integer()), spec);
  if (value.is_number()) return format_number(value, spec);
  throw Fault("unsupported format string passed to " + type_name(value) + ".__format__");
}

}  // namespace galley::chat
