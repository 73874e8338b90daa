#include "tokenizer/chat_template/operators.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "tokenizer/chat_template/escape.h"
#include "tokenizer/chat_template/fault.h"
#include "tokenizer/chat_template/format.h"
#include "tokenizer/chat_template/objects.h"
#include "tokenizer/chat_template/text.h"

namespace galley::chat {
namespace {

std::string symbol(BinaryOp op) {
  switch (op) {
    case BinaryOp::kAdd:
      return "+";
    case BinaryOp::kSubtract:
      return "-";
    case BinaryOp::kMultiply:
      return "*";
    case BinaryOp::kDivide:
      return "/";
    case BinaryOp::kFloorDivide:
      return "//";
    case BinaryOp::kModulo:
      return "%";
    case BinaryOp::kPower:
      return "** or pow()";
  }
  return "?";
}

[[noreturn]] void fail_overflow() {
  throw Fault("the result does not fit in an integer of 64 bits");
}

[[noreturn]] void fail_operands(BinaryOp op, const Value& a, const Value& b) {
  throw Fault("unsupported operand type(s) for " + symbol(op) + ": '" + type_name(a) + "' and '" +
              type_name(b) + "'");
}

std::int64_t power(std::int64_t base, std::int64_t exponent) {
  std::int64_t result = 1;
  while (exponent > 0) {
    if (exponent % 2 != 0 && __builtin_mul_overflow(result, base, &result)) fail_overflow();
    exponent /= 2;
    if (exponent > 0 && __builtin_mul_overflow(base, base, &base)) fail_overflow();
  }
  return result;
}

// Rounds towards minus infinity. REQUIRES: b != 0.
std::int64_t floor_divide(std::int64_t a, std::int64_t b) {
  if (a == std::numeric_limits<std::int64_t>::min() && b == -1) fail_overflow();
  const std::int64_t quotient = a / b;
  return a % b != 0 && (a < 0) != (b < 0) ? quotient - 1 : quotient;
}

// Has the sign of b. REQUIRES: b != 0.
std::int64_t modulo(std::int64_t a, std::int64_t b) {
  if (b == -1) return 0;
  const std::int64_t remainder = a % b;
  return remainder != 0 && (remainder < 0) != (b < 0) ? remainder + b : remainder;
}

Value integer_arithmetic(BinaryOp op, std::int64_t a, std::int64_t b) {
  std::int64_t result = 0;
  switch (op) {
    case BinaryOp::kAdd:
      if (__builtin_add_overflow(a, b, &result)) fail_overflow();
      return Value::integer(result);
    case BinaryOp::kSubtract:
      if (__builtin_sub_overflow(a, b, &result)) fail_overflow();
      return Value::integer(result);
    case BinaryOp::kMultiply:
      if (__builtin_mul_overflow(a, b, &result)) fail_overflow();
      return Value::integer(result);
    case BinaryOp::kDivide:
      if (b == 0) throw Fault("division by zero");
      return Value::number(static_cast<double>(a) / static_cast<double>(b));
    case BinaryOp::kFloorDivide:
      if (b == 0) throw Fault("integer division or modulo by zero");
      return Value::integer(floor_divide(a, b));
    case BinaryOp::kModulo:
      if (b == 0) throw Fault("integer modulo by zero");
      return Value::integer(modulo(a, b));
    case BinaryOp::kPower:
      if (b >= 0) return Value::integer(power(a, b));
      if (a == 0) throw Fault("0.0 cannot be raised to a negative power");
      return Value::number(std::pow(static_cast<double>(a), static_cast<double>(b)));
  }
  return Value();
}

double float_modulo(double a, double b) {
  const double remainder = std::fmod(a, b);
  if (remainder == 0) return std::copysign(0.0, b);
  return (remainder < 0) != (b < 0) ? remainder + b : remainder;
}

Value float_arithmetic(BinaryOp op, double a, double b) {
  switch (op) {
    case BinaryOp::kAdd:
      return Value::number(a + b);
    case BinaryOp::kSubtract:
      return Value::number(a - b);
    case BinaryOp::kMultiply:
      return Value::number(a * b);
    case BinaryOp::kDivide:
      if (b == 0) throw Fault("float division by zero");
      return Value::number(a / b);
    case BinaryOp::kFloorDivide: {
      if (b == 0) throw Fault("float floor division by zero");
      const double quotient = (a - float_modulo(a, b)) / b;
      // The division is exact up to rounding; the nearest integer is meant.
      return Value::number(quotient == 0 ? std::copysign(0.0, a / b) : std::round(quotient));
    }
    case BinaryOp::kModulo:
      if (b == 0) throw Fault("float modulo");
      return Value::number(float_modulo(a, b));
    case BinaryOp::kPower: {
      if (a == 0 && b < 0) throw Fault("0.0 cannot be raised to a negative power");
      if (a < 0 && std::isfinite(a) && std::isfinite(b) && b != std::trunc(b)) {
        throw Fault(
            "a negative number to a fractional power is a complex number, which is not "
            "supported");
      }
      const double result = std::pow(a, b);
      if (std::isinf(result) && std::isfinite(a) && std::isfinite(b)) {
        throw Fault("numerical result out of range");
      }
      return Value::number(result);
    }
  }
  return Value();
}

Value add_strings(const Value& a, const Value& b) {
  const bool is_markup = a.text().is_markup || b.text().is_markup;
  const auto part = [&](const Value& v) {
    return is_markup && !v.text().is_markup ? escape_html(v.as_string()) : v.as_string();
  };
  if (!is_markup) {
    check_text_size(a.as_string().size() + b.as_string().size());
    return Value::string(a.as_string() + b.as_string());
  }
  return Value::string(part(a) + part(b), true);
}

Value add_sequences(const Value& a, const Value& b) {
  Values items;
  items.reserve(a.items().size() + b.items().size());
  items.insert(items.end(), a.items().begin(), a.items().end());
  items.insert(items.end(), b.items().begin(), b.items().end());
  return a.is(Kind::kTuple) ? Value::tuple(std::move(items)) : Value::list(std::move(items));
}

Value add(const Value& a, const Value& b) {
  if (a.is_string() && b.is_string()) return add_strings(a, b);
  if (a.is_sequence() && a.kind() == b.kind()) return add_sequences(a, b);
  if (a.is_string() || a.is_sequence()) {
    throw Fault("can only concatenate " + type_name(a) + " (not \"" + type_name(b) + "\") to " +
                type_name(a));
  }
  fail_operands(BinaryOp::kAdd, a, b);
}

Value repeat(const Value& value, std::int64_t count) {
  const auto n = static_cast<std::size_t>(std::max<std::int64_t>(count, 0));
  const std::size_t size =
      value.is_string() ? value.as_string().size() : value.items().size() * sizeof(Value);
  if (size != 0 && n > kMaxTextBytes / size) check_text_size(kMaxTextBytes + 1);
  if (value.is_string()) {
    std::string text;
    text.reserve(size * n);
    for (std::size_t i = 0; i < n && size != 0; ++i) text += value.as_string();
    return Value::string(std::move(text), value.text().is_markup);
  }
  Values items;
  items.reserve(value.items().size() * n);
  for (std::size_t i = 0; i < n && size != 0; ++i) {
    items.insert(items.end(), value.items().begin(), value.items().end());
  }
  return value.is(Kind::kTuple) ? Value::tuple(std::move(items)) : Value::list(std::move(items));
}

Value multiply(const Value& a, const Value& b) {
  const bool a_repeats = a.is_string() || a.is_sequence();
  const bool b_repeats = b.is_string() || b.is_sequence();
  if (a_repeats && b.is_integral()) return repeat(a, b.as_integer());
  if (b_repeats && a.is_integral()) return repeat(b, a.as_integer());
  if (a_repeats || b_repeats) {
    throw Fault("can't multiply sequence by non-int of type '" + type_name(a_repeats ? b : a) +
                "'");
  }
  fail_operands(BinaryOp::kMultiply, a, b);
}

// Negative, zero or positive. REQUIRES: both are numbers and neither is NaN.
int order_numbers(const Value& a, const Value& b) {
  // A long double holds every int64 and every double exactly on the platforms of Galley.
  const auto wide = [](const Value& v) {
    return v.is_integral() ? static_cast<long double>(v.as_integer())
                           : static_cast<long double>(v.as_double());
  };
  const long double x = wide(a);
  const long double y = wide(b);
  return x < y ? -1 : x > y ? 1 : 0;
}

bool is_nan(const Value& v) { return v.is(Kind::kFloat) && std::isnan(v.as_double()); }

bool equal_dicts(const Dict& a, const Dict& b) {
  if (a.size() != b.size()) return false;
  return std::all_of(a.entries().begin(), a.entries().end(), [&](const Dict::Entry& entry) {
    const Value* other = b.find(entry.first);
    return other && equals(entry.second, *other);
  });
}

bool ordered(CompareOp op, const Value& a, const Value& b);

// The first items that differ decide, else the lengths.
bool ordered_sequences(CompareOp op, const Values& a, const Values& b) {
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    if (!equals(a[i], b[i])) return ordered(op, a[i], b[i]);
  }
  const auto length = [](const Values& v) {
    return Value::integer(static_cast<std::int64_t>(v.size()));
  };
  return ordered(op, length(a), length(b));
}

bool decide(CompareOp op, int order) {
  switch (op) {
    case CompareOp::kLess:
      return order < 0;
    case CompareOp::kLessEqual:
      return order <= 0;
    case CompareOp::kGreater:
      return order > 0;
    default:
      return order >= 0;
  }
}

bool ordered(CompareOp op, const Value& a, const Value& b) {
  spend_steps(1);
  for (const Value* v : {&a, &b}) {
    if (v->is_undefined()) throw Fault(v->why_undefined());
  }
  if (a.is_number() && b.is_number()) {
    return !is_nan(a) && !is_nan(b) && decide(op, order_numbers(a, b));
  }
  if (a.is_string() && b.is_string()) {
    // The order of UTF-8 bytes is that of code points.
    spend_bytes(std::min(a.as_string().size(), b.as_string().size()));
    return decide(op, a.as_string().compare(b.as_string()));
  }
  if (a.is_sequence() && a.kind() == b.kind()) return ordered_sequences(op, a.items(), b.items());
  constexpr const char* kSymbols[] = {"==", "!=", "<", "<=", ">", ">=", "in", "not in"};
  throw Fault(std::string("'") + kSymbols[static_cast<int>(op)] +
              "' not supported between instances of '" + type_name(a) + "' and '" + type_name(b) +
              "'");
}

}  // namespace

