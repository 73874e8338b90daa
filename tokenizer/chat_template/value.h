// The values a template computes with: Python's, as far as Jinja shows them.
//
// Everything a template can hold is immutable, as in Transformers' sandbox, except namespaces,
// loops, cyclers and generators, which are Objects with a state of their own. Values are cheap
// to copy: text and containers are shared.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "tokenizer/chat_template/limits.h"

namespace galley::chat {

class Value;
class Dict;
class Object;
using Values = std::vector<Value>;

enum class Kind {
  kUndefined,
  kNone,
  kBool,
  kInt,
  kFloat,
  kString,
  kList,
  kTuple,
  kDict,
  kObject,
};

// UTF-8 text. `is_markup` marks the result of |safe and |escape (Python's markupsafe.Markup),
// which escapes text that is added to it.
struct Text {
  std::string bytes;
  bool is_markup = false;
  Charge charge;
};

// A list or a tuple.
struct Sequence {
  Values items;
  bool is_tuple = false;
  bool is_group = false;  // a tuple of |groupby, with the names .grouper and .list
  int depth = 1;          // 1 + that of the deepest item
  Charge charge;
};

class Value {
 public:
  // "Missing": a variable nothing was assigned to. Reading it gives an undefined value that
  // knows the variable's name.
  Value();
  Value(const Value&);
  Value(Value&&) noexcept;
  Value& operator=(const Value&);
  Value& operator=(Value&&) noexcept;
  ~Value();

  // `why` is the message of the error that using the value gives: "'x' is undefined".
  static Value undefined(std::string why);
  static Value none() { return Value(None{}); }
  static Value boolean(bool b) { return Value(b); }
  static Value integer(std::int64_t i) { return Value(i); }
  static Value number(double d) { return Value(d); }
  static Value string(std::string utf8, bool is_markup = false);
  static Value list(Values items);
  static Value tuple(Values items);
  static Value group(Value grouper, Value list);  // an item of |groupby
  static Value dict(std::shared_ptr<const Dict> dict);
  static Value object(std::shared_ptr<Object> object);

  Kind kind() const;
  bool is(Kind k) const { return kind() == k; }
  bool is_missing() const { return holds<Undefined>() && !std::get<Undefined>(v_).why; }
  bool is_undefined() const { return holds<Undefined>(); }
  bool is_none() const { return holds<None>(); }
  bool is_string() const { return holds<std::shared_ptr<const Text>>(); }
  bool is_integral() const { return holds<std::int64_t>() || holds<bool>(); }  // bool is an int
  bool is_number() const { return is_integral() || holds<double>(); }
  bool is_sequence() const { return holds<std::shared_ptr<const Sequence>>(); }

  // Each REQUIRES the kind it names.
  std::string why_undefined() const;
  bool as_bool() const { return std::get<bool>(v_); }
  std::int64_t as_integer() const;  // also of a bool
  double as_double() const;         // of any number
  const std::string& as_string() const { return text().bytes; }
  const Text& text() const { return *std::get<std::shared_ptr<const Text>>(v_); }
  const Values& items() const { return sequence().items; }
  const Sequence& sequence() const { return *std::get<std::shared_ptr<const Sequence>>(v_); }
  const Dict& as_dict() const { return *std::get<std::shared_ptr<const Dict>>(v_); }
  const std::shared_ptr<Object>& as_object() const { return std::get<std::shared_ptr<Object>>(v_); }

  // The object as a T, or nullptr if it is something else.
  template <typename T>
  T* object_as() const {
    const auto* object = std::get_if<std::shared_ptr<Object>>(&v_);
    return object ? dynamic_cast<T*>(object->get()) : nullptr;
  }

  // How deep containers are nested in it; 0 for plain values.
  int depth() const;
  // Whether both are the same object, as Python's `is` (equal plain values count as the same).
  bool same_as(const Value& other) const;

 private:
  struct None {};
  struct Undefined {
    std::shared_ptr<const std::string> why;
  };
  using Variant = std::variant<Undefined, None, bool, std::int64_t, double,
                               std::shared_ptr<const Text>, std::shared_ptr<const Sequence>,
                               std::shared_ptr<const Dict>, std::shared_ptr<Object>>;

  explicit Value(Variant v) : v_(std::move(v)) {}
  template <typename T>
  bool holds() const {
    return std::holds_alternative<T>(v_);
  }
  static Value sequence(Values items, bool is_tuple, bool is_group);

  Variant v_;
};

// A dictionary in order of insertion. Keys are compared as in Python: 1, 1.0 and true are the
// same key.
class Dict {
 public:
  using Entry = std::pair<Value, Value>;

  // Replaces the value of an equal key, else appends. Only while the dict is being built.
  // Throws Fault for a key that cannot be one (a list or a dict).
  void set(const Value& key, Value value);
  void set(std::string_view key, Value value);

  const Value* find(const Value& key) const;
  const Value* find(std::string_view key) const;
  const std::vector<Entry>& entries() const { return entries_; }
  std::size_t size() const { return entries_.size(); }
  int depth() const { return depth_; }

 private:
  std::vector<Entry> entries_;
  std::unordered_map<std::string, std::size_t> places_;  // hash_key(key) -> index in entries_
  int depth_ = 1;
  Charge charge_;
};

// A text that is equal for two values exactly if Python's == is true and they may be keys.
// Throws Fault ("unhashable type: 'list'") for others.
std::string hash_key(const Value& value);

// What a call passes: f(1, 2, name=3).
struct Arguments {
  Values positional;
  std::vector<std::pair<std::string, Value>> named;
};

// Gives the next item, or nothing at the end. An empty function stands for "not iterable".
using Next = std::function<std::optional<Value>()>;

// Anything with behaviour: ranges, views of dicts, generators, namespaces, macros, methods,
// loops. The defaults are those of an object that can do nothing.
class Object : public std::enable_shared_from_this<Object> {
 public:
  // `depth`: 1 + that of the values it holds. Throws Fault beyond kMaxValueDepth.
  explicit Object(int depth = 0);
  virtual ~Object() = default;
  Object(const Object&) = delete;
  Object& operator=(const Object&) = delete;

  virtual std::string type_name() const = 0;  // as in Python's messages
  virtual std::string qualified_name() const { return type_name(); }
  // Python's repr. Throws Fault where Python would print a memory address.
  virtual std::string repr() const;
  virtual std::optional<Value> attribute(std::string_view name);
  virtual bool is_equal_to(const Object& other) const { return this == &other; }
  virtual std::optional<std::size_t> length() { return std::nullopt; }
  // obj[index] for an index in [0, length). Only for objects that are sequences.
  virtual std::optional<Value> item(std::size_t) const { return std::nullopt; }
  virtual bool is_sequence() const { return false; }
  virtual Next iterate() { return nullptr; }
  virtual bool is_callable() const { return false; }
  virtual Value call(const Arguments&);

  int depth() const { return depth_; }

 private:
  int depth_;
  Charge charge_;
};

// Python's name of the type, as in "'int' object is not iterable".
std::string type_name(const Value& value);
// Python's truth: empty, zero, none and undefined are false.
bool is_true(const Value& value);
// len(value), or nothing if it has none.
std::optional<std::size_t> length_of(const Value& value);
bool is_iterable(const Value& value);
// Throws Fault for what cannot be iterated over. Strings give their characters, dicts their keys.
Next iterate(const Value& value);
// list(value).
Values to_values(const Value& value);

}  // namespace galley::chat
