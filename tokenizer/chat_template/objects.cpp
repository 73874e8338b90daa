#include "tokenizer/chat_template/objects.h"

#include "tokenizer/chat_template/arguments.h"
#include "tokenizer/chat_template/fault.h"
#include "tokenizer/chat_template/python_text.h"

namespace galley::chat {

Value Range::make(const Arguments& arguments) {
  const Parameters p("range", arguments, {"/start", "/stop", "/step"}, 1);
  const bool has_start = p.find(1) != nullptr;
  const std::int64_t start = has_start ? p.integer(0, 0) : 0;
  const std::int64_t stop = has_start ? p.integer(1, 0) : p.integer(0, 0);
  const std::int64_t step = p.integer(2, 1);
  if (step == 0) throw Fault("range() arg 3 must not be zero");
  std::uint64_t count = 0;
  const auto wide = [](std::int64_t i) { return static_cast<std::uint64_t>(i); };
  if (step > 0 && start < stop) count = (wide(stop) - wide(start) - 1) / wide(step) + 1;
  if (step < 0 && start > stop) count = (wide(start) - wide(stop) - 1) / (0 - wide(step)) + 1;
  if (count > static_cast<std::uint64_t>(kMaxRange)) {
    throw Fault("Range too big. The sandbox blocks ranges larger than MAX_RANGE (" +
                std::to_string(kMaxRange) + ").");
  }
  return Value::object(
      std::make_shared<Range>(start, stop, step, static_cast<std::int64_t>(count)));
}

Value Range::select(std::int64_t first, std::int64_t step, std::int64_t count) const {
  std::int64_t new_first = first_;
  std::int64_t new_step = step_;
  std::int64_t stop = first_;
  if (count == 0) step = 1;  // its value does not matter, but it must not overflow
  if (count > 0) new_first = number(first);
  if (__builtin_mul_overflow(step_, step, &new_step) ||
      __builtin_add_overflow(new_first, count * new_step, &stop)) {
    throw Fault("a slice of a range is out of bounds");
  }
  return Value::object(std::make_shared<Range>(new_first, stop, new_step, count));
}

std::string Range::repr() const {
  std::string text = "range(" + std::to_string(first_) + ", " + std::to_string(stop_);
  return text + (step_ == 1 ? "" : ", " + std::to_string(step_)) + ")";
}

bool Range::is_equal_to(const Object& other) const {
  const auto* range = dynamic_cast<const Range*>(&other);
  if (!range || range->count_ != count_) return false;
  if (count_ == 0) return true;
  return range->first_ == first_ && (count_ == 1 || range->step_ == step_);
}

std::optional<Value> Range::item(std::size_t index) const {
  return Value::integer(number(static_cast<std::int64_t>(index)));
}

Next Range::iterate() {
  return [first = first_, step = step_, count = count_,
          i = std::int64_t{0}]() mutable -> std::optional<Value> {
    if (i >= count) return std::nullopt;
    return Value::integer(first + step * i++);
  };
}

std::string DictView::type_name() const {
  switch (of_) {
    case Of::kKeys:
      return "dict_keys";
    case Of::kValues:
      return "dict_values";
    case Of::kItems:
      return "dict_items";
  }
  return "dict_view";
}

std::string DictView::repr() const {
  Values items;
  for (const auto& [key, value] : dict_.as_dict().entries()) {
    items.push_back(of_ == Of::kKeys     ? key
                    : of_ == Of::kValues ? value
                                         : Value::tuple({key, value}));
  }
  return type_name() + "(" + to_repr(Value::list(std::move(items))) + ")";
}

Next DictView::iterate() {
  return [dict = dict_, of = of_, i = std::size_t{0}]() mutable -> std::optional<Value> {
    if (i >= dict.as_dict().size()) return std::nullopt;
    const auto& [key, value] = dict.as_dict().entries()[i++];
    if (of == Of::kKeys) return key;
    if (of == Of::kValues) return value;
    return Value::tuple({key, value});
  };
}

Value Generator::make(Next next, int depth) {
  return Value::object(std::make_shared<Generator>(std::move(next), depth));
}

Next Generator::iterate() {
  return [self = std::static_pointer_cast<Generator>(shared_from_this())] {
    spend_steps(1);
    return self->next_();
  };
}

Value Namespace::make(const Arguments& arguments) {
  const Arguments positional{arguments.positional, {}};
  const Parameters p("namespace", positional, {"/mapping"});
  auto object = std::make_shared<Namespace>();
  if (p.find(0)) {
    if (!p.find(0)->is(Kind::kDict)) {
      throw Fault("namespace() takes a dict, not '" + chat::type_name(*p.find(0)) + "'");
    }
    for (const auto& [key, value] : p.find(0)->as_dict().entries()) {
      object->set(to_str(key), value);
    }
  }
  for (const auto& [name, value] : arguments.named) object->set(name, value);
  if (Meter* meter = Meter::current()) meter->keep(object);
  return Value::object(std::move(object));
}

std::string Namespace::repr() const {
  auto dict = std::make_shared<Dict>();
  for (const auto& [name, value] : values_) {
    if (value.depth() > 0 || value.is(Kind::kObject)) {
      throw Fault("cannot print a namespace that holds lists or objects");
    }
    dict->set(name, value);
  }
  return "<Namespace " + to_repr(Value::dict(std::move(dict))) + ">";
}

std::optional<Value> Namespace::attribute(std::string_view name) {
  for (const auto& [key, value] : values_) {
    if (key == name) return value;
  }
  return std::nullopt;
}

void Namespace::set(const std::string& name, Value value) {
  for (auto& [key, old] : values_) {
    if (key == name) {
      old = std::move(value);
      return;
    }
  }
  charge_.grow(name.size() + sizeof(values_[0]));
  values_.emplace_back(name, std::move(value));
}

Value Function::make(std::string name, Body body, int depth) {
  return Value::object(std::make_shared<Function>(std::move(name), std::move(body), depth));
}

Value Cycler::make(const Arguments& arguments) {
  if (arguments.positional.empty()) throw Fault("at least one item has to be provided");
  if (!arguments.named.empty()) throw Fault("cycler() takes no keyword arguments");
  return Value::object(std::make_shared<Cycler>(Value::tuple(arguments.positional)));
}

std::optional<Value> Cycler::attribute(std::string_view name) {
  if (name == "current") return items_.items()[at_];
  if (name == "pos") return Value::integer(static_cast<std::int64_t>(at_));
  if (name == "items") return items_;
  if (name != "next" && name != "reset") return std::nullopt;
  auto self = std::static_pointer_cast<Cycler>(shared_from_this());
  const bool is_next = name == "next";
  return Function::make(
      std::string(name),
      [self = std::move(self), is_next](const Arguments& arguments) {
        check_no_arguments(is_next ? "next" : "reset", arguments);
        if (!is_next) {
          self->at_ = 0;
          return Value::none();
        }
        const std::size_t at = self->at_;
        self->at_ = (at + 1) % self->items_.items().size();
        return self->items_.items()[at];
      },
      depth() + 1);
}

Value Joiner::make(const Arguments& arguments) {
  const Parameters p("joiner", arguments, {"sep"});
  return Value::object(std::make_shared<Joiner>(p.value(0, Value::string(", "))));
}

Value Joiner::call(const Arguments& arguments) {
  check_no_arguments("joiner", arguments);
  if (was_called_) return separator_;
  was_called_ = true;
  return Value::string("");
}

}  // namespace galley::chat
