#include "tokenizer/chat_template/loop.h"

#include <algorithm>

#include "tokenizer/chat_template/arguments.h"
#include "tokenizer/chat_template/fault.h"
#include "tokenizer/chat_template/limits.h"
#include "tokenizer/chat_template/objects.h"
#include "tokenizer/chat_template/operators.h"

namespace galley::chat {

std::optional<Value> Loop::advance() {
  spend_steps(1);  // an empty body takes time as well
  std::optional<Value> item = has_peeked_ ? std::move(peeked_) : items_();
  has_peeked_ = false;
  peeked_.reset();
  if (!item) return std::nullopt;
  ++index0_;
  before_ = std::move(current_);
  current_ = item;
  return item;
}

void Loop::finish() {
  iterable_ = Value();
  items_ = [] { return std::optional<Value>(); };
  recurse_ = nullptr;
  has_peeked_ = false;
  peeked_.reset();
  before_.reset();
  current_.reset();
  last_changed_.reset();
}

const std::optional<Value>& Loop::peek() {
  if (!has_peeked_) {
    peeked_ = items_();
    has_peeked_ = true;
  }
  return peeked_;
}

std::int64_t Loop::n_items() {
  if (n_items_) return *n_items_;
  const std::optional<std::size_t> length = is_filtered_ ? std::nullopt : length_of(iterable_);
  if (length) {
    n_items_ = static_cast<std::int64_t>(*length);
    return *n_items_;
  }
  // Only by drawing all the others can they be counted.
  Values rest;
  while (std::optional<Value> item = items_()) rest.push_back(std::move(*item));
  n_items_ = static_cast<std::int64_t>(rest.size()) + index0_ + 1 + (peeked_ ? 1 : 0);
  items_ = chat::iterate(Value::list(std::move(rest)));
  return *n_items_;
}

std::string Loop::repr() const {
  // Counting the items changes nothing that can be seen.
  return "<LoopContext " + std::to_string(index0_ + 1) + "/" +
         std::to_string(const_cast<Loop*>(this)->n_items()) + ">";
}

std::optional<Value> Loop::attribute(std::string_view name) {
  if (name == "index") return Value::integer(index0_ + 1);
  if (name == "index0") return Value::integer(index0_);
  if (name == "first") return Value::boolean(index0_ == 0);
  if (name == "last") return Value::boolean(!peek());
  if (name == "length") return Value::integer(n_items());
  if (name == "revindex") return Value::integer(n_items() - index0_);
  if (name == "revindex0") return Value::integer(n_items() - index0_ - 1);
  if (name == "depth") return Value::integer(depth_ + 1);
  if (name == "depth0") return Value::integer(depth_);
  if (name == "previtem") {
    return before_ ? *before_ : Value::undefined("there is no previous item");
  }
  if (name == "nextitem") {
    return peek() ? *peeked_ : Value::undefined("there is no next item");
  }
  if (name == "cycle" || name == "changed") return method(name);
  return std::nullopt;
}

Value Loop::method(std::string_view name) {
  auto self = std::static_pointer_cast<Loop>(shared_from_this());
  if (name == "cycle") {
    return Function::make("cycle", [self](const Arguments& a) { return self->cycle(a); });
  }
  return Function::make("changed",
                        [self](const Arguments& a) { return Value::boolean(self->changed(a)); });
}

Value Loop::cycle(const Arguments& arguments) const {
  if (!arguments.named.empty()) throw Fault("cycle() takes no keyword arguments");
  if (arguments.positional.empty()) throw Fault("no items for cycling given");
  const auto n = static_cast<std::int64_t>(arguments.positional.size());
  return arguments.positional[static_cast<std::size_t>(index0_ % n)];
}

bool Loop::changed(const Arguments& arguments) {
  if (!arguments.named.empty()) throw Fault("changed() takes no keyword arguments");
  const Values& values = arguments.positional;
  if (last_changed_ && std::equal(values.begin(), values.end(), last_changed_->begin(),
                                  last_changed_->end(), equals)) {
    return false;
  }
  last_changed_ = values;
  return true;
}

Value Loop::call(const Arguments& arguments) {
  const Parameters p("loop", arguments, {"iterable"}, 1);
  if (!recurse_) {
    throw Fault("The loop must have the 'recursive' marker to be called recursively.");
  }
  return recurse_(p.required(0), depth_ + 1);
}

}  // namespace galley::chat
