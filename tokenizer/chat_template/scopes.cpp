#include "tokenizer/chat_template/scopes.h"

#include <map>
#include <optional>
#include <set>
#include <string>

#include "tokenizer/chat_template/mentions.h"

namespace galley::chat {
namespace {

// A function of the template, that is, an array of slots at run time.
struct FunctionSlots {
  const FunctionSlots* outer = nullptr;
  int n_slots = 0;
};

// How a name of a frame starts. kInput and kNothing are told apart by what comes first in the
// frame: a name that is read first is the template's input, one that is assigned first is new.
enum class Start { kParameter, kNothing, kInput, kOuter };

// The names of one frame, or of one branch of an `if` in it.
class Scope {
 public:
  Scope(const Scope* outer, FunctionSlots& function) : outer_(outer), function_(&function) {}

  // A branch sees the names of `trunk` and keeps its own apart, until they are merged.
  static Scope branch_of(const Scope& trunk) {
    Scope branch(trunk.outer_, *trunk.function_);
    branch.trunk_ = &trunk;
    return branch;
  }

  void read(const std::string& name) {
    if (!knows(name)) starts_[name] = Start::kInput;
  }
  void assign(const std::string& name) {
    assigned_.insert(name);
    if (is_own(name)) return;
    starts_[name] = outer_ && outer_->knows(name) ? Start::kOuter : Start::kNothing;
  }
  void declare_parameter(const std::string& name) {
    assigned_.insert(name);
    starts_[name] = Start::kParameter;
  }

  // What only some branches assign keeps the value from before where they are not taken.
  void merge(const std::vector<Scope>& branches) {
    std::set<std::string> newly_assigned;
    for (const Scope& branch : branches) {
      for (const std::string& name : branch.assigned_) {
        if (!is_assigned(name)) newly_assigned.insert(name);
      }
      for (const auto& [name, start] : branch.starts_) starts_[name] = start;
    }
    for (const std::string& name : newly_assigned) {
      assigned_.insert(name);
      starts_[name] = outer_ && outer_->knows(name) ? Start::kOuter : Start::kInput;
    }
  }

  // Gives slots to the names that need one: those that are assigned or parameters. Others are
  // looked up among the inputs.
  Frame finish() {
    Frame frame;
    for (const auto& [name, start] : starts_) {
      if (!assigned_.contains(name)) continue;
      const int slot = function_->n_slots++;
      slots_[name] = slot;
      if (start == Start::kParameter) continue;
      FrameStart entry{name, slot, FrameStart::From::kNothing, {}};
      if (start == Start::kInput) entry.from = FrameStart::From::kInput;
      if (start == Start::kOuter) {
        entry.from = FrameStart::From::kOuter;
        entry.outer = outer_->place_from(name, function_);
      }
      frame.push_back(std::move(entry));
    }
    return frame;
  }

  Place place(const std::string& name) const { return place_from(name, function_); }
  FunctionSlots& function() const { return *function_; }

 private:
  bool is_own(const std::string& name) const {
    return starts_.contains(name) || (trunk_ && trunk_->is_own(name));
  }
  bool is_assigned(const std::string& name) const {
    return assigned_.contains(name) || (trunk_ && trunk_->is_assigned(name));
  }
  bool knows(const std::string& name) const {
    return is_own(name) || (outer_ && outer_->knows(name));
  }

  // The place of `name` as seen from code in `function`.
  Place place_from(const std::string& name, const FunctionSlots* function) const {
    for (const Scope* scope = this; scope; scope = scope->outer_) {
      if (!scope->starts_.contains(name)) continue;
      const auto slot = scope->slots_.find(name);
      if (slot == scope->slots_.end()) return {};
      Place place{0, slot->second};
      for (; function != scope->function_; function = function->outer) ++place.hops;
      return place;
    }
    return {};
  }

  const Scope* outer_;
  const Scope* trunk_ = nullptr;  // of a branch
  FunctionSlots* function_;
  std::map<std::string, Start> starts_;
  std::set<std::string> assigned_;
  std::map<std::string, int> slots_;
};

// Collects the names of one frame, in the order in which they are seen; does not look into
// frames inside.
class Collector {
 public:
  explicit Collector(Scope& scope) : scope_(&scope) {}

  void expression(const ExprPtr& expr) {
    if (!expr) return;
    for_each_name(*expr, [&](const Name& name) { scope_->read(name.name); });
  }

  void filters(const std::vector<FilterStep>& steps) {
    for (const FilterStep& step : steps) {
      for_each_name(step.arguments, [&](const Name& name) { scope_->read(name.name); });
    }
  }

