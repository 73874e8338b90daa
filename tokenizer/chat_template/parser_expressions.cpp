#include <algorithm>

#include "tokenizer/chat_template/parser.h"

namespace galley::chat {
namespace {

int height_of(const ExprPtr& expr) { return expr ? expr->height : 0; }

int height_of(const Exprs& exprs) {
  int height = 0;
  for (const ExprPtr& e : exprs) height = std::max(height, height_of(e));
  return height;
}

int height_of(const ArgumentExprs& arguments) {
  int height = std::max(height_of(arguments.positional), height_of(arguments.star));
  height = std::max(height, height_of(arguments.double_star));
  for (const auto& [name, e] : arguments.named) height = std::max(height, height_of(e));
  return height;
}

// Makes an expression above others of at most `height_below`. A long chain of operators is as
// high as it is long.
template <typename Node>
ExprPtr make(Position at, int height_below, Node node) {
  if (height_below >= kMaxExpressionHeight) {
    throw Fault("the expression has more than " + std::to_string(kMaxExpressionHeight) +
                    " operations in one another",
                at);
  }
  return std::make_unique<Expr>(Expr{at, height_below + 1, std::move(node)});
}

ExprPtr constant(Position at, Value value) { return make(at, 0, Constant{std::move(value)}); }

}  // namespace

ExprPtr ExpressionParser::expression(bool with_condition) {
  const DepthGuard guard(tokens_);
  return with_condition ? conditional() : disjunction();
}

bool ExpressionParser::at_tuple_end(const char* end) const {
  return tokens_.at(TokenKind::kVariableEnd) || tokens_.at(TokenKind::kBlockEnd) ||
         tokens_.at_operator(")") || (end && tokens_.at_name(end));
}

ExprPtr ExpressionParser::tuple(bool with_condition, const char* end) {
  const Position at = tokens_.current().at;
  Exprs items;
  bool is_tuple = false;
  while (!at_tuple_end(end)) {
    items.push_back(expression(with_condition));
    if (!tokens_.skip_operator(",")) break;
    is_tuple = true;
  }
  if (items.empty()) tokens_.fail_expected("an expression");
  if (!is_tuple) return std::move(items[0]);
  const int height = height_of(items);
  return make(at, height, SequenceDisplay{std::move(items), true});
}

ExprPtr ExpressionParser::conditional() {
  const Position at = tokens_.current().at;
  ExprPtr value = disjunction();
  while (tokens_.skip_name("if")) {
    ExprPtr test = disjunction();
    ExprPtr otherwise;
    if (tokens_.skip_name("else")) {
      const DepthGuard guard(tokens_);
      otherwise = conditional();
    }
    const int height = std::max({height_of(value), height_of(test), height_of(otherwise)});
    value = make(at, height, Conditional{std::move(value), std::move(test), std::move(otherwise)});
  }
  return value;
}

ExprPtr ExpressionParser::disjunction() {
  ExprPtr left = conjunction();
  while (tokens_.at_name("or")) {
    const Position at = tokens_.take().at;
    ExprPtr right = conjunction();
    const int height = std::max(height_of(left), height_of(right));
    left = make(at, height, Logical{false, std::move(left), std::move(right)});
  }
  return left;
}

ExprPtr ExpressionParser::conjunction() {
  ExprPtr left = negation();
  while (tokens_.at_name("and")) {
    const Position at = tokens_.take().at;
    ExprPtr right = negation();
    const int height = std::max(height_of(left), height_of(right));
    left = make(at, height, Logical{true, std::move(left), std::move(right)});
  }
  return left;
}

ExprPtr ExpressionParser::negation() {
  if (!tokens_.at_name("not")) return comparison();
  const DepthGuard guard(tokens_);
  const Position at = tokens_.take().at;
  ExprPtr operand = negation();
  const int height = height_of(operand);
  return make(at, height, Not{std::move(operand)});
}

ExprPtr ExpressionParser::comparison() {
  constexpr std::pair<const char*, CompareOp> kOperators[] = {
      {"==", CompareOp::kEqual},  {"!=", CompareOp::kNotEqual},
      {"<", CompareOp::kLess},    {"<=", CompareOp::kLessEqual},
      {">", CompareOp::kGreater}, {">=", CompareOp::kGreaterEqual}};
  const Position at = tokens_.current().at;
  ExprPtr first = sum();
  std::vector<std::pair<CompareOp, ExprPtr>> rest;
  int height = height_of(first);
  const auto add = [&](CompareOp op) {
    rest.emplace_back(op, sum());
    height = std::max(height, height_of(rest.back().second));
  };
  while (true) {
    const auto* op = std::find_if(std::begin(kOperators), std::end(kOperators),
                                  [&](const auto& o) { return tokens_.at_operator(o.first); });
    if (op != std::end(kOperators)) {
      tokens_.take();
      add(op->second);
    } else if (tokens_.skip_name("in")) {
      add(CompareOp::kIn);
    } else if (tokens_.at_name("not") && tokens_.next().is_name("in")) {
      tokens_.take();
      tokens_.take();
      add(CompareOp::kNotIn);
    } else {
      break;
    }
  }
  if (rest.empty()) return first;
  return make(at, height, Comparison{std::move(first), std::move(rest)});
}

ExprPtr ExpressionParser::sum() {
  ExprPtr left = concatenation();
  while (tokens_.at_operator("+") || tokens_.at_operator("-")) {
    const Token& token = tokens_.take();
    const BinaryOp op = token.text == "+" ? BinaryOp::kAdd : BinaryOp::kSubtract;
    ExprPtr right = concatenation();
    const int height = std::max(height_of(left), height_of(right));
    left = make(token.at, height, Binary{op, std::move(left), std::move(right)});
  }
  return left;
}

ExprPtr ExpressionParser::concatenation() {
  const Position at = tokens_.current().at;
  Exprs parts;
  parts.push_back(product());
  while (tokens_.skip_operator("~")) parts.push_back(product());
  if (parts.size() == 1) return std::move(parts[0]);
  const int height = height_of(parts);
  return make(at, height, Concat{std::move(parts)});
}

ExprPtr ExpressionParser::product() {
  constexpr std::pair<const char*, BinaryOp> kOperators[] = {{"*", BinaryOp::kMultiply},
                                                             {"/", BinaryOp::kDivide},
                                                             {"//", BinaryOp::kFloorDivide},
                                                             {"%", BinaryOp::kModulo}};
  ExprPtr left = power();
  while (true) {
    const auto* op = std::find_if(std::begin(kOperators), std::end(kOperators),
                                  [&](const auto& o) { return tokens_.at_operator(o.first); });
    if (op == std::end(kOperators)) return left;
    const Position at = tokens_.take().at;
    ExprPtr right = power();
    const int height = std::max(height_of(left), height_of(right));
    left = make(at, height, Binary{op->second, std::move(left), std::move(right)});
  }
}

// Jinja groups a ** b ** c from the left, other than Python.
ExprPtr ExpressionParser::power() {
  ExprPtr left = unary(true);
  while (tokens_.at_operator("**")) {
    const Position at = tokens_.take().at;
    ExprPtr right = unary(true);
    const int height = std::max(height_of(left), height_of(right));
    left = make(at, height, Binary{BinaryOp::kPower, std::move(left), std::move(right)});
  }
  return left;
}

ExprPtr ExpressionParser::unary(bool with_filters) {
  const DepthGuard guard(tokens_);
  ExprPtr expr;
  if (tokens_.at_operator("-") || tokens_.at_operator("+")) {
    const Token& sign = tokens_.take();
    ExprPtr operand = unary(false);
    const int height = height_of(operand);
    expr = make(sign.at, height, Unary{sign.text[0], std::move(operand)});
  } else {
    expr = primary();
  }
  expr = postfix(std::move(expr));
  return with_filters ? filters_and_tests(std::move(expr)) : std::move(expr);
}

ExprPtr ExpressionParser::primary() {
  const Token& token = tokens_.current();
  switch (token.kind) {
    case TokenKind::kName:
      tokens_.take();
      if (token.text == "true" || token.text == "True")
        return constant(token.at, Value::boolean(true));
      if (token.text == "false" || token.text == "False")
        return constant(token.at, Value::boolean(false));
      if (token.text == "none" || token.text == "None") return constant(token.at, Value::none());
      return make(token.at, 0, Name{token.text, {}});
    case TokenKind::kString: {
      std::string text;
      while (tokens_.at(TokenKind::kString)) text += tokens_.take().text;
      return constant(token.at, Value::string(std::move(text)));
    }
    case TokenKind::kInteger:
      tokens_.take();
      return constant(token.at, Value::integer(token.integer));
    case TokenKind::kFloat:
      tokens_.take();
      return constant(token.at, Value::number(token.number));
    default:
      if (tokens_.at_operator("(")) return parenthesized();
      if (tokens_.at_operator("[")) return list_display();
      if (tokens_.at_operator("{")) return dict_display();
      tokens_.fail_expected("an expression");
  }
}

ExprPtr ExpressionParser::parenthesized() {
  const Position at = tokens_.take().at;
  if (tokens_.skip_operator(")")) return make(at, 0, SequenceDisplay{{}, true});
  ExprPtr expr = tuple();
  tokens_.expect_operator(")");
  return expr;
}

ExprPtr ExpressionParser::list_display() {
  const Position at = tokens_.take().at;
  Exprs items;
  while (!tokens_.at_operator("]")) {
    items.push_back(expression());
    if (!tokens_.at_operator("]")) tokens_.expect_operator(",");
  }
  tokens_.take();
  const int height = height_of(items);
  return make(at, height, SequenceDisplay{std::move(items), false});
}

ExprPtr ExpressionParser::dict_display() {
  const Position at = tokens_.take().at;
  DictDisplay dict;
  int height = 0;
  while (!tokens_.at_operator("}")) {
    ExprPtr key = expression();
    tokens_.expect_operator(":");
    ExprPtr value = expression();
    height = std::max({height, height_of(key), height_of(value)});
    dict.entries.emplace_back(std::move(key), std::move(value));
    if (!tokens_.at_operator("}")) tokens_.expect_operator(",");
  }
  tokens_.take();
  return make(at, height, std::move(dict));
}

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
