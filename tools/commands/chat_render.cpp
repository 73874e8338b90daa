// galley chat --render-jsonl: chat templates without a model, for checks against other renderers.
#include <ctime>
#include <iostream>
#include <nlohmann/json.hpp>

#include "tensor/error.h"
#include "tools/commands/chat_prompt.h"
#include "tools/interrupt.h"
#include "tools/output.h"

namespace galley::tools {
namespace {

using Json = nlohmann::ordered_json;

// "2024-07-26T00:00:00", with the day of the week that goes with it.
std::tm parse_time(const std::string& text) {
  std::tm time{};
  const char* end = strptime(text.c_str(), "%Y-%m-%dT%H:%M:%S", &time);
  if (!end)
    throw Error(ErrorKind::kUsage, "'now' is " + Json(text).dump(-1, ' ', true) +
                                       ", expected a time such as 2024-07-26T00:00:00");
  return time;
}

Json render_line(const Json& line) {
  ChatInputs inputs;
  inputs.messages = line.at("messages");
  inputs.add_generation_prompt = line.value("add_generation_prompt", false);
  inputs.bos_token = line.value("bos_token", "");
  inputs.eos_token = line.value("eos_token", "");
  if (line.contains("now")) inputs.now = parse_time(line.at("now").get<std::string>());
  const std::string name = line.value("name", "template");
  try {
    const auto parsed = ChatTemplate::parse(line.at("template").get<std::string>(), name);
    return {{"text", parsed.render(inputs)}};
  } catch (const TemplateRefusal& refusal) {
    return {{"error", "TemplateError: " + refusal.message()}};
  } catch (const Error& error) {
    return {{"error", error.what()}};
  }
}

}  // namespace

void render_jsonl() {
  std::string line;
  for (std::int64_t number = 1; std::getline(std::cin, line); ++number) {
    check_interrupt();
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    const std::string place = "--render-jsonl: line " + std::to_string(number) + ": ";
    try {
      write_json(render_line(Json::parse(line)));
    } catch (const nlohmann::json::exception& e) {
      throw Error(ErrorKind::kUsage, place + e.what());
    } catch (const Error& e) {
      throw Error(e.kind(), place + e.what());
    }
  }
}

}  // namespace galley::tools