  void assignment(const Target& target) {
    for_each_single(target, [&](const Target& single) {
      if (single.attribute.empty()) {
        scope_->assign(single.name);
      } else {
        scope_->read(single.name);
      }
    });
  }

  void parameter(const Target& target) {
    for_each_single(target, [&](const Target& t) { scope_->declare_parameter(t.name); });
  }

  void block(const Block& block) {
    for (const auto& stmt : block) {
      std::visit([this](const auto& node) { visit(node); }, stmt->node);
    }
  }

 private:
  template <typename Visit>
  static void for_each_single(const Target& target, Visit visit) {
    if (target.several.empty()) return visit(target);
    for (const Target& t : target.several) for_each_single(t, visit);
  }

  void visit(const Output& node) {
    for (const ExprPtr& e : node.values) expression(e);
  }
  void visit(const If& node) {
    // The branches after the first, with their tests, count as one.
    expression(node.branches[0].test);
    std::vector<Scope> seen;
    seen.push_back(branch([&] { block(node.branches[0].body); }));
    seen.push_back(branch([&] { later_branches(node, 1); }));
    seen.push_back(branch([&] { block(node.otherwise); }));
    scope_->merge(seen);
  }
  void later_branches(const If& node, std::size_t first) {
    for (std::size_t i = first; i < node.branches.size(); ++i) {
      expression(node.branches[i].test);
      scope_->merge({branch([&] { block(node.branches[i].body); })});
    }
  }
  template <typename Visit>
  Scope branch(Visit visit) {
    Scope* const before = scope_;
    Scope own = Scope::branch_of(*before);
    scope_ = &own;
    visit();
    scope_ = before;
    return own;
  }
  void visit(const For& node) { expression(node.iterable); }
  void visit(const Set& node) {
    expression(node.value);
    assignment(node.target);
  }
  void visit(const SetBlock& node) { assignment(node.target); }
  void visit(const Macro& node) { assignment(node.target); }
  void visit(const CallBlock& node) { expression(node.call); }
  void visit(const FilterBlock& node) { filters(node.filters); }
  void visit(const With& node) {
    for (const auto& [target, value] : node.assignments) expression(value);
  }
  void visit(const Literal&) {}
  void visit(const Scoped&) {}
  void visit(const Break&) {}
  void visit(const Continue&) {}

  Scope* scope_;
};

// Walks the whole template and fills in the places, frame by frame.
class Resolver {
 public:
  explicit Resolver(Program& program) : program_(program) {}

  void run() {
    FunctionSlots function;
    Scope scope(nullptr, function);
    Collector(scope).block(program_.body);
    program_.frame = scope.finish();
    block(program_.body, scope);
    program_.n_slots = function.n_slots;
  }

 private:
  void expression(ExprPtr& expr, const Scope& scope) {
    if (!expr) return;
    for_each_name(*expr, [&](Name& name) { place(name.name, name.place, scope); });
  }

  void filters(std::vector<FilterStep>& steps, const Scope& scope) {
    for (FilterStep& step : steps) {
      for_each_name(step.arguments, [&](Name& name) { place(name.name, name.place, scope); });
    }
  }

  void place(const std::string& name, Place& place, const Scope& scope) {
    place = scope.place(name);
    if (place.slot < 0) program_.inputs.insert(name);
  }

  void target(Target& target, const Scope& scope) {
    for (Target& t : target.several) this->target(t, scope);
    if (!target.several.empty()) return;
    if (loop_depth_ > 0 && target.name == "loop" && target.attribute.empty()) {
      throw Fault("Can't assign to special loop variable in for-loop target", target.at);
    }
    place(target.name, target.place, scope);
  }

  void block(Block& block, const Scope& scope) {
    for (auto& stmt : block) {
      std::visit([&](auto& node) { visit(node, scope); }, stmt->node);
    }
  }

  Frame finish(Scope& scope) {
    Frame frame = scope.finish();
    for (const FrameStart& start : frame) {
      const bool is_input = start.from == FrameStart::From::kInput ||
                            (start.from == FrameStart::From::kOuter && start.outer.slot < 0);
      if (is_input) program_.inputs.insert(start.name);
    }
    return frame;
  }

  void visit(Output& node, const Scope& scope) {
    for (ExprPtr& e : node.values) expression(e, scope);
  }

  void visit(If& node, const Scope& scope) {
    for (If::Branch& branch : node.branches) {
      expression(branch.test, scope);
      block(branch.body, scope);
    }
    block(node.otherwise, scope);
  }

