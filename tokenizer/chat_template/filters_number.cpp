// Filters that give numbers.
#include <charconv>
#include <cmath>
#include <cstdlib>

#include "tokenizer/chat_template/arguments.h"
#include "tokenizer/chat_template/attribute_path.h"
#include "tokenizer/chat_template/fault.h"
#include "tokenizer/chat_template/filters.h"
#include "tokenizer/chat_template/format_number.h"
#include "tokenizer/chat_template/operators.h"
#include "tokenizer/chat_template/text.h"

namespace galley::chat {
namespace {

// A number as Python reads it from text: without white space around it and underscores between
// its digits, digits of all scripts as ASCII. Nothing if an underscore stands elsewhere.
std::optional<std::string> plain_number(std::string_view raw) {
  const std::u32string text = decode(strip(raw, Side::kBoth, nullptr));
  const auto is_digit_at = [&](std::size_t at) {
    return at < text.size() && (is_alphabetic(text[at]) || is_decimal(text[at]));
  };
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (is_decimal(text[i])) {
      out += static_cast<char>('0' + decimal_value(text[i]));
    } else if (text[i] != '_') {
      append_code_point(out, text[i]);
    } else if (i == 0 || !is_digit_at(i - 1) || !is_digit_at(i + 1)) {
      return std::nullopt;
    }
  }
  return out;
}

// int(text, base), or nothing if it is no integer.
std::optional<std::int64_t> parse_integer(std::string_view raw, std::int64_t base) {
  const std::optional<std::string> cleaned = plain_number(raw);
  if (!cleaned) return std::nullopt;
  std::string_view text = *cleaned;
  const bool is_negative = text.starts_with('-');
  if (is_negative || text.starts_with('+')) text.remove_prefix(1);
  if (text.size() > 2 && text[0] == '0') {
    const char prefix = static_cast<char>(text[1] | 0x20);
    const int of_prefix = prefix == 'x' ? 16 : prefix == 'o' ? 8 : prefix == 'b' ? 2 : 0;
    if (of_prefix != 0 && (base == of_prefix || base == 0)) {
      base = of_prefix;
      text.remove_prefix(2);
    }
  }
  if (base == 0) {
    if (text.size() > 1 && text[0] == '0' && text.find_first_not_of('0') != std::string_view::npos)
      return std::nullopt;
    base = 10;
  }
  if (base < 2 || base > 36) throw Fault("int() base must be >= 2 and <= 36, or 0");
  std::uint64_t magnitude = 0;
  const auto result =
      std::from_chars(text.data(), text.data() + text.size(), magnitude, static_cast<int>(base));
  if (text.empty() || result.ptr != text.data() + text.size()) return std::nullopt;
  const auto limit = static_cast<std::uint64_t>(INT64_MAX) + (is_negative ? 1 : 0);
  if (result.ec != std::errc() || magnitude > limit) {
    throw Fault("the number '" + std::string(raw) + "' does not fit in an integer of 64 bits");
  }
  return static_cast<std::int64_t>(is_negative ? 0 - magnitude : magnitude);
}

// float(text), or nothing if it is no number.
std::optional<double> parse_double(std::string_view raw) {
  const std::optional<std::string> cleaned = plain_number(raw);
  if (!cleaned) return std::nullopt;
  std::string_view text = *cleaned;
  const bool is_negative = text.starts_with('-');
  if (is_negative || text.starts_with('+')) text.remove_prefix(1);
  const std::string lower = to_lower(text);
  double value = 0;
  if (lower == "inf" || lower == "infinity") {
    value = HUGE_VAL;
  } else if (lower == "nan") {
    value = NAN;
  } else {
    // from_chars would also take "1." and ".5", as Python does, but not "+1".
    if (text.empty() || text.find_first_not_of("0123456789.eE+-") != std::string_view::npos) {
      return std::nullopt;
    }
    const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
    if (result.ptr != text.data() + text.size() || result.ec == std::errc::invalid_argument) {
      return std::nullopt;
    }
    if (result.ec == std::errc::result_out_of_range) value = std::strtod(lower.c_str(), nullptr);
  }
  return is_negative ? -value : value;
}

std::optional<std::int64_t> truncated(double value) {
  if (!(std::abs(value) < 9.2e18)) {
    if (std::isfinite(value)) throw Fault("the number does not fit in an integer of 64 bits");
    return std::nullopt;
  }
  return static_cast<std::int64_t>(value);
}

Value to_int(const Value& value, const Arguments& arguments) {
  const Parameters p("int", arguments, {"default", "base"});
  const Value otherwise = p.value(0, Value::integer(0));
  std::optional<std::int64_t> result;
  if (value.is_undefined()) throw Fault(value.why_undefined());
  if (value.is_string()) {
    result = parse_integer(value.as_string(), p.integer(1, 10));
    if (!result) {  // so that "42.23" gives 42
      if (const std::optional<double> d = parse_double(value.as_string())) result = truncated(*d);
    }
  } else if (value.is_integral()) {
    result = value.as_integer();
  } else if (value.is(Kind::kFloat)) {
    if (std::isinf(value.as_double())) throw Fault("cannot convert float infinity to integer");
    result = truncated(value.as_double());
  }
  return result ? Value::integer(*result) : otherwise;
}

Value to_float(const Value& value, const Arguments& arguments) {
  const Parameters p("float", arguments, {"default"});
  if (value.is_undefined()) throw Fault(value.why_undefined());
  if (value.is_number()) return Value::number(value.as_double());
  if (value.is_string()) {
    if (const auto d = parse_double(value.as_string())) return Value::number(*d);
  }
  return p.value(0, Value::number(0.0));
}

Value absolute(const Value& value, const Arguments& arguments) {
  check_no_arguments("the filter abs", arguments);
  if (value.is_undefined()) throw Fault(value.why_undefined());
  if (!value.is_number()) throw Fault("bad operand type for abs(): '" + type_name(value) + "'");
  if (value.is(Kind::kFloat)) return Value::number(std::abs(value.as_double()));
  return value.as_integer() < 0 ? negate(value) : unary_plus(value);
}

// Half to even, at a digit before the decimal point.
Value round_integer(std::int64_t value, std::int64_t precision) {
  if (precision >= 0) return Value::integer(value);
  if (precision < -18) return Value::integer(0);
  std::int64_t unit = 1;
  for (std::int64_t i = 0; i < -precision; ++i) unit *= 10;
  std::int64_t rest = value % unit;
  std::int64_t down = value - rest;
  if (rest < 0) {
    rest += unit;
    if (__builtin_sub_overflow(down, unit, &down)) throw Fault("round: the number is too large");
  }
  const bool up = rest > unit - rest || (rest == unit - rest && down / unit % 2 != 0);
  if (up && __builtin_add_overflow(down, unit, &down))
    throw Fault("round: the number is too large");
  return Value::integer(down);
}

// As Python's round: to the nearest decimal, judged by the exact binary value.
double round_double(double value, std::int64_t precision) {
  if (!std::isfinite(value) || precision > 323) return value;
  if (precision < -308) return std::copysign(0.0, value);
  if (precision < 0) {
    const double unit = std::pow(10.0, static_cast<double>(-precision));
    return std::nearbyint(value / unit) * unit;
  }
  NumberFormat format;
  format.type = 'f';
  format.precision = precision;
  return std::strtod(format_double(value, format).c_str(), nullptr);
}

Value round_number(const Value& value, const Arguments& arguments) {
  const Parameters p("round", arguments, {"precision", "method"});
  const std::int64_t precision = p.integer(0, 0);
  const std::string method = p.text(1, "common");
  if (value.is_undefined()) throw Fault(value.why_undefined());
  if (!value.is_number())
    throw Fault("type " + type_name(value) + " doesn't define __round__ method");
  if (method == "common") {
    if (value.is_integral()) return round_integer(value.as_integer(), precision);
    return Value::number(round_double(value.as_double(), precision));
  }
  if (method != "ceil" && method != "floor") throw Fault("method must be common, ceil or floor");
  const double scale = std::pow(10.0, static_cast<double>(precision));
  const double scaled = value.as_double() * scale;
  return Value::number((method == "ceil" ? std::ceil(scaled) : std::floor(scaled)) / scale);
}

Value sum(const Value& value, const Arguments& arguments) {
  const Parameters p("sum", arguments, {"attribute", "start"});
  const AttributePath attribute(p.value(0, Value::none()));
  Value total = p.value(1, Value::integer(0));
  if (total.is_string()) throw Fault("sum() can't sum strings [use ''.join(seq) instead]");
  const Next next = iterate(value);
  while (const std::optional<Value> item = next()) {
    total = arithmetic(BinaryOp::kAdd, total, attribute.get(*item));
  }
  return total;
}

constexpr FilterRow kFilters[] = {
    {"abs", absolute}, {"float", to_float}, {"int", to_int}, {"round", round_number}, {"sum", sum}};

}  // namespace

FilterFunction find_number_filter(std::string_view name) { return find_in_table(kFilters, name); }

}  // namespace galley::chat
