// Real templates and conversations: the same bytes and the same refusals as python3-jinja2, set
// up as Transformers sets it up (conformance/chat).
#include <gtest/gtest.h>

#include <ctime>
#include <fstream>
#include <iomanip>
#include <map>
#include <sstream>

#include "tests/conformance.h"
#include "tokenizer/chat_template/chat_template.h"

namespace galley {
namespace {

using nlohmann::ordered_json;

std::tm parse_time(const std::string& iso) {
  std::tm time{};
  std::istringstream(iso) >> std::get_time(&time, "%Y-%m-%dT%H:%M:%S");
  return time;
}

// {"text": ...} or {"error": ...}, as in the golden data.
ordered_json render_case(const ChatTemplate& chat_template, const ordered_json& golden) {
  ChatInputs inputs;
  inputs.messages = golden["messages"];
  inputs.add_generation_prompt = golden["add_generation_prompt"];
  inputs.bos_token = golden["bos_token"];
  inputs.eos_token = golden["eos_token"];
  inputs.now = parse_time(golden["now"]);
  try {
    return {{"text", chat_template.render(inputs)}};
  } catch (const TemplateRefusal& refusal) {
    return {{"error", "TemplateError: " + refusal.message()}};
  }
}

bool agrees(const ordered_json& ours, const ordered_json& golden) {
  const char* key = golden.contains("text") ? "text" : "error";
  return ours.contains(key) && ours[key] == golden[key];
}

TEST(ChatTemplateGolden, SameBytesAndSameRefusals) {
  GALLEY_NEED_CONFORMANCE("chat");
  std::map<std::string, int> n_cases;
  for (const auto& file : std::filesystem::directory_iterator(test::conformance_dir() / "chat")) {
    if (file.path().extension() != ".jsonl") continue;
    std::ifstream lines(file.path());
    for (std::string line; std::getline(lines, line);) {
      const auto golden = ordered_json::parse(line);
      const std::string name = golden["name"];
      const auto chat_template = ChatTemplate::parse(golden["template"], name);
      const ordered_json ours = render_case(chat_template, golden);
      EXPECT_TRUE(agrees(ours, golden))
          << name << " with " << golden["messages"].dump() << "\ngives    " << ours.dump()
          << "\nexpected " << golden.value("text", golden.value("error", std::string()));
      ++n_cases[name];
    }
  }
  EXPECT_GE(n_cases.size(), 15u);
}

// The comparison above must notice a difference of one byte and a missing refusal.
TEST(ChatTemplateGolden, ComparisonNoticesDifferences) {
  const ordered_json text = {{"text", "a\n"}};
  EXPECT_TRUE(agrees(text, text));
  EXPECT_FALSE(agrees({{"text", "a"}}, text));
  EXPECT_FALSE(agrees({{"error", "a\n"}}, text));
  EXPECT_FALSE(agrees(text, {{"error", "a\n"}}));
}

}  // namespace
}  // namespace galley
