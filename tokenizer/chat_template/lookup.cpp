#include "tokenizer/chat_template/lookup.h"

#include <algorithm>
#include <iterator>

#include "tokenizer/chat_template/fault.h"
#include "tokenizer/chat_template/methods.h"
#include "tokenizer/chat_template/objects.h"
#include "tokenizer/chat_template/operators.h"
#include "tokenizer/chat_template/python_text.h"
#include "tokenizer/chat_template/text.h"

namespace galley::chat {
namespace {

std::string describe_object(const Value& object) {
  if (object.is_none()) return "None";
  if (object.is(Kind::kObject)) return object.as_object()->qualified_name() + " object";
  return type_name(object) + " object";
}

// What Transformers' sandbox hides: everything private, and methods that change a value.
Value unsafe_attribute(const Value& object, std::string_view name) {
  return Value::undefined("access to attribute " + repr_of_string(name) + " of '" +
                          type_name(object) + "' object is unsafe.");
}

std::optional<Value> number_attribute(const Value& number, std::string_view name) {
  if (name == "real" || name == "numerator") {
    if (name == "numerator" && !number.is_integral()) return std::nullopt;
    return unary_plus(number);
  }
  if (name == "imag") {
    return number.is_integral() ? Value::integer(0) : Value::number(0.0);
  }
  if (name == "denominator" && number.is_integral()) return Value::integer(1);
  return std::nullopt;
}

std::optional<Value> find_attribute(const Value& object, std::string_view name) {
  if (object.is_undefined()) throw Fault(object.why_undefined());
  if (name.starts_with("__")) return unsafe_attribute(object, name);
  if (const std::optional<Method> method = find_method(object, name)) {
    if (method->changes_value) return unsafe_attribute(object, name);
    if (!method->body) {
      throw Fault("the method " + type_name(object) + "." + std::string(name) +
                  " is not supported");
    }
    return Function::make(
        std::string(name),
        [object, body = method->body](const Arguments& arguments) {
          return body(object, arguments);
        },
        object.depth() + 1);
  }
  if (object.is_number()) return number_attribute(object, name);
  if (object.is(Kind::kObject)) return object.as_object()->attribute(name);
  if (object.is(Kind::kTuple) && object.sequence().is_group) {
    if (name == "grouper") return object.items()[0];
    if (name == "list") return object.items()[1];
  }
  return std::nullopt;
}

// The item at an index that may be negative, or nothing.
std::optional<Value> item_at(const Value& object, std::int64_t index) {
  const std::optional<std::size_t> length = length_of(object);
  if (!length) return std::nullopt;
  const auto n = static_cast<std::int64_t>(*length);
  if (index < 0) index += n;
  if (index < 0 || index >= n) return std::nullopt;
  const auto i = static_cast<std::size_t>(index);
  if (object.is_string()) {
    spend_bytes(object.as_string().size());
    return Value::string(std::string(code_point_range(object.as_string(), i, 1)),
                         object.text().is_markup);
  }
  if (object.is_sequence()) return object.items()[i];
  return object.is(Kind::kObject) ? object.as_object()->item(i) : std::nullopt;
}

std::optional<Value> find_item(const Value& object, const Value& key) {
  if (object.is_undefined()) throw Fault(object.why_undefined());
  if (object.is(Kind::kDict)) {
    if (key.is(Kind::kList) || key.is(Kind::kDict)) return std::nullopt;
    const Value* value = object.as_dict().find(key);
    return value ? std::optional<Value>(*value) : std::nullopt;
  }
  return key.is_integral() ? item_at(object, key.as_integer()) : std::nullopt;
}

}  // namespace

Value undefined_attribute(const Value& object, std::string_view name) {
  return Value::undefined(repr_of_string(describe_object(object)) + " has no attribute " +
                          repr_of_string(name));
}

Value get_attribute(const Value& object, std::string_view name) {
  if (std::optional<Value> attribute = find_attribute(object, name)) return *attribute;
  if (object.is(Kind::kDict)) {
    if (const Value* value = object.as_dict().find(name)) return *value;
  }
  return undefined_attribute(object, name);
}

Value get_item(const Value& object, const Value& key) {
  if (std::optional<Value> item = find_item(object, key)) return *item;
  if (!key.is_string()) {
    return Value::undefined(describe_object(object) + " has no element " + to_repr(key));
  }
  if (std::optional<Value> attribute = find_attribute(object, key.as_string())) {
    return *attribute;
  }
  return undefined_attribute(object, key.as_string());
}

Value get_attribute_only(const Value& object, std::string_view name) {
  if (std::optional<Value> attribute = find_attribute(object, name)) return *attribute;
  return undefined_attribute(object, name);
}

}  // namespace galley::chat
