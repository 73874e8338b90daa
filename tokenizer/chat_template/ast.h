// The syntax tree of a template, as the parser builds it and the evaluator walks it.
//
// Where it sits: source -> lexer -> parser -> Program -> scopes (gives every name its place)
// -> evaluator -> text. A Program never changes after that, so renders may share it.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "tokenizer/chat_template/fault.h"
#include "tokenizer/chat_template/filters.h"
#include "tokenizer/chat_template/operators.h"
#include "tokenizer/chat_template/tests.h"
#include "tokenizer/chat_template/value.h"

namespace galley::chat {

struct Expr;
struct Stmt;
using ExprPtr = std::unique_ptr<Expr>;
using Exprs = std::vector<ExprPtr>;
using Block = std::vector<std::unique_ptr<Stmt>>;

// Where a variable lives. Each function (the template itself, a macro, a call block, a
// recursive loop) has an array of slots; `hops` counts functions outwards from the current one.
// slot -1: an input of the template or one of the global functions, looked up by name.
struct Place {
  int hops = 0;
  int slot = -1;
};

// What a variable of a frame holds when the frame is entered.
struct FrameStart {
  enum class From { kNothing, kInput, kOuter };
  std::string name;
  int slot = 0;
  From from = From::kNothing;
  Place outer;  // kOuter: copied from there
};

// A stretch of template with variables of its own: a loop body, a macro, a block that is
// captured. Assignments inside do not reach outside. Filled in by scopes.
using Frame = std::vector<FrameStart>;

// ---- expressions ----

struct Constant {
  Value value;
};
struct Name {
  std::string name;
  Place place;
};
struct SequenceDisplay {  // [a, b] or (a, b)
  Exprs items;
  bool is_tuple;
};
struct DictDisplay {
  std::vector<std::pair<ExprPtr, ExprPtr>> entries;
};
struct Not {
  ExprPtr operand;
};
struct Unary {  // -x, +x
  char op;
  ExprPtr operand;
};
struct Binary {
  BinaryOp op;
  ExprPtr left;
  ExprPtr right;
};
struct Logical {  // gives one of its operands, as in Python
  bool is_and;
  ExprPtr left;
  ExprPtr right;
};
struct Concat {  // a ~ b ~ c
  Exprs parts;
};
struct Comparison {  // a < b < c
  ExprPtr first;
  std::vector<std::pair<CompareOp, ExprPtr>> rest;
};
struct Conditional {  // value if test else otherwise
  ExprPtr value;
  ExprPtr test;
  ExprPtr otherwise;  // may be null
};
struct Attribute {  // object.name
  ExprPtr object;
  std::string name;
};
struct Item {  // object[key]
  ExprPtr object;
  ExprPtr key;
};
struct Slice {  // object[start:stop:step], each of the three may be null
  ExprPtr object;
  ExprPtr start;
  ExprPtr stop;
  ExprPtr step;
};
struct ArgumentExprs {
  Exprs positional;
  std::vector<std::pair<std::string, ExprPtr>> named;
  ExprPtr star;         // *args, or null
  ExprPtr double_star;  // **kwargs, or null
};
struct Call {
  ExprPtr callee;
  ArgumentExprs arguments;
};
struct FilterStep {  // | name(arguments)
  std::string name;
  FilterFunction function;
  ArgumentExprs arguments;
  Position at;
};
struct Filtered {
  ExprPtr operand;
  FilterStep filter;
};
struct Tested {  // operand is name(arguments)
  ExprPtr operand;
  std::string name;
  TestFunction function;
  ArgumentExprs arguments;
};

struct Expr {
  Position at;
  int height;  // of the tree below, bounded by the parser
  std::variant<Constant, Name, SequenceDisplay, DictDisplay, Not, Unary, Binary, Logical, Concat,
               Comparison, Conditional, Attribute, Item, Slice, Call, Filtered, Tested>
      node;
};

// ---- statements ----

// What can be assigned to: a name, `namespace.attribute`, or several of them.
struct Target {
  Position at;
  std::string name;       // empty for several
  std::string attribute;  // empty for a plain name
  Place place;            // of `name`
  std::vector<Target> several;
};

struct Literal {  // template text outside of tags
  std::string text;
};
struct Output {  // {{ value }}
  Exprs values;
};
struct If {
  struct Branch {
    ExprPtr test;
    Block body;
  };
  std::vector<Branch> branches;
  Block otherwise;
};
struct For {
  Target target;
  ExprPtr iterable;
  ExprPtr filter;        // `for x in xs if filter`, or null
  Target filter_target;  // the same names as `target`, in the filter's own frame
  bool is_recursive = false;
  Block body;
  Block otherwise;
  Frame body_frame;
  Frame filter_frame;
  Frame otherwise_frame;
  Place loop;       // the variable `loop`
  int n_slots = 0;  // is_recursive: the body is a function
};
struct Set {
  Target target;
  ExprPtr value;
};
struct SetBlock {  // {% set target | filters %}body{% endset %}
  Target target;
  std::vector<FilterStep> filters;
  Block body;
  Frame frame;
};
struct Parameter {
  std::string name;
  int slot = 0;
  ExprPtr default_value;  // or null
};
struct MacroDefinition {
  std::string name;  // empty: the body of a call block
  std::vector<Parameter> parameters;
  Block body;
  Frame frame;
  int n_slots = 0;
  // Slots of the special variables, or -1 where the body does not mention them.
  int caller_slot = -1;
  int kwargs_slot = -1;
  int varargs_slot = -1;
};
struct Macro {
  Target target;  // the variable that holds it
  std::shared_ptr<MacroDefinition> definition;
};
struct CallBlock {  // {% call(parameters) callee(arguments) %}body{% endcall %}
  std::shared_ptr<MacroDefinition> caller;
  ExprPtr call;  // a Call
};
struct FilterBlock {
  std::vector<FilterStep> filters;
  Block body;
  Frame frame;
};
struct With {
  std::vector<std::pair<Target, ExprPtr>> assignments;
  Block body;
  Frame frame;
};
struct Scoped {  // {% generation %}: renders its body
  Block body;
  Frame frame;
};
struct Break {};
struct Continue {};

struct Stmt {
  Position at;
  std::variant<Literal, Output, If, For, Set, SetBlock, Macro, CallBlock, FilterBlock, With, Scoped,
               Break, Continue>
      node;
};

// A whole template.
struct Program {
  std::string source;
  std::string name;  // for error messages
  Block body;
  Frame frame;
  int n_slots = 0;
  std::set<std::string, std::less<>> inputs;  // names it may read from its inputs
};

}  // namespace galley::chat