  void visit(For& node, const Scope& scope) {
    expression(node.iterable, scope);
    FunctionSlots own{&scope.function(), 0};
    FunctionSlots& function = node.is_recursive ? own : scope.function();

    Scope body(&scope, function);
    body.declare_parameter("loop");
    Collector collector(body);
    collector.parameter(node.target);
    collector.block(node.body);
    Scope otherwise(&scope, function);
    Collector(otherwise).block(node.otherwise);
    Scope filter(&scope, function);
    if (node.filter) {
      Collector filter_collector(filter);
      filter_collector.parameter(node.filter_target);
      filter_collector.expression(node.filter);
      node.filter_frame = finish(filter);
    }
    node.body_frame = finish(body);
    node.otherwise_frame = finish(otherwise);

    ++loop_depth_;
    target(node.target, body);
    node.loop = body.place("loop");
    block(node.body, body);
    block(node.otherwise, otherwise);
    if (node.filter) {
      target(node.filter_target, filter);
      expression(node.filter, filter);
    }
    --loop_depth_;
    node.n_slots = own.n_slots;
  }

  void visit(Set& node, const Scope& scope) {
    expression(node.value, scope);
    target(node.target, scope);
  }

  // A frame with only a body.
  void inner_block(Block& body, Frame& frame, const Scope& scope,
                   std::vector<FilterStep>* steps = nullptr) {
    Scope inner(&scope, scope.function());
    Collector collector(inner);
    collector.block(body);
    if (steps) collector.filters(*steps);
    frame = finish(inner);
    block(body, inner);
    if (steps) filters(*steps, inner);
  }

  void visit(SetBlock& node, const Scope& scope) {
    inner_block(node.body, node.frame, scope, &node.filters);
    target(node.target, scope);
  }

  void visit(FilterBlock& node, const Scope& scope) {
    inner_block(node.body, node.frame, scope, &node.filters);
  }

  void visit(Scoped& node, const Scope& scope) { inner_block(node.body, node.frame, scope); }

  void visit(With& node, const Scope& scope) {
    for (auto& [name, value] : node.assignments) expression(value, scope);
    Scope inner(&scope, scope.function());
    Collector collector(inner);
    for (const auto& [name, value] : node.assignments) collector.parameter(name);
    collector.block(node.body);
    node.frame = finish(inner);
    for (auto& [name, value] : node.assignments) target(name, inner);
    block(node.body, inner);
  }

  void macro(MacroDefinition& macro, const Scope& scope) {
    FunctionSlots function{&scope.function(), 0};
    Scope inner(&scope, function);
    for (const Parameter& p : macro.parameters) inner.declare_parameter(p.name);
    // The special variables exist where the body mentions them, unless they are parameters.
    const std::pair<const char*, int*> specials[] = {{"caller", &macro.caller_slot},
                                                     {"kwargs", &macro.kwargs_slot},
                                                     {"varargs", &macro.varargs_slot}};
    std::set<std::string> declared;
    for (const auto& [name, slot] : specials) {
      if (has_parameter(macro, name) || !mentions(macro.body, name)) continue;
      inner.declare_parameter(name);
      declared.insert(name);
    }
    Collector collector(inner);
    for (const Parameter& p : macro.parameters) collector.expression(p.default_value);
    collector.block(macro.body);
    macro.frame = finish(inner);
    for (Parameter& p : macro.parameters) {
      p.slot = inner.place(p.name).slot;
      expression(p.default_value, inner);
    }
    for (const auto& [name, slot] : specials) {
      if (declared.contains(name)) *slot = inner.place(name).slot;
    }
    const int loop_depth = std::exchange(loop_depth_, 0);
    block(macro.body, inner);
    loop_depth_ = loop_depth;
    macro.n_slots = function.n_slots;
  }

  static bool has_parameter(const MacroDefinition& macro, const std::string& name) {
    for (const Parameter& p : macro.parameters) {
      if (p.name == name) return true;
    }
    return false;
  }

  void visit(Macro& node, const Scope& scope) {
    target(node.target, scope);
    macro(*node.definition, scope);
  }

  void visit(CallBlock& node, const Scope& scope) {
    expression(node.call, scope);
    macro(*node.caller, scope);
  }

  void visit(Literal&, const Scope&) {}
  void visit(Break&, const Scope&) {}
  void visit(Continue&, const Scope&) {}

  Program& program_;
  int loop_depth_ = 0;
};

}  // namespace

void resolve_names(Program& program) { Resolver(program).run(); }

}  // namespace galley::chat
