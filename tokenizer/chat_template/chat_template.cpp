#include "tokenizer/chat_template/chat_template.h"

#include "tokenizer/chat_template/evaluator.h"
#include "tokenizer/chat_template/globals.h"
#include "tokenizer/chat_template/json.h"
#include "tokenizer/chat_template/parser.h"
#include "tokenizer/chat_template/scopes.h"
#include "tokenizer/chat_template/text.h"

namespace galley {
namespace {

std::string place_of(const std::string& name, const chat::Fault& fault) {
  if (fault.at().line == 0) return "chat template of " + name;
  return "chat template of " + name + ", line " + std::to_string(fault.at().line) + ", column " +
         std::to_string(fault.at().column);
}

std::string one_line(std::string text) {
  for (char& c : text) {
    if (c == '\n' || c == '\r') c = ' ';
  }
  return text;
}

[[noreturn]] void rethrow(const std::string& name, const chat::Fault& fault) {
  throw Error(ErrorKind::kBadModel, place_of(name, fault) + ": " + one_line(fault.what()));
}

std::tm local_now() {
  const std::time_t now = std::time(nullptr);
  std::tm local{};
  localtime_r(&now, &local);
  return local;
}

chat::Inputs make_inputs(const ChatInputs& given) {
  chat::Inputs inputs = chat::global_functions(given.now ? *given.now : local_now());
  inputs["messages"] = chat::from_json(given.messages);
  inputs["add_generation_prompt"] = chat::Value::boolean(given.add_generation_prompt);
  inputs["bos_token"] = chat::Value::string(given.bos_token);
  inputs["eos_token"] = chat::Value::string(given.eos_token);
  for (const auto& [name, value] : given.variables.items()) {
    inputs[name] = chat::from_json(value);
  }
  return inputs;
}

}  // namespace

nlohmann::ordered_json chat_messages(const std::vector<ChatMessage>& messages) {
  auto list = nlohmann::ordered_json::array();
  for (const ChatMessage& m : messages) {
    list.push_back({{"role", m.role}, {"content", m.content}});
  }
  return list;
}

ChatTemplate ChatTemplate::parse(std::string source, std::string name) {
  try {
    if (!chat::is_valid_utf8(source)) throw chat::Fault("it is not valid UTF-8");
    auto program = std::make_shared<chat::Program>(chat::parse(std::move(source), name));
    chat::resolve_names(*program);
    return ChatTemplate(std::move(program));
  } catch (const chat::Fault& fault) {
    rethrow(name, fault);
  }
}

std::string ChatTemplate::render(const ChatInputs& given) const {
  // Everything made during the render is gone before the meter is.
  chat::Meter meter;
  try {
    const chat::Inputs inputs = make_inputs(given);
    return chat::Evaluator(*program_, inputs).run();
  } catch (const chat::Refusal& refusal) {
    throw TemplateRefusal(
        place_of(program_->name, refusal) + ": the template refuses: " + one_line(refusal.what()),
        refusal.what());
  } catch (const chat::Fault& fault) {
    rethrow(program_->name, fault);
  }
}

bool ChatTemplate::reads(std::string_view variable) const {
  return program_->inputs.contains(variable);
}

const std::string& ChatTemplate::source() const { return program_->source; }

}  // namespace galley
