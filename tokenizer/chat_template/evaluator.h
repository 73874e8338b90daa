// Runs a template: walks its syntax tree, keeps its variables, collects its text.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tokenizer/chat_template/ast.h"
#include "tokenizer/chat_template/limits.h"
#include "tokenizer/chat_template/value.h"

namespace galley::chat {

// What a template may look up by name: its inputs and the global functions.
using Inputs = std::map<std::string, Value, std::less<>>;

// The variables of one call of a function of the template. A macro holds on to those of the
// function it was defined in.
struct Activation : Kept {
  Activation(int n_slots, std::shared_ptr<Activation> outer_function)
      : slots(static_cast<std::size_t>(n_slots)),
        outer(std::move(outer_function)),
        charge(sizeof(Activation) + slots.size() * sizeof(Value)) {}
  void clear() override {
    slots.clear();
    outer.reset();
  }

  std::vector<Value> slots;
  std::shared_ptr<Activation> outer;
  Charge charge;
};

// One render. Objects that it makes (macros, loops) refer to it, and must not outlive it.
class Evaluator {
 public:
  // Keeps references to both.
  Evaluator(const Program& program, const Inputs& inputs);

  // The text of the whole template. Throws Fault.
  std::string run();

  // Calls a macro that was defined while `outer` was current.
  Value call_macro(const MacroDefinition& macro, std::shared_ptr<Activation> outer,
                   const Arguments& arguments);

 private:
  // How a statement ends: normally, or by a break or continue on its way to the loop.
  enum class Flow { kNormal, kBreak, kContinue };

  // Text that is being collected.
  struct Text {
    std::string bytes;
    Charge charge;
  };

  // ---- evaluator.cpp: expressions ----
  Value evaluate(const Expr& expr);
  Value evaluate_or_none(const ExprPtr& expr);
  bool test(const Expr& expr) { return is_true(evaluate(expr)); }
  Values evaluate_all(const Exprs& exprs);
  Arguments evaluate_arguments(const ArgumentExprs& arguments);
  void add_star(Arguments& arguments, const Value& values);
  void add_double_star(Arguments& arguments, const Value& values);
  Value call(const Call& node, const Value* caller);
  Value apply(const FilterStep& filter, const Value& value);

  Value visit(const Constant& node) { return node.value; }
  Value visit(const Name& node);
  Value visit(const SequenceDisplay& node);
  Value visit(const DictDisplay& node);
  Value visit(const Not& node) { return Value::boolean(!test(*node.operand)); }
  Value visit(const Unary& node);
  Value visit(const Binary& node);
  Value visit(const Logical& node);
  Value visit(const Concat& node);
  Value visit(const Comparison& node);
  Value visit(const Conditional& node);
  Value visit(const Attribute& node);
  Value visit(const Item& node);
  Value visit(const Slice& node);
  Value visit(const Call& node) { return call(node, nullptr); }
  Value visit(const Filtered& node) { return apply(node.filter, evaluate(*node.operand)); }
  Value visit(const Tested& node);

  // ---- statements.cpp ----
  Flow execute(const Block& block);
  Flow execute(const Stmt& stmt);
  void write(const std::string& text);
  // Executes `block` and takes what it writes instead of writing it.
  Flow capture(const Block& block, std::string& text);

  Flow visit(const Literal& node);
  Flow visit(const Output& node);
  Flow visit(const If& node);
  Flow visit(const For& node);
  Flow visit(const Set& node);
  Flow visit(const SetBlock& node);
  Flow visit(const Macro& node);
  Flow visit(const CallBlock& node);
  Flow visit(const FilterBlock& node);
  Flow visit(const With& node);
  Flow visit(const Scoped& node);
  Flow visit(const Break&) { return Flow::kBreak; }
  Flow visit(const Continue&) { return Flow::kContinue; }

  Flow run_loop(const For& node, const Value& iterable, int depth);
  Next filtered(const For& node, Next items);
  Value render_recursive(const For& node, std::shared_ptr<Activation> outer, const Value& iterable,
                         int depth);
  void bind_parameters(const MacroDefinition& macro, const Arguments& arguments);

  // ---- variables, in statements.cpp ----
  Value* slot(Place place);
  Value lookup(const std::string& name, Place place);
  const Value* find_input(const std::string& name) const;
  void enter(const Frame& frame);
  void leave(const Frame& frame);
  void assign(const Target& target, const Value& value);
  Value make_macro(const std::shared_ptr<MacroDefinition>& definition);

  const Program& program_;
  const Inputs& inputs_;
  std::shared_ptr<Activation> here_;  // of the function that is running
  Text* text_ = nullptr;              // where the running statements write
  int depth_ = 0;                     // of expressions and statements under way
};

}  // namespace galley::chat