Value arithmetic(BinaryOp op, const Value& a, const Value& b) {
  if (op == BinaryOp::kModulo && a.is_string()) return format_percent(a, b);
  for (const Value* v : {&a, &b}) {
    if (v->is_undefined()) throw Fault(v->why_undefined());
  }
  if (a.is_integral() && b.is_integral()) {
    return integer_arithmetic(op, a.as_integer(), b.as_integer());
  }
  if (a.is_number() && b.is_number()) return float_arithmetic(op, a.as_double(), b.as_double());
  if (op == BinaryOp::kAdd) return add(a, b);
  if (op == BinaryOp::kMultiply) return multiply(a, b);
  fail_operands(op, a, b);
}

Value negate(const Value& value) {
  if (value.is_undefined()) throw Fault(value.why_undefined());
  if (value.is_integral()) {
    return integer_arithmetic(BinaryOp::kSubtract, 0, value.as_integer());
  }
  if (value.is(Kind::kFloat)) return Value::number(-value.as_double());
  throw Fault("bad operand type for unary -: '" + type_name(value) + "'");
}

Value unary_plus(const Value& value) {
  if (value.is_undefined()) throw Fault(value.why_undefined());
  if (value.is_integral()) return Value::integer(value.as_integer());
  if (value.is(Kind::kFloat)) return value;
  throw Fault("bad operand type for unary +: '" + type_name(value) + "'");
}

