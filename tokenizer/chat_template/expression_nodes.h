// Making the nodes of expressions, for the files of ExpressionParser.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "tokenizer/chat_template/parser.h"

namespace galley::chat {

inline int height_of(const ExprPtr& expr) { return expr ? expr->height : 0; }

inline int height_of(const Exprs& exprs) {
  int height = 0;
  for (const ExprPtr& e : exprs) height = std::max(height, height_of(e));
  return height;
}

inline int height_of(const ArgumentExprs& arguments) {
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

inline ExprPtr constant(Position at, Value value) {
  return make(at, 0, Constant{std::move(value)});
}

}  // namespace galley::chat
