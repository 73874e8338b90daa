#include "tokenizer/chat_template/evaluator.h"

#include "tokenizer/chat_template/depth_count.h"
#include "tokenizer/chat_template/lookup.h"
#include "tokenizer/chat_template/operators.h"
#include "tokenizer/chat_template/python_text.h"

namespace galley::chat {

Value Evaluator::evaluate(const Expr& expr) {
  spend_steps(1);
  const DepthCount count(depth_);
  try {
    return std::visit([this](const auto& node) { return visit(node); }, expr.node);
  } catch (Fault& fault) {
    fault.set_position_if_unknown(expr.at);
    throw;
  }
}

Value Evaluator::evaluate_or_none(const ExprPtr& expr) {
  return expr ? evaluate(*expr) : Value::none();
}

Values Evaluator::evaluate_all(const Exprs& exprs) {
  Values values;
  values.reserve(exprs.size());
  for (const ExprPtr& e : exprs) values.push_back(evaluate(*e));
  return values;
}

Value Evaluator::visit(const Name& node) { return lookup(node.name, node.place); }

Value Evaluator::visit(const SequenceDisplay& node) {
  Values items = evaluate_all(node.items);
  return node.is_tuple ? Value::tuple(std::move(items)) : Value::list(std::move(items));
}

Value Evaluator::visit(const DictDisplay& node) {
  auto dict = std::make_shared<Dict>();
  for (const auto& [key, value] : node.entries) {
    const Value k = evaluate(*key);
    dict->set(k, evaluate(*value));
  }
  return Value::dict(std::move(dict));
}

Value Evaluator::visit(const Unary& node) {
  const Value operand = evaluate(*node.operand);
  return node.op == '-' ? negate(operand) : unary_plus(operand);
}

Value Evaluator::visit(const Binary& node) {
  const Value left = evaluate(*node.left);
  return arithmetic(node.op, left, evaluate(*node.right));
}

Value Evaluator::visit(const Logical& node) {
  Value left = evaluate(*node.left);
  return is_true(left) == node.is_and ? evaluate(*node.right) : left;
}

Value Evaluator::visit(const Concat& node) {
  std::string text;
  for (const ExprPtr& part : node.parts) {
    text += to_str(evaluate(*part));
    check_text_size(text.size());
  }
  return Value::string(std::move(text));
}

Value Evaluator::visit(const Comparison& node) {
  Value left = evaluate(*node.first);
  for (const auto& [op, expr] : node.rest) {
    Value right = evaluate(*expr);
    if (!compare(op, left, right)) return Value::boolean(false);
    left = std::move(right);
  }
  return Value::boolean(true);
}

Value Evaluator::visit(const Conditional& node) {
  if (test(*node.test)) return evaluate(*node.value);
  if (node.otherwise) return evaluate(*node.otherwise);
  return Value::undefined(
      "the inline if-expression evaluated to false and no else section was defined.");
}

Value Evaluator::visit(const Attribute& node) {
  return get_attribute(evaluate(*node.object), node.name);
}

Value Evaluator::visit(const Item& node) {
  const Value object = evaluate(*node.object);
  return get_item(object, evaluate(*node.key));
}

Value Evaluator::visit(const Slice& node) {
  const Value object = evaluate(*node.object);
  const Value start = evaluate_or_none(node.start);
  const Value stop = evaluate_or_none(node.stop);
  return slice(object, start, stop, evaluate_or_none(node.step));
}

Value Evaluator::visit(const Tested& node) {
  const Value operand = evaluate(*node.operand);
  if (!node.function) throw Fault("No test named '" + node.name + "'.");
  return Value::boolean(node.function(operand, evaluate_arguments(node.arguments)));
}

Value Evaluator::apply(const FilterStep& filter, const Value& value) {
  try {
    if (!filter.function) {
      throw Fault(is_unsupported_filter(filter.name)
                      ? "The filter '" + filter.name + "' is not supported."
                      : "No filter named '" + filter.name + "'.");
    }
    return filter.function(value, evaluate_arguments(filter.arguments));
  } catch (Fault& fault) {
    fault.set_position_if_unknown(filter.at);
    throw;
  }
}

Arguments Evaluator::evaluate_arguments(const ArgumentExprs& exprs) {
  Arguments arguments;
  arguments.positional = evaluate_all(exprs.positional);
  for (const auto& [name, e] : exprs.named) arguments.named.emplace_back(name, evaluate(*e));
  if (exprs.star) add_star(arguments, evaluate(*exprs.star));
  if (exprs.double_star) add_double_star(arguments, evaluate(*exprs.double_star));
  return arguments;
}

void Evaluator::add_star(Arguments& arguments, const Value& values) {
  if (!is_iterable(values)) {
    throw Fault("argument after * must be an iterable, not " + type_name(values));
  }
  for (Value& value : to_values(values)) arguments.positional.push_back(std::move(value));
}

void Evaluator::add_double_star(Arguments& arguments, const Value& values) {
  if (!values.is(Kind::kDict)) {
    throw Fault("argument after ** must be a mapping, not " + type_name(values));
  }
  for (const auto& [key, value] : values.as_dict().entries()) {
    if (!key.is_string()) throw Fault("keywords must be strings");
    for (const auto& named : arguments.named) {
      if (named.first == key.as_string()) {
        throw Fault("got multiple values for keyword argument '" + named.first + "'");
      }
    }
    arguments.named.emplace_back(key.as_string(), value);
  }
}

Value Evaluator::call(const Call& node, const Value* caller) {
  const Value callee = evaluate(*node.callee);
  Arguments arguments = evaluate_arguments(node.arguments);
  if (caller) arguments.named.emplace_back("caller", *caller);
  if (callee.is_undefined()) throw Fault(callee.why_undefined());
  if (!callee.is(Kind::kObject)) {
    throw Fault("'" + type_name(callee) + "' object is not callable");
  }
  return callee.as_object()->call(arguments);
}

}  // namespace galley::chat
