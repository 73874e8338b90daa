// Going over the names in a piece of template.
#pragma once

#include <string>
#include <type_traits>

#include "tokenizer/chat_template/ast.h"

namespace galley::chat {

// Calls visit(name) for every Name in an expression, in the order of the source. `E` is Expr or
// const Expr, and the names are const or not accordingly.
template <typename E, typename Visit>
requires std::is_same_v<std::remove_const_t<E>, Expr>
void for_each_name(E& expr, const Visit& visit);

// The same for the arguments of a call.
template <typename A, typename Visit>
requires std::is_same_v<std::remove_const_t<A>, ArgumentExprs>
void for_each_name(A& arguments, const Visit& visit);

// Whether the statements, or any inside them, use a variable of this name without assigning to
// it first.
bool mentions(const Block& block, const std::string& name);

namespace detail {

// The children of an expression, in the order of the source.
template <typename Visit>
struct ForEachName {
  const Visit& visit;

  template <typename P>
  void child(P& expr) const {
    if (expr) for_each_name(*expr, visit);
  }
  template <typename L>
  void children(L& exprs) const {
    for (auto& e : exprs) child(e);
  }

  void operator()(auto& node) const {
    using Node = std::remove_cvref_t<decltype(node)>;
    if constexpr (std::is_same_v<Node, Name>) {
      visit(node);
    } else if constexpr (std::is_same_v<Node, Constant>) {
      // no names
    } else if constexpr (std::is_same_v<Node, SequenceDisplay>) {
      children(node.items);
    } else if constexpr (std::is_same_v<Node, DictDisplay>) {
      for (auto& [key, value] : node.entries) {
        child(key);
        child(value);
      }
    } else if constexpr (std::is_same_v<Node, Not> || std::is_same_v<Node, Unary>) {
      child(node.operand);
    } else if constexpr (std::is_same_v<Node, Binary> || std::is_same_v<Node, Logical>) {
      child(node.left);
      child(node.right);
    } else if constexpr (std::is_same_v<Node, Concat>) {
      children(node.parts);
    } else if constexpr (std::is_same_v<Node, Comparison>) {
      child(node.first);
      for (auto& [op, e] : node.rest) child(e);
    } else if constexpr (std::is_same_v<Node, Conditional>) {
      child(node.test);
      child(node.value);
      child(node.otherwise);
    } else if constexpr (std::is_same_v<Node, Attribute>) {
      child(node.object);
    } else if constexpr (std::is_same_v<Node, Item>) {
      child(node.object);
      child(node.key);
    } else if constexpr (std::is_same_v<Node, Slice>) {
      child(node.object);
      child(node.start);
      child(node.stop);
      child(node.step);
    } else if constexpr (std::is_same_v<Node, Call>) {
      child(node.callee);
      for_each_name(node.arguments, visit);
    } else if constexpr (std::is_same_v<Node, Filtered>) {
      child(node.operand);
      for_each_name(node.filter.arguments, visit);
    } else {
      static_assert(std::is_same_v<Node, Tested>);
      child(node.operand);
      for_each_name(node.arguments, visit);
    }
  }
};

}  // namespace detail

template <typename E, typename Visit>
requires std::is_same_v<std::remove_const_t<E>, Expr>
void for_each_name(E& expr, const Visit& visit) {
  std::visit(detail::ForEachName<Visit>{visit}, expr.node);
}

template <typename A, typename Visit>
requires std::is_same_v<std::remove_const_t<A>, ArgumentExprs>
void for_each_name(A& arguments, const Visit& visit) {
  const detail::ForEachName<Visit> walk{visit};
  walk.children(arguments.positional);
  for (auto& [name, e] : arguments.named) walk.child(e);
  walk.child(arguments.star);
  walk.child(arguments.double_star);
}

}  // namespace galley::chat
