// What follows an expression: .name, [key], (arguments), | filter, is test; and targets.
#include "tokenizer/chat_template/expression_nodes.h"

namespace galley::chat {

ExprPtr ExpressionParser::postfix(ExprPtr expr) {
  while (true) {
    if (tokens_.at_operator(".")) {
      expr = dotted(std::move(expr));
    } else if (tokens_.at_operator("[")) {
      expr = subscript(std::move(expr));
    } else if (tokens_.at_operator("(")) {
      expr = call(std::move(expr));
    } else {
      return expr;
    }
  }
}

ExprPtr ExpressionParser::filters_and_tests(ExprPtr expr) {
  while (true) {
    if (tokens_.skip_operator("|")) {
      FilterStep step = filter_step();
      const int height = std::max(height_of(expr), height_of(step.arguments));
      const Position at = step.at;
      expr = make(at, height, Filtered{std::move(expr), std::move(step)});
    } else if (tokens_.at_name("is")) {
      expr = test(std::move(expr));
    } else if (tokens_.at_operator("(")) {
      expr = call(std::move(expr));
    } else {
      return expr;
    }
  }
}

ExprPtr ExpressionParser::dotted(ExprPtr object) {
  const Position at = tokens_.take().at;
  const int height = height_of(object);
  const Token& token = tokens_.current();
  if (token.kind == TokenKind::kName) {
    tokens_.take();
    return make(at, height, Attribute{std::move(object), token.text});
  }
  if (token.kind != TokenKind::kInteger) tokens_.fail_expected("a name or a number");
  tokens_.take();
  return make(at, height,
              Item{std::move(object), constant(token.at, Value::integer(token.integer))});
}

// object[key], object[start:stop:step] or object[a, b], which looks up a tuple.
ExprPtr ExpressionParser::subscript(ExprPtr object) {
  const Position at = tokens_.take().at;
  const auto at_end = [&] { return tokens_.at_operator("]") || tokens_.at_operator(","); };
  Exprs keys;
  if (!tokens_.at_operator(":")) {
    keys.push_back(expression());
    while (tokens_.skip_operator(",")) {
      if (!tokens_.at_operator("]")) keys.push_back(expression());
    }
    if (tokens_.skip_operator("]")) {
      const int below = std::max(height_of(object), height_of(keys));
      ExprPtr key = keys.size() == 1 ? std::move(keys[0])
                                     : make(at, below, SequenceDisplay{std::move(keys), true});
      const int height = std::max(height_of(object), height_of(key));
      return make(at, height, Item{std::move(object), std::move(key)});
    }
    if (keys.size() != 1) tokens_.fail_expected("']'");
  }
  Slice s{std::move(object), keys.empty() ? nullptr : std::move(keys[0]), nullptr, nullptr};
  tokens_.expect_operator(":");
  if (!tokens_.at_operator(":") && !at_end()) s.stop = expression();
  if (tokens_.skip_operator(":") && !at_end()) s.step = expression();
  tokens_.expect_operator("]");
  const int height =
      std::max({height_of(s.object), height_of(s.start), height_of(s.stop), height_of(s.step)});
  return make(at, height, std::move(s));
}

ExprPtr ExpressionParser::call(ExprPtr callee) {
  const Position at = tokens_.current().at;
  ArgumentExprs arguments = call_arguments();
  const int height = std::max(height_of(callee), height_of(arguments));
  return make(at, height, Call{std::move(callee), std::move(arguments)});
}

ArgumentExprs ExpressionParser::call_arguments() {
  ArgumentExprs arguments;
  tokens_.expect_operator("(");
  while (!tokens_.at_operator(")")) {
    const bool is_named = tokens_.at(TokenKind::kName) && tokens_.next().is_operator("=");
    if (arguments.double_star) tokens_.fail("nothing may follow **arguments in a call");
    if (tokens_.skip_operator("**")) {
      arguments.double_star = expression();
    } else if (tokens_.at_operator("*")) {
      if (arguments.star) tokens_.fail("a call has more than one *arguments");
      tokens_.take();
      arguments.star = expression();
    } else if (is_named) {
      std::string name = tokens_.expect_identifier();
      tokens_.take();
      for (const auto& [other, value] : arguments.named) {
        if (other == name) tokens_.fail("keyword argument repeated: " + name);
      }
      arguments.named.emplace_back(std::move(name), expression());
    } else {
      if (arguments.star || !arguments.named.empty()) {
        tokens_.fail("a positional argument follows a keyword argument or *arguments");
      }
      arguments.positional.push_back(expression());
    }
    if (!tokens_.at_operator(")")) tokens_.expect_operator(",");
  }
  tokens_.take();
  return arguments;
}

std::string ExpressionParser::dotted_name() {
  std::string name = tokens_.expect_identifier();
  while (tokens_.skip_operator(".")) name.append(1, '.').append(tokens_.expect_identifier());
  return name;
}

FilterStep ExpressionParser::filter_step() {
  FilterStep step;
  step.at = tokens_.current().at;
  step.name = dotted_name();
  step.function = find_filter(step.name);
  if (tokens_.at_operator("(")) step.arguments = call_arguments();
  return step;
}

std::vector<FilterStep> ExpressionParser::filter_chain(bool inside) {
  std::vector<FilterStep> steps;
  if (inside) steps.push_back(filter_step());
  while (tokens_.skip_operator("|")) steps.push_back(filter_step());
  return steps;
}

// operand is [not] name, name(arguments) or name argument.
ExprPtr ExpressionParser::test(ExprPtr operand) {
  const Position at = tokens_.take().at;
  const bool is_negated = tokens_.skip_name("not");
  Tested tested{std::move(operand), dotted_name(), nullptr, {}};
  tested.function = find_test(tested.name);
  const Token& token = tokens_.current();
  const bool is_keyword = token.is_name("else") || token.is_name("or") || token.is_name("and");
  if (tokens_.at_operator("(")) {
    tested.arguments = call_arguments();
  } else if (((token.kind == TokenKind::kName && !is_keyword) || token.kind == TokenKind::kString ||
              token.kind == TokenKind::kInteger || token.kind == TokenKind::kFloat ||
              token.is_operator("[") || token.is_operator("{"))) {
    if (token.is_name("is")) tokens_.fail("You cannot chain multiple tests with is");
    tested.arguments.positional.push_back(postfix(primary()));
  }
  const int height = std::max(height_of(tested.operand), height_of(tested.arguments));
  ExprPtr expr = make(at, height, std::move(tested));
  return is_negated ? make(at, height + 1, Not{std::move(expr)}) : std::move(expr);
}

Target ExpressionParser::target_name() {
  Target target;
  target.at = tokens_.current().at;
  target.name = tokens_.expect_identifier();
  for (const char* reserved : {"true", "false", "none", "True", "False", "None"}) {
    if (target.name == reserved) throw Fault("can't assign to '" + target.name + "'", target.at);
  }
  return target;
}

Target ExpressionParser::single_target(bool with_namespace) {
  const DepthGuard guard(tokens_);
  if (tokens_.skip_operator("(")) {
    Target inner = target(with_namespace);
    tokens_.expect_operator(")");
    return inner;
  }
  Target name = target_name();
  if (with_namespace && tokens_.skip_operator(".")) name.attribute = tokens_.expect_identifier();
  return name;
}

Target ExpressionParser::target(bool with_namespace, const char* end) {
  Target several;
  several.at = tokens_.current().at;
  bool is_tuple = false;
  while (!at_tuple_end(end) && !tokens_.at_operator("=")) {
    several.several.push_back(single_target(with_namespace));
    if (!tokens_.skip_operator(",")) break;
    is_tuple = true;
  }
  if (several.several.empty()) tokens_.fail_expected("a name to assign to");
  if (is_tuple) return several;
  Target single = std::move(several.several[0]);
  return single;
}

}  // namespace galley::chat
