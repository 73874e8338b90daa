// galley chat --render-jsonl: conversations in, rendered prompts out, one JSON object a line.
#include <iostream>
#include <nlohmann/json.hpp>

#include "tensor/error.h"
#include "tokenizer/chat_template/chat_template.h"
#include "tools/commands/chat.h"
#include "tools/output.h"

namespace galley::tools {
namespace {

using Json = nlohmann::ordered_json;

[[noreturn]] void bad_line(std::int64_t line, const std::string& problem) {
  throw Error(ErrorKind::kUsage,
              "--render-jsonl: line " + std::to_string(line) + " of stdin " + problem);
}

// "2024-07-26T00:00:00" with the day of the week filled in.
std::tm parse_time(const std::string& text, std::int64_t line) {
  std::tm time{};
  const char* end = strptime(text.c_str(), "%Y-%m-%dT%H:%M:%S", &time);
  if (!end) bad_line(line, "has a \"now\" that is not of the form 2024-07-26T00:00:00");
  time.tm_isdst = -1;
  std::tm copy = time;
  timegm(&copy);  // computes the days of week and year
  time.tm_wday = copy.tm_wday;
  time.tm_yday = copy.tm_yday;
  return time;
}

ChatInputs inputs_of(const Json& request, std::int64_t line) {
  ChatInputs inputs;
  for (const auto& [key, value] : request.items()) {
    const auto text = [&] {
      if (!value.is_string()) bad_line(line, "has a \"" + key + "\" that is no string");
      return value.get<std::string>();
    };
    if (key == "messages") {
      inputs.messages = value;
    } else if (key == "add_generation_prompt") {
      if (!value.is_boolean())
        bad_line(line, "has an \"add_generation_prompt\" that is no boolean");
      inputs.add_generation_prompt = value.get<bool>();
    } else if (key == "bos_token") {
      inputs.bos_token = text();
    } else if (key == "eos_token") {
      inputs.eos_token = text();
    } else if (key == "now") {
      inputs.now = parse_time(text(), line);
    } else if (key != "name" && key != "template" && key != "text" && key != "error") {
      inputs.variables[key] = value;
    }
  }
  return inputs;
}

// The template of the line, or else `fallback`.
ChatTemplate template_of(const Json& request, const std::optional<ChatTemplate>& fallback,
                         std::int64_t line) {
  const auto found = request.find("template");
  if (found != request.end() && found->is_string())
    return ChatTemplate::parse(found->get<std::string>(), request.value("name", "template"));
  if (!fallback) bad_line(line, "has no \"template\"; name one with --template FILE");
  return *fallback;
}

}  // namespace

void render_lines(const std::optional<ChatTemplate>& fallback) {
  std::string line;
  for (std::int64_t n = 1; std::getline(std::cin, line); ++n) {
    if (line.empty()) continue;
    const Json request = Json::parse(line, nullptr, false);
    if (!request.is_object()) bad_line(n, "is no JSON object");
    Json answer;
    try {
      const ChatInputs inputs = inputs_of(request, n);
      answer["text"] = template_of(request, fallback, n).render(inputs);
    } catch (const TemplateRefusal& e) {
      answer["error"] = "TemplateError: " + e.message();  // as Jinja names it
    } catch (const Error& e) {
      if (e.kind() == ErrorKind::kUsage) throw;
      answer["error"] = e.what();
    }
    write_json(answer);
  }
}

}  // namespace galley::tools
