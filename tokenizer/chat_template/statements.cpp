#include <algorithm>
#include <utility>

#include "tokenizer/chat_template/depth_count.h"
#include "tokenizer/chat_template/evaluator.h"
#include "tokenizer/chat_template/loop.h"
#include "tokenizer/chat_template/objects.h"
#include "tokenizer/chat_template/python_text.h"

namespace galley::chat {

Evaluator::Evaluator(const Program& program, const Inputs& inputs)
    : program_(program), inputs_(inputs) {}

std::string Evaluator::run() {
  here_ = std::make_shared<Activation>(program_.n_slots, nullptr);
  Meter::current()->keep(here_);
  enter(program_.frame);
  std::string text;
  capture(program_.body, text);
  return text;
}

// ---- text ----

void Evaluator::write(const std::string& text) {
  text_->charge.grow(text.size());
  check_text_size(text_->bytes.size() + text.size());
  text_->bytes += text;
}

Evaluator::Flow Evaluator::capture(const Block& block, std::string& text) {
  Text captured;
  Text* const before = std::exchange(text_, &captured);
  Flow flow = Flow::kNormal;
  try {
    flow = execute(block);
  } catch (...) {
    text_ = before;
    throw;
  }
  text_ = before;
  text = std::move(captured.bytes);
  return flow;
}

// ---- variables ----

Value* Evaluator::slot(Place place) {
  Activation* activation = here_.get();
  for (int i = 0; i < place.hops; ++i) activation = activation->outer.get();
  return &activation->slots[static_cast<std::size_t>(place.slot)];
}

const Value* Evaluator::find_input(const std::string& name) const {
  const auto it = inputs_.find(name);
  return it == inputs_.end() ? nullptr : &it->second;
}

Value Evaluator::lookup(const std::string& name, Place place) {
  const Value* value = place.slot < 0 ? find_input(name) : slot(place);
  if (value && !value->is_missing()) return *value;
  return Value::undefined("'" + name + "' is undefined");
}

void Evaluator::enter(const Frame& frame) {
  for (const FrameStart& start : frame) {
    const Value* value = nullptr;
    if (start.from == FrameStart::From::kInput) value = find_input(start.name);
    if (start.from == FrameStart::From::kOuter) {
      value = start.outer.slot < 0 ? find_input(start.name) : slot(start.outer);
    }
    Value& place = here_->slots[static_cast<std::size_t>(start.slot)];
    place = value ? *value : Value();
  }
}

void Evaluator::leave(const Frame& frame) {
  for (const FrameStart& start : frame) {
    here_->slots[static_cast<std::size_t>(start.slot)] = Value();
  }
}

void Evaluator::assign(const Target& target, const Value& value) {
  if (!target.several.empty()) {
    if (!is_iterable(value)) {
      throw Fault("cannot unpack non-iterable " + type_name(value) + " object", target.at);
    }
    const Values values = to_values(value);
    const std::size_t n = target.several.size();
    if (values.size() != n) {
      throw Fault(values.size() > n
                      ? "too many values to unpack (expected " + std::to_string(n) + ")"
                      : "not enough values to unpack (expected " + std::to_string(n) + ", got " +
                            std::to_string(values.size()) + ")",
                  target.at);
    }
    for (std::size_t i = 0; i < n; ++i) assign(target.several[i], values[i]);
  } else if (target.attribute.empty()) {
    *slot(target.place) = value;
  } else {
    const Value object = lookup(target.name, target.place);
    auto* space = object.object_as<Namespace>();
    if (!space) throw Fault("cannot assign attribute on non-namespace object", target.at);
    space->set(target.attribute, value);
  }
}

// ---- statements ----

Evaluator::Flow Evaluator::execute(const Block& block) {
  for (const auto& stmt : block) {
    const Flow flow = execute(*stmt);
    if (flow != Flow::kNormal) return flow;
  }
  return Flow::kNormal;
}

Evaluator::Flow Evaluator::execute(const Stmt& stmt) {
  spend_steps(1);
  const DepthCount count(depth_);
  try {
    return std::visit([this](const auto& node) { return visit(node); }, stmt.node);
  } catch (Fault& fault) {
    fault.set_position_if_unknown(stmt.at);
    throw;
  }
}

Evaluator::Flow Evaluator::visit(const Literal& node) {
  write(node.text);
  return Flow::kNormal;
}

Evaluator::Flow Evaluator::visit(const Output& node) {
  for (const ExprPtr& e : node.values) write(to_str(evaluate(*e)));
  return Flow::kNormal;
}

Evaluator::Flow Evaluator::visit(const If& node) {
  for (const If::Branch& branch : node.branches) {
    if (test(*branch.test)) return execute(branch.body);
  }
  return execute(node.otherwise);
}

Evaluator::Flow Evaluator::visit(const Set& node) {
  assign(node.target, evaluate(*node.value));
  return Flow::kNormal;
}

Evaluator::Flow Evaluator::visit(const SetBlock& node) {
  enter(node.frame);
  std::string text;
  const Flow flow = capture(node.body, text);
  if (flow != Flow::kNormal) return flow;
  Value value = Value::string(std::move(text));
  for (const FilterStep& filter : node.filters) value = apply(filter, value);
  assign(node.target, value);
  leave(node.frame);
  return Flow::kNormal;
}

Evaluator::Flow Evaluator::visit(const FilterBlock& node) {
  enter(node.frame);
  std::string text;
  const Flow flow = capture(node.body, text);
  if (flow != Flow::kNormal) return flow;
  Value value = Value::string(std::move(text));
  for (const FilterStep& filter : node.filters) value = apply(filter, value);
  write(to_str(value));
  leave(node.frame);
  return Flow::kNormal;
}

Evaluator::Flow Evaluator::visit(const With& node) {
  enter(node.frame);
  for (const auto& [target, value] : node.assignments) assign(target, evaluate(*value));
  const Flow flow = execute(node.body);
  leave(node.frame);
  return flow;
}

Evaluator::Flow Evaluator::visit(const Scoped& node) {
  enter(node.frame);
  const Flow flow = execute(node.body);
  leave(node.frame);
  return flow;
}

// ---- loops ----

Evaluator::Flow Evaluator::visit(const For& node) {
  const Value iterable = evaluate(*node.iterable);
  if (!node.is_recursive) return run_loop(node, iterable, 0);
  write(to_str(render_recursive(node, here_, iterable, 0)));
  return Flow::kNormal;
}

// The items for which the loop's condition holds, tested when they are asked for: the condition
// may depend on what earlier passes did.
Next Evaluator::filtered(const For& node, Next items) {
  return [this, &node, items = std::move(items), home = here_,
          is_first = true]() mutable -> std::optional<Value> {
    const auto before = std::exchange(here_, home);
    const auto go_back = [&] { here_ = before; };
    try {
      if (std::exchange(is_first, false)) enter(node.filter_frame);
      while (std::optional<Value> item = items()) {
        assign(node.filter_target, *item);
        if (test(*node.filter)) {
          go_back();
          return item;
        }
      }
    } catch (...) {
      go_back();
      throw;
    }
    go_back();
    return std::nullopt;
  };
}

Evaluator::Flow Evaluator::run_loop(const For& node, const Value& iterable, int depth) {
  Next items = iterate(iterable);
  if (node.filter) items = filtered(node, std::move(items));
  Loop::Recurse recurse;
  if (node.is_recursive) {
    recurse = [this, &node, outer = here_->outer](const Value& inner, int inner_depth) {
      return render_recursive(node, outer, inner, inner_depth);
    };
  }
  const auto loop = std::make_shared<Loop>(iterable, std::move(items), node.filter != nullptr,
                                           depth, std::move(recurse));
  bool is_empty = true;
  while (const std::optional<Value> item = loop->advance()) {
    enter(node.body_frame);
    *slot(node.loop) = Value::object(loop);
    assign(node.target, *item);
    const Flow flow = execute(node.body);
    // As in Jinja, a loop that is left or goes on early in every pass counts as empty.
    if (flow == Flow::kNormal) is_empty = false;
    if (flow == Flow::kBreak) break;
  }
  leave(node.body_frame);
  loop->finish();
  if (!is_empty) return Flow::kNormal;
  enter(node.otherwise_frame);
  return execute(node.otherwise);
}

Value Evaluator::render_recursive(const For& node, std::shared_ptr<Activation> outer,
                                  const Value& iterable, int depth) {
  const DepthCount count(depth_);
  const auto before =
      std::exchange(here_, std::make_shared<Activation>(node.n_slots, std::move(outer)));
  Text captured;
  Text* const text_before = std::exchange(text_, &captured);
  const auto go_back = [&] {
    here_ = before;
    text_ = text_before;
  };
  try {
    run_loop(node, iterable, depth);
  } catch (...) {
    go_back();
    throw;
  }
  go_back();
  return Value::string(std::move(captured.bytes));
}

}  // namespace galley::chat
