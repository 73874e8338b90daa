#include "tokenizer/chat_template/tests.h"

#include <algorithm>
#include <iterator>

#include "tokenizer/chat_template/arguments.h"
#include "tokenizer/chat_template/fault.h"
#include "tokenizer/chat_template/filters.h"
#include "tokenizer/chat_template/operators.h"
#include "tokenizer/chat_template/python_text.h"
#include "tokenizer/chat_template/text.h"

namespace galley::chat {
namespace {

template <bool (*holds)(const Value&)>
bool simple(const Value& value, const Arguments& arguments) {
  check_no_arguments("the test", arguments);
  return holds(value);
}

template <CompareOp op>
bool compares(const Value& value, const Arguments& arguments) {
  const Parameters p("a comparison", arguments, {"/other"}, 1);
  return compare(op, value, p.required(0));
}

std::int64_t remainder(const Value& value, const Value& divisor) {
  const Value result = arithmetic(BinaryOp::kModulo, value, divisor);
  return result.is_number() && result.as_double() == 0   ? 0
         : result.is_number() && result.as_double() == 1 ? 1
                                                         : 2;
}

bool is_odd(const Value& v) { return remainder(v, Value::integer(2)) == 1; }
bool is_even(const Value& v) { return remainder(v, Value::integer(2)) == 0; }

bool is_divisible(const Value& value, const Arguments& arguments) {
  const Parameters p("divisibleby", arguments, {"num"}, 1);
  return remainder(value, p.required(0)) == 0;
}

bool is_same(const Value& value, const Arguments& arguments) {
  const Parameters p("sameas", arguments, {"other"}, 1);
  return value.same_as(p.required(0));
}

bool is_in(const Value& value, const Arguments& arguments) {
  const Parameters p("in", arguments, {"seq"}, 1);
  return contains(p.required(0), value);
}

bool is_defined(const Value& v) { return !v.is_undefined(); }
bool is_undefined(const Value& v) { return v.is_undefined(); }
bool is_none(const Value& v) { return v.is_none(); }
bool is_boolean(const Value& v) { return v.is(Kind::kBool); }
bool is_true_constant(const Value& v) { return v.is(Kind::kBool) && v.as_bool(); }
bool is_false_constant(const Value& v) { return v.is(Kind::kBool) && !v.as_bool(); }
bool is_integer(const Value& v) { return v.is(Kind::kInt); }
bool is_float(const Value& v) { return v.is(Kind::kFloat); }
bool is_number(const Value& v) { return v.is_number(); }
bool is_string(const Value& v) { return v.is_string(); }
bool is_mapping(const Value& v) { return v.is(Kind::kDict); }

bool is_sequence(const Value& v) {
  if (v.is(Kind::kObject)) return v.as_object()->is_sequence();
  return v.is_undefined() || v.is_string() || v.is_sequence() || v.is(Kind::kDict);
}

bool is_callable(const Value& v) {
  // Undefined has a __call__ that raises.
  return v.is_undefined() || (v.is(Kind::kObject) && v.as_object()->is_callable());
}

bool is_escaped(const Value& v) { return v.is_string() && v.text().is_markup; }

template <bool upper>
bool has_case(const Value& value) {
  bool found = false;
  for (char32_t c : decode(to_str(value))) {
    if (is_title(c) || (upper ? chat::is_lower(c) : chat::is_upper(c))) return false;
    found = found || (upper ? chat::is_upper(c) : chat::is_lower(c));
  }
  return found;
}

bool names_filter(const Value& v) { return v.is_string() && find_filter(v.as_string()) != nullptr; }
bool names_test(const Value& v) { return v.is_string() && find_test(v.as_string()) != nullptr; }

struct Row {
  std::string_view name;
  TestFunction function;
};

constexpr Row kTests[] = {{"!=", compares<CompareOp::kNotEqual>},
                          {"<", compares<CompareOp::kLess>},
                          {"<=", compares<CompareOp::kLessEqual>},
                          {"==", compares<CompareOp::kEqual>},
                          {">", compares<CompareOp::kGreater>},
                          {">=", compares<CompareOp::kGreaterEqual>},
                          {"boolean", simple<is_boolean>},
                          {"callable", simple<is_callable>},
                          {"defined", simple<is_defined>},
                          {"divisibleby", is_divisible},
                          {"eq", compares<CompareOp::kEqual>},
                          {"equalto", compares<CompareOp::kEqual>},
                          {"escaped", simple<is_escaped>},
                          {"even", simple<is_even>},
                          {"false", simple<is_false_constant>},
                          {"filter", simple<names_filter>},
                          {"float", simple<is_float>},
                          {"ge", compares<CompareOp::kGreaterEqual>},
                          {"greaterthan", compares<CompareOp::kGreater>},
                          {"gt", compares<CompareOp::kGreater>},
                          {"in", is_in},
                          {"integer", simple<is_integer>},
                          {"iterable", simple<is_iterable>},
                          {"le", compares<CompareOp::kLessEqual>},
                          {"lessthan", compares<CompareOp::kLess>},
                          {"lower", simple<has_case<false>>},
                          {"lt", compares<CompareOp::kLess>},
                          {"mapping", simple<is_mapping>},
                          {"ne", compares<CompareOp::kNotEqual>},
                          {"none", simple<is_none>},
                          {"number", simple<is_number>},
                          {"odd", simple<is_odd>},
                          {"sameas", is_same},
                          {"sequence", simple<is_sequence>},
                          {"string", simple<is_string>},
                          {"test", simple<names_test>},
                          {"true", simple<is_true_constant>},
                          {"undefined", simple<is_undefined>},
                          {"upper", simple<has_case<true>>}};

}  // namespace

TestFunction find_test(std::string_view name) {
  const Row* row = std::find_if(std::begin(kTests), std::end(kTests),
                                [&](const Row& r) { return r.name == name; });
  return row == std::end(kTests) ? nullptr : row->function;
}

}  // namespace galley::chat
