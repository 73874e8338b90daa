// Macros and call blocks: functions that are written in the template.
#include <algorithm>
#include <utility>

#include "tokenizer/chat_template/depth_count.h"
#include "tokenizer/chat_template/evaluator.h"
#include "tokenizer/chat_template/python_text.h"

namespace galley::chat {
namespace {

class MacroObject : public Object {
 public:
  MacroObject(Evaluator& evaluator, std::shared_ptr<MacroDefinition> definition,
              std::shared_ptr<Activation> home)
      : evaluator_(evaluator), definition_(std::move(definition)), home_(std::move(home)) {}

  std::string type_name() const override { return "Macro"; }
  std::string qualified_name() const override { return "jinja2.runtime.Macro"; }
  std::string repr() const override {
    return definition_->name.empty() ? "<Macro anonymous>"
                                     : "<Macro " + repr_of_string(definition_->name) + ">";
  }
  std::optional<Value> attribute(std::string_view name) override {
    if (name == "name") {
      return definition_->name.empty() ? Value::none() : Value::string(definition_->name);
    }
    if (name == "arguments") {
      Values names;
      for (const Parameter& p : definition_->parameters) names.push_back(Value::string(p.name));
      return Value::tuple(std::move(names));
    }
    if (name == "caller") return Value::boolean(definition_->caller_slot >= 0);
    if (name == "catch_kwargs") return Value::boolean(definition_->kwargs_slot >= 0);
    if (name == "catch_varargs") return Value::boolean(definition_->varargs_slot >= 0);
    return std::nullopt;
  }
  bool is_callable() const override { return true; }
  Value call(const Arguments& arguments) override {
    return evaluator_.call_macro(*definition_, home_, arguments);
  }

 private:
  Evaluator& evaluator_;
  std::shared_ptr<MacroDefinition> definition_;
  std::shared_ptr<Activation> home_;  // the variables around the macro
};

}  // namespace

Value Evaluator::make_macro(const std::shared_ptr<MacroDefinition>& definition) {
  // The macro holds these variables, and one of them will hold the macro.
  Meter::current()->keep(here_);
  return Value::object(std::make_shared<MacroObject>(*this, definition, here_));
}

Evaluator::Flow Evaluator::visit(const Macro& node) {
  assign(node.target, make_macro(node.definition));
  return Flow::kNormal;
}

Evaluator::Flow Evaluator::visit(const CallBlock& node) {
  const Value caller = make_macro(node.caller);
  write(to_str(call(std::get<Call>(node.call->node), &caller)));
  return Flow::kNormal;
}

Value Evaluator::call_macro(const MacroDefinition& macro, std::shared_ptr<Activation> outer,
                            const Arguments& arguments) {
  const DepthCount count(depth_);
  const auto before =
      std::exchange(here_, std::make_shared<Activation>(macro.n_slots, std::move(outer)));
  std::string text;
  try {
    enter(macro.frame);
    bind_parameters(macro, arguments);
    capture(macro.body, text);
  } catch (...) {
    here_ = before;
    throw;
  }
  here_ = before;
  return Value::string(std::move(text));
}

void Evaluator::bind_parameters(const MacroDefinition& macro, const Arguments& arguments) {
  const auto place = [&](int slot) -> Value& {
    return here_->slots[static_cast<std::size_t>(slot)];
  };
  const std::string name = "macro " + (macro.name.empty() ? "None" : "'" + macro.name + "'");
  const Values& positional = arguments.positional;
  auto named = arguments.named;
  const auto take_named = [&](const std::string& key) -> std::optional<Value> {
    const auto it =
        std::find_if(named.begin(), named.end(), [&](const auto& n) { return n.first == key; });
    if (it == named.end()) return std::nullopt;
    Value value = std::move(it->second);
    named.erase(it);
    return value;
  };

  const std::size_t n = macro.parameters.size();
  for (std::size_t i = 0; i < n; ++i) {
    const Parameter& parameter = macro.parameters[i];
    if (i < positional.size()) {
      place(parameter.slot) = positional[i];
    } else if (std::optional<Value> value = take_named(parameter.name)) {
      place(parameter.slot) = std::move(*value);
    }
  }
  if (macro.caller_slot >= 0) {
    const std::optional<Value> caller = take_named("caller");
    place(macro.caller_slot) =
        caller && !caller->is_none() ? *caller : Value::undefined("No caller defined");
  }
  if (macro.kwargs_slot >= 0) {
    auto rest = std::make_shared<Dict>();
    for (const auto& [key, value] : named) rest->set(key, value);
    place(macro.kwargs_slot) = Value::dict(std::move(rest));
  } else if (!named.empty()) {
    throw Fault(name + " takes no keyword argument '" + named[0].first + "'");
  }
  if (macro.varargs_slot >= 0) {
    const std::size_t n_taken = std::min(n, positional.size());
    place(macro.varargs_slot) = Value::tuple(
        Values(positional.begin() + static_cast<std::ptrdiff_t>(n_taken), positional.end()));
  } else if (positional.size() > n) {
    throw Fault(name + " takes not more than " + std::to_string(n) + " argument(s)");
  }

  // Defaults are evaluated inside, in order: they may use the parameters before them.
  for (const Parameter& parameter : macro.parameters) {
    if (!place(parameter.slot).is_missing()) continue;
    place(parameter.slot) =
        parameter.default_value
            ? evaluate(*parameter.default_value)
            : Value::undefined("parameter '" + parameter.name + "' was not provided");
  }
}

}  // namespace galley::chat
