#include "tokenizer/chat_template/methods.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <iterator>

#include "tokenizer/chat_template/arguments.h"
#include "tokenizer/chat_template/fault.h"
#include "tokenizer/chat_template/objects.h"
#include "tokenizer/chat_template/operators.h"
#include "tokenizer/chat_template/python_text.h"

namespace galley::chat {
namespace {

// ---- lists and tuples ----

Value sequence_count(const Value& self, const Arguments& arguments) {
  const Parameters p("count", arguments, {"/value"}, 1);
  return Value::integer(std::count_if(self.items().begin(), self.items().end(),
                                      [&](const Value& v) { return equals(v, p.required(0)); }));
}

Value sequence_index(const Value& self, const Arguments& arguments) {
  const Parameters p("index", arguments, {"/value", "/start", "/stop"}, 1);
  const auto n = static_cast<std::int64_t>(self.items().size());
  const auto clamp = [n](std::int64_t i) {
    return std::clamp<std::int64_t>(i < 0 ? i + n : i, 0, n);
  };
  const std::int64_t stop = clamp(p.integer(2, n));
  for (std::int64_t i = clamp(p.integer(1, 0)); i < stop; ++i) {
    if (equals(self.items()[static_cast<std::size_t>(i)], p.required(0))) return Value::integer(i);
  }
  throw Fault(self.is(Kind::kTuple) ? "tuple.index(x): x not in tuple"
                                    : to_repr(p.required(0)) + " is not in list");
}

Value list_copy(const Value& self, const Arguments& arguments) {
  check_no_arguments("the method copy", arguments);
  return Value::list(self.items());
}

// ---- dicts ----

Value dict_get(const Value& self, const Arguments& arguments) {
  const Parameters p("get", arguments, {"/key", "/default"}, 1);
  const Value* value = self.as_dict().find(p.required(0));
  return value ? *value : p.value(1, Value::none());
}

template <DictView::Of of>
Value dict_view(const Value& self, const Arguments& arguments) {
  check_no_arguments("the method", arguments);
  return Value::object(std::make_shared<DictView>(self, of));
}

Value dict_copy(const Value& self, const Arguments& arguments) {
  check_no_arguments("the method copy", arguments);
  return self;  // nothing can change either of the two
}

// ---- numbers ----

Value integer_bit_length(const Value& self, const Arguments& arguments) {
  check_no_arguments("the method bit_length", arguments);
  const auto value = static_cast<std::uint64_t>(self.as_integer());
  return Value::integer(
      static_cast<std::int64_t>(std::bit_width(self.as_integer() < 0 ? 0 - value : value)));
}

Value integer_bit_count(const Value& self, const Arguments& arguments) {
  check_no_arguments("the method bit_count", arguments);
  const auto value = static_cast<std::uint64_t>(self.as_integer());
  return Value::integer(std::popcount(self.as_integer() < 0 ? 0 - value : value));
}

Value float_is_integer(const Value& self, const Arguments& arguments) {
  check_no_arguments("the method is_integer", arguments);
  const double d = self.as_double();
  return Value::boolean(std::isfinite(d) && d == std::trunc(d));
}

Value conjugate(const Value& self, const Arguments& arguments) {
  check_no_arguments("the method conjugate", arguments);
  return unary_plus(self);
}

struct Row {
  std::string_view name;
  Method method;
};
constexpr Method kUnsupported{};
constexpr Method kChangesValue{nullptr, true};

constexpr Row kListMethods[] = {
    {"append", kChangesValue},   {"clear", kChangesValue},  {"copy", {list_copy}},
    {"count", {sequence_count}}, {"extend", kChangesValue}, {"index", {sequence_index}},
    {"insert", kChangesValue},   {"pop", kChangesValue},    {"remove", kChangesValue},
    {"reverse", kChangesValue},  {"sort", kChangesValue}};
constexpr Row kTupleMethods[] = {{"count", {sequence_count}}, {"index", {sequence_index}}};
constexpr Row kDictMethods[] = {{"clear", kChangesValue},
                                {"copy", {dict_copy}},
                                {"fromkeys", kUnsupported},
                                {"get", {dict_get}},
                                {"items", {dict_view<DictView::Of::kItems>}},
                                {"keys", {dict_view<DictView::Of::kKeys>}},
                                {"pop", kChangesValue},
                                {"popitem", kChangesValue},
                                {"setdefault", kChangesValue},
                                {"update", kChangesValue},
                                {"values", {dict_view<DictView::Of::kValues>}}};
constexpr Row kIntegerMethods[] = {
    {"as_integer_ratio", kUnsupported},   {"bit_count", {integer_bit_count}},
    {"bit_length", {integer_bit_length}}, {"conjugate", {conjugate}},
    {"from_bytes", kUnsupported},         {"to_bytes", kUnsupported}};
constexpr Row kFloatMethods[] = {{"as_integer_ratio", kUnsupported},
                                 {"conjugate", {conjugate}},
                                 {"fromhex", kUnsupported},
                                 {"hex", kUnsupported},
                                 {"is_integer", {float_is_integer}}};

template <std::size_t n>
std::optional<Method> find_in(const Row (&table)[n], std::string_view name) {
  const Row* row = std::find_if(std::begin(table), std::end(table),
                                [&](const Row& r) { return r.name == name; });
  return row == std::end(table) ? std::nullopt : std::optional<Method>(row->method);
}

}  // namespace

std::optional<Method> find_method(const Value& self, std::string_view name) {
  switch (self.kind()) {
    case Kind::kString:
      return find_string_method(name);
    case Kind::kList:
      return find_in(kListMethods, name);
    case Kind::kTuple:
      return find_in(kTupleMethods, name);
    case Kind::kDict:
      return find_in(kDictMethods, name);
    case Kind::kBool:
    case Kind::kInt:
      return find_in(kIntegerMethods, name);
    case Kind::kFloat:
      return find_in(kFloatMethods, name);
    default:
      return std::nullopt;
  }
}

}  // namespace galley::chat
