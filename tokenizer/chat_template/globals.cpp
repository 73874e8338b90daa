#include "tokenizer/chat_template/globals.h"

#include "tokenizer/chat_template/arguments.h"
#include "tokenizer/chat_template/fault.h"
#include "tokenizer/chat_template/objects.h"
#include "tokenizer/chat_template/python_text.h"
#include "tokenizer/chat_template/strftime.h"

namespace galley::chat {
namespace {

// dict(a=1), dict(mapping), dict(pairs).
Value make_dict(const Arguments& arguments) {
  const Arguments positional{arguments.positional, {}};
  const Parameters p("dict", positional, {"/mapping"});
  auto dict = std::make_shared<Dict>();
  if (const Value* source = p.find(0)) {
    if (source->is(Kind::kDict)) {
      for (const auto& [key, value] : source->as_dict().entries()) dict->set(key, value);
    } else {
      const Next next = iterate(*source);
      while (const std::optional<Value> pair = next()) {
        const Values parts = to_values(*pair);
        if (parts.size() != 2) throw Fault("dict() needs pairs of a key and a value");
        dict->set(parts[0], parts[1]);
      }
    }
  }
  for (const auto& [name, value] : arguments.named) dict->set(name, value);
  return Value::dict(std::move(dict));
}

Value raise_exception(const Arguments& arguments) {
  const Parameters p("raise_exception", arguments, {"message"}, 1);
  throw Refusal(to_str(p.required(0)));
}

}  // namespace

Inputs global_functions(const std::tm& now) {
  const auto strftime_now = [now](const Arguments& arguments) {
    const Parameters p("strftime_now", arguments, {"format"}, 1);
    return Value::string(format_time(now, p.text(0)));
  };
  Inputs functions;
  functions["range"] = Function::make("range", Range::make);
  functions["dict"] = Function::make("dict", make_dict);
  functions["namespace"] = Function::make("namespace", Namespace::make);
  functions["cycler"] = Function::make("cycler", Cycler::make);
  functions["joiner"] = Function::make("joiner", Joiner::make);
  functions["raise_exception"] = Function::make("raise_exception", raise_exception);
  functions["lipsum"] = Function::make(
      "lipsum", [](const Arguments&) -> Value { throw Fault("lipsum() is not supported"); });
  functions["strftime_now"] = Function::make("strftime_now", strftime_now);
  return functions;
}

}  // namespace galley::chat
