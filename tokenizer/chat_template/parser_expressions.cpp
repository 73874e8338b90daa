// Expressions from the loosest operator down to names, literals and displays.
#include "tokenizer/chat_template/expression_nodes.h"

namespace galley::chat {

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

}  // namespace galley::chat
