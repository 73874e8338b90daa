// The objects of the language that are not plain data: ranges, views of dicts, generators,
// namespaces, functions. (Loops and macros are the evaluator's.)
#pragma once

#include <map>

#include "tokenizer/chat_template/value.h"

namespace galley::chat {

// range(first, ..., by step), `count` numbers of it.
class Range : public Object {
 public:
  Range(std::int64_t first, std::int64_t stop, std::int64_t step, std::int64_t count)
      : first_(first), stop_(stop), step_(step), count_(count) {}

  // range(stop), range(start, stop) or range(start, stop, step).
  // Throws Fault for more than kMaxRange numbers.
  static Value make(const Arguments& arguments);

  std::int64_t count() const { return count_; }
  std::int64_t number(std::int64_t index) const { return first_ + index * step_; }
  // The range of the numbers at indices first, first + step, ...
  Value select(std::int64_t first, std::int64_t step, std::int64_t count) const;

  std::string type_name() const override { return "range"; }
  std::string repr() const override;
  bool is_equal_to(const Object& other) const override;  // the same numbers
  std::optional<std::size_t> length() override { return static_cast<std::size_t>(count_); }
  std::optional<Value> item(std::size_t index) const override;
  bool is_sequence() const override { return true; }
  Next iterate() override;

 private:
  std::int64_t first_;
  std::int64_t stop_;
  std::int64_t step_;
  std::int64_t count_;
};

// dict.keys(), dict.values(), dict.items().
class DictView : public Object {
 public:
  enum class Of { kKeys, kValues, kItems };
  // REQUIRES: `dict` is a dict.
  DictView(const Value& dict, Of of) : Object(dict.depth() + 1), dict_(dict), of_(of) {}

  std::string type_name() const override;
  std::string repr() const override;
  std::optional<std::size_t> length() override { return dict_.as_dict().size(); }
  Next iterate() override;

 private:
  Value dict_;
  Of of_;
};

// What map, select and other filters give: items that are computed when asked for, once.
class Generator : public Object {
 public:
  // `depth` is that of what it draws from.
  Generator(Next next, int depth) : Object(depth + 1), next_(std::move(next)) {}
  static Value make(Next next, int depth);

  std::string type_name() const override { return "generator"; }
  Next iterate() override;

 private:
  Next next_;
};

// namespace(a=1): the one thing a template can change from inside a loop.
class Namespace : public Object, public Kept {
 public:
  static Value make(const Arguments& arguments);

  std::string type_name() const override { return "Namespace"; }
  std::string qualified_name() const override { return "jinja2.utils.Namespace"; }
  std::string repr() const override;
  std::optional<Value> attribute(std::string_view name) override;
  void set(const std::string& name, Value value);
  void clear() override { values_.clear(); }

 private:
  std::vector<std::pair<std::string, Value>> values_;  // in order of insertion
  Charge charge_;
};

// A function that is built in, or a method of a value.
class Function : public Object {
 public:
  using Body = std::function<Value(const Arguments&)>;
  Function(std::string name, Body body, int depth)
      : Object(depth), name_(std::move(name)), body_(std::move(body)) {}
  static Value make(std::string name, Body body, int depth = 0);

  std::string type_name() const override { return "builtin_function_or_method"; }
  bool is_callable() const override { return true; }
  Value call(const Arguments& arguments) override { return body_(arguments); }

 private:
  std::string name_;
  Body body_;
};

// cycler('a', 'b'): .next(), .current and .reset().
class Cycler : public Object {
 public:
  static Value make(const Arguments& arguments);
  explicit Cycler(Value items) : Object(items.depth() + 1), items_(std::move(items)) {}

  std::string type_name() const override { return "Cycler"; }
  std::optional<Value> attribute(std::string_view name) override;

 private:
  Value items_;  // a tuple
  std::size_t at_ = 0;
};

// joiner(', '): a function that gives nothing the first time, then the separator.
class Joiner : public Object {
 public:
  static Value make(const Arguments& arguments);
  explicit Joiner(Value separator)
      : Object(separator.depth() + 1), separator_(std::move(separator)) {}

  std::string type_name() const override { return "Joiner"; }
  bool is_callable() const override { return true; }
  Value call(const Arguments& arguments) override;

 private:
  Value separator_;
  bool was_called_ = false;
};

}  // namespace galley::chat
