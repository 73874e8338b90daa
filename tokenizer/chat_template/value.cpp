#include "tokenizer/chat_template/value.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "tokenizer/chat_template/fault.h"
#include "tokenizer/chat_template/text.h"

namespace galley::chat {
namespace {

void check_depth(int depth) {
  if (depth > kMaxValueDepth) {
    throw Fault("values are nested in one another more than " + std::to_string(kMaxValueDepth) +
                " deep");
  }
}

}  // namespace

// Out of line: inlined everywhere they would only make the program larger.
Value::Value() = default;
Value::Value(const Value&) = default;
Value::Value(Value&&) noexcept = default;
Value& Value::operator=(const Value&) = default;
Value& Value::operator=(Value&&) noexcept = default;
Value::~Value() = default;

Value Value::undefined(std::string why) {
  return Value(Undefined{std::make_shared<const std::string>(std::move(why))});
}

Value Value::string(std::string utf8, bool is_markup) {
  auto text = std::make_shared<Text>();
  text->charge.grow(sizeof(Text) + utf8.size());
  text->bytes = std::move(utf8);
  text->is_markup = is_markup;
  return Value(std::shared_ptr<const Text>(std::move(text)));
}

Value Value::sequence(Values items, bool is_tuple, bool is_group) {
  auto sequence = std::make_shared<Sequence>();
  sequence->charge.grow(sizeof(Sequence) + items.capacity() * sizeof(Value));
  for (const Value& item : items) sequence->depth = std::max(sequence->depth, item.depth() + 1);
  check_depth(sequence->depth);
  sequence->items = std::move(items);
  sequence->is_tuple = is_tuple;
  sequence->is_group = is_group;
  return Value(std::shared_ptr<const Sequence>(std::move(sequence)));
}

Value Value::list(Values items) { return sequence(std::move(items), false, false); }

Value Value::tuple(Values items) { return sequence(std::move(items), true, false); }

Value Value::group(Value grouper, Value list) {
  return sequence({std::move(grouper), std::move(list)}, true, true);
}

Value Value::dict(std::shared_ptr<const Dict> dict) { return Value(std::move(dict)); }

Value Value::object(std::shared_ptr<Object> object) { return Value(std::move(object)); }

Kind Value::kind() const {
  constexpr Kind kKinds[] = {Kind::kUndefined, Kind::kNone, Kind::kBool, Kind::kInt,   Kind::kFloat,
                             Kind::kString,    Kind::kList, Kind::kDict, Kind::kObject};
  if (is_sequence() && sequence().is_tuple) return Kind::kTuple;
  return kKinds[v_.index()];
}

std::string Value::why_undefined() const {
  const auto& why = std::get<Undefined>(v_).why;
  return why ? *why : "a variable is undefined";
}

std::int64_t Value::as_integer() const {
  if (const bool* b = std::get_if<bool>(&v_)) return *b ? 1 : 0;
  return std::get<std::int64_t>(v_);
}

double Value::as_double() const {
  if (const double* d = std::get_if<double>(&v_)) return *d;
  return static_cast<double>(as_integer());
}

int Value::depth() const {
  if (is_sequence()) return sequence().depth;
  if (holds<std::shared_ptr<const Dict>>()) return as_dict().depth();
  if (holds<std::shared_ptr<Object>>()) return as_object()->depth();
  return 0;
}

bool Value::same_as(const Value& other) const {
  if (v_.index() != other.v_.index()) return false;
  switch (kind()) {
    case Kind::kUndefined:
      return std::get<Undefined>(v_).why == std::get<Undefined>(other.v_).why;
    case Kind::kNone:
      return true;
    case Kind::kBool:
      return as_bool() == other.as_bool();
    case Kind::kInt:
      return as_integer() == other.as_integer();
    case Kind::kFloat:
      return as_double() == other.as_double();
    case Kind::kString:
      return as_string() == other.as_string();
    case Kind::kList:
    case Kind::kTuple:
      return &sequence() == &other.sequence();
    case Kind::kDict:
      return &as_dict() == &other.as_dict();
    case Kind::kObject:
      return as_object() == other.as_object();
  }
  return false;
}

namespace {

std::string tagged(char tag, std::string_view text) {
  std::string key(1, tag);
  key.append(text);
  return key;
}

std::string hash_key_of_double(double d) {
  constexpr double kLargest = 9e18;  // whatever is smaller fits in an int64
  if (d == std::trunc(d) && std::abs(d) < kLargest) {
    return tagged('i', std::to_string(static_cast<std::int64_t>(d)));
  }
  char bits[sizeof d];
  std::memcpy(bits, &d, sizeof d);
  return tagged('f', std::string_view(bits, sizeof bits));
}

}  // namespace

std::string hash_key(const Value& value) {
  switch (value.kind()) {
    case Kind::kUndefined:
      return "u";
    case Kind::kNone:
      return "N";
    case Kind::kBool:
    case Kind::kInt:
      return tagged('i', std::to_string(value.as_integer()));
    case Kind::kFloat:
      return hash_key_of_double(value.as_double());
    case Kind::kString:
      return tagged('s', value.as_string());
    case Kind::kTuple: {
      std::string key = "t";
      for (const Value& item : value.items()) {
        const std::string part = hash_key(item);
        check_text_size(key.size() + part.size());
        key.append(std::to_string(part.size())).append(1, ':').append(part);
      }
      return key;
    }
    case Kind::kObject: {
      const auto address = reinterpret_cast<std::uintptr_t>(value.as_object().get());
      return tagged('o', std::to_string(address));
    }
    case Kind::kList:
    case Kind::kDict:
      break;
  }
  throw Fault("unhashable type: '" + type_name(value) + "'");
}

void Dict::set(const Value& key, Value value) {
  const auto [it, is_new] = places_.try_emplace(hash_key(key), entries_.size());
  depth_ = std::max({depth_, key.depth() + 1, value.depth() + 1});
  check_depth(depth_);
  if (!is_new) {
    entries_[it->second].second = std::move(value);
    return;
  }
  constexpr std::size_t kNodeBytes = 64;  // of the hash table, about
  charge_.grow(sizeof(Entry) + kNodeBytes + it->first.size());
  entries_.emplace_back(key, std::move(value));
}

void Dict::set(std::string_view key, Value value) {
  set(Value::string(std::string(key)), std::move(value));
}

const Value* Dict::find(const Value& key) const {
  const auto it = places_.find(hash_key(key));
  return it == places_.end() ? nullptr : &entries_[it->second].second;
}

const Value* Dict::find(std::string_view key) const {
  const auto it = places_.find(tagged('s', key));
  return it == places_.end() ? nullptr : &entries_[it->second].second;
}

Object::Object(int depth) : depth_(depth) {
  check_depth(depth);
  charge_.grow(sizeof(Object) * 2);
}

std::string Object::repr() const {
  throw Fault("cannot print a '" + type_name() +
              "' object (Python would print its address); a list of its items is x | list");
}

std::optional<Value> Object::attribute(std::string_view) { return std::nullopt; }

Value Object::call(const Arguments&) {
  throw Fault("'" + type_name() + "' object is not callable");
}

std::string type_name(const Value& value) {
  switch (value.kind()) {
    case Kind::kUndefined:
      return "Undefined";
    case Kind::kNone:
      return "NoneType";
    case Kind::kBool:
      return "bool";
    case Kind::kInt:
      return "int";
    case Kind::kFloat:
      return "float";
    case Kind::kString:
      return value.text().is_markup ? "Markup" : "str";
    case Kind::kList:
      return "list";
    case Kind::kTuple:
      return value.sequence().is_group ? "_GroupTuple" : "tuple";
    case Kind::kDict:
      return "dict";
    case Kind::kObject:
      return value.as_object()->type_name();
  }
  return "object";
}

bool is_true(const Value& value) {
  switch (value.kind()) {
    case Kind::kUndefined:
    case Kind::kNone:
      return false;
    case Kind::kBool:
      return value.as_bool();
    case Kind::kInt:
      return value.as_integer() != 0;
    case Kind::kFloat:
      return value.as_double() != 0;
    case Kind::kString:
      return !value.as_string().empty();
    case Kind::kList:
    case Kind::kTuple:
      return !value.items().empty();
    case Kind::kDict:
      return value.as_dict().size() != 0;
    case Kind::kObject:
      return value.as_object()->length().value_or(1) != 0;
  }
  return false;
}

std::optional<std::size_t> length_of(const Value& value) {
  switch (value.kind()) {
    case Kind::kUndefined:
      return 0;
    case Kind::kString:
      spend_bytes(value.as_string().size());
      return count_code_points(value.as_string());
    case Kind::kList:
    case Kind::kTuple:
      return value.items().size();
    case Kind::kDict:
      return value.as_dict().size();
    case Kind::kObject:
      return value.as_object()->length();
    default:
      return std::nullopt;
  }
}

namespace {

// Over value's items, which stay alive with it.
template <typename GetItem>
Next iterate_indexed(Value value, std::size_t n, GetItem get_item) {
  return [value = std::move(value), n, get_item, i = std::size_t{0}]() mutable {
    return i < n ? std::optional<Value>(get_item(value, i++)) : std::nullopt;
  };
}

Next iterate_characters(Value value) {
  return [value = std::move(value), at = std::size_t{0}]() mutable -> std::optional<Value> {
    const std::string& text = value.as_string();
    if (at >= text.size()) return std::nullopt;
    const std::size_t n_bytes = decode_at(text, at).n_bytes;
    at += n_bytes;
    return Value::string(text.substr(at - n_bytes, n_bytes));
  };
}

Next try_iterate(const Value& value) {
  switch (value.kind()) {
    case Kind::kUndefined:
      return []() -> std::optional<Value> { return std::nullopt; };
    case Kind::kString:
      return iterate_characters(value);
    case Kind::kList:
    case Kind::kTuple:
      return iterate_indexed(value, value.items().size(),
                             [](const Value& v, std::size_t i) { return v.items()[i]; });
    case Kind::kDict:
      return iterate_indexed(value, value.as_dict().size(), [](const Value& v, std::size_t i) {
        return v.as_dict().entries()[i].first;
      });
    case Kind::kObject:
      return value.as_object()->iterate();
    default:
      return nullptr;
  }
}

}  // namespace

bool is_iterable(const Value& value) { return try_iterate(value) != nullptr; }

Next iterate(const Value& value) {
  Next next = try_iterate(value);
  if (!next) throw Fault("'" + type_name(value) + "' object is not iterable");
  return next;
}

Values to_values(const Value& value) {
  if (value.is_sequence()) {
    spend_steps(value.items().size());
    return value.items();
  }
  Values values;
  const Next next = iterate(value);
  while (std::optional<Value> item = next()) {
    spend_steps(1);
    values.push_back(std::move(*item));
  }
  return values;
}

}  // namespace galley::chat