bool equals(const Value& a, const Value& b) {
  spend_steps(1);
  if (a.is_number() && b.is_number()) {
    return !is_nan(a) && !is_nan(b) && order_numbers(a, b) == 0;
  }
  if (a.kind() != b.kind()) return false;
  switch (a.kind()) {
    case Kind::kUndefined:
    case Kind::kNone:
      return true;
    case Kind::kString:
      spend_bytes(std::min(a.as_string().size(), b.as_string().size()));
      return a.as_string() == b.as_string();
    case Kind::kList:
    case Kind::kTuple:
      return std::equal(a.items().begin(), a.items().end(), b.items().begin(), b.items().end(),
                        equals);
    case Kind::kDict:
      return equal_dicts(a.as_dict(), b.as_dict());
    case Kind::kObject:
      return a.as_object()->is_equal_to(*b.as_object());
    default:
      return a.same_as(b);
  }
}

bool is_less(const Value& a, const Value& b) { return ordered(CompareOp::kLess, a, b); }

bool contains(const Value& container, const Value& item) {
  if (container.is_string()) {
    if (!item.is_string()) {
      throw Fault("'in <string>' requires string as left operand, not " + type_name(item));
    }
    spend_bytes(container.as_string().size());
    return container.as_string().find(item.as_string()) != std::string::npos;
  }
  if (container.is(Kind::kDict)) return container.as_dict().find(item) != nullptr;
  if (!is_iterable(container)) {
    throw Fault("argument of type '" + type_name(container) + "' is not iterable");
  }
  const Next next = iterate(container);
  while (const std::optional<Value> candidate = next()) {
    if (equals(*candidate, item)) return true;
  }
  return false;
}

bool compare(CompareOp op, const Value& a, const Value& b) {
  switch (op) {
    case CompareOp::kEqual:
      return equals(a, b);
    case CompareOp::kNotEqual:
      return !equals(a, b);
    case CompareOp::kIn:
      return contains(b, a);
    case CompareOp::kNotIn:
      return !contains(b, a);
    default:
      return ordered(op, a, b);
  }
}

}  // namespace galley::chat
