#include "tokenizer/chat_template/mentions.h"

#include <algorithm>

namespace galley::chat {
namespace {

// Finds the first use of a name, in the order of the source.
class Search {
 public:
  explicit Search(const std::string& name) : name_(name) {}

  bool block(const Block& block) {
    for (const auto& stmt : block) {
      std::visit([this](const auto& node) { visit(node); }, stmt->node);
    }
    return found_;
  }

 private:
  void expression(const ExprPtr& expr) {
    if (expr) for_each_name(*expr, [this](const Name& n) { use(n.name); });
  }
  void filters(const std::vector<FilterStep>& steps) {
    for (const FilterStep& step : steps) {
      for_each_name(step.arguments, [this](const Name& n) { use(n.name); });
    }
  }
  void use(const std::string& name) { found_ = found_ || (name == name_ && !assigned_); }
  void assign(const Target& target) {
    for (const Target& t : target.several) assign(t);
    assigned_ = assigned_ || (target.name == name_ && target.attribute.empty());
  }

  void visit(const Output& node) {
    for (const ExprPtr& e : node.values) expression(e);
  }
  void visit(const If& node) {
    for (const If::Branch& branch : node.branches) {
      expression(branch.test);
      block(branch.body);
    }
    block(node.otherwise);
  }
  void visit(const For& node) {
    assign(node.target);
    expression(node.iterable);
    block(node.body);
    block(node.otherwise);
    expression(node.filter);
  }
  void visit(const Set& node) {
    assign(node.target);
    expression(node.value);
  }
  void visit(const SetBlock& node) {
    assign(node.target);
    filters(node.filters);
    block(node.body);
  }
  void macro(const MacroDefinition& macro) {
    for (const Parameter& p : macro.parameters) expression(p.default_value);
    block(macro.body);
  }
  void visit(const Macro& node) { macro(*node.definition); }
  void visit(const CallBlock& node) {
    expression(node.call);
    macro(*node.caller);
  }
  void visit(const FilterBlock& node) {
    block(node.body);
    filters(node.filters);
  }
  void visit(const With& node) {
    for (const auto& [target, value] : node.assignments) expression(value);
    block(node.body);
  }
  void visit(const Scoped& node) { block(node.body); }
  void visit(const Literal&) {}
  void visit(const Break&) {}
  void visit(const Continue&) {}

  const std::string& name_;
  bool found_ = false;
  bool assigned_ = false;
};

}  // namespace

bool mentions(const Block& block, const std::string& name) { return Search(name).block(block); }

}  // namespace galley::chat
