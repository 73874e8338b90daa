// Builds the syntax tree of a template: a recursive descent over the tokens, one function per
// rule of the grammar.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/chat_template/ast.h"
#include "tokenizer/chat_template/lexer.h"

namespace galley::chat {

// Parses `source`; the names in the result have no places yet (resolve_names gives them).
// Throws Fault with a position.
Program parse(std::string source, std::string name);

// What the parsers of statements and of expressions share: the tokens and where they are.
class TokenStream {
 public:
  explicit TokenStream(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}

  const Token& current() const { return tokens_[at_]; }
  const Token& next() const { return tokens_[std::min(at_ + 1, tokens_.size() - 1)]; }
  // The current token, having moved to the one after it. The last one, kEnd, stays.
  const Token& take();

  bool at_operator(const char* text) const { return current().is_operator(text); }
  bool at_name(const char* text) const { return current().is_name(text); }
  bool at(TokenKind kind) const { return current().kind == kind; }
  bool skip_operator(const char* text);
  bool skip_name(const char* text);
  void expect_operator(const char* text);
  void expect_name(const char* text);
  std::string expect_identifier();
  void expect(TokenKind kind, const char* what);

  [[noreturn]] void fail(const std::string& message) const;
  [[noreturn]] void fail_expected(const std::string& what) const;

  // How deep rules are nested in one another at the moment; see DepthGuard.
  int depth = 0;

 private:
  std::vector<Token> tokens_;
  std::size_t at_ = 0;
};

// Bounds the nesting of rules, and with it the stack of the parser and of the evaluator.
class DepthGuard {
 public:
  explicit DepthGuard(TokenStream& tokens);
  ~DepthGuard() { --tokens_.depth; }
  DepthGuard(const DepthGuard&) = delete;
  DepthGuard& operator=(const DepthGuard&) = delete;

 private:
  TokenStream& tokens_;
};

// The rules of expressions.
class ExpressionParser {
 public:
  explicit ExpressionParser(TokenStream& tokens) : tokens_(tokens) {}

  ExprPtr expression(bool with_condition = true);
  // One expression, or several with commas between them, which make a tuple. `end` is a name
  // that also ends it ("in"), or nullptr.
  ExprPtr tuple(bool with_condition = true, const char* end = nullptr);
  // `name(arguments) | name ...`, the first bar already taken if `inside` is true.
  std::vector<FilterStep> filter_chain(bool inside);
  // Names that are assigned to: a, b or (a, b) or, where allowed, namespace.attribute.
  Target target(bool with_namespace, const char* end = nullptr);
  Target target_name();

 private:
  ExprPtr conditional();
  ExprPtr disjunction();
  ExprPtr conjunction();
  ExprPtr negation();
  ExprPtr comparison();
  ExprPtr sum();
  ExprPtr concatenation();
  ExprPtr product();
  ExprPtr power();
  ExprPtr unary(bool with_filters);
  ExprPtr primary();
  ExprPtr parenthesized();
  ExprPtr list_display();
  ExprPtr dict_display();
  ExprPtr postfix(ExprPtr expr);
  ExprPtr filters_and_tests(ExprPtr expr);
  ExprPtr dotted(ExprPtr object);
  ExprPtr subscript(ExprPtr object);
  ExprPtr call(ExprPtr callee);
  ExprPtr test(ExprPtr operand);
  std::string dotted_name();
  FilterStep filter_step();
  ArgumentExprs call_arguments();
  Target single_target(bool with_namespace);
  bool at_tuple_end(const char* end) const;

  TokenStream& tokens_;
};

}  // namespace galley::chat
