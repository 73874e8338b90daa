// galley chat through a pipe, on a model whose answers are known in advance.
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "tests/conformance.h"
#include "tests/tensor/temp_folder.h"
#include "tests/tools/galley_process.h"
#include "tests/tools/successor_model.h"

namespace galley::test {
namespace {

constexpr const char* kTemplate =
    "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}";

class Chat : public ::testing::Test {
 protected:
  void SetUp() override { model_with_context(256); }
  // Every answer is "abc".
  void model_with_context(std::uint32_t n) const {
    SuccessorModel model;
    model.n_context = n;
    model.chat_template = kTemplate;
    model.next["<|assistant|>"] = "a";
    model.next["c"] = "<|end|>";
    model.write(folder_ / "model.gguf");
  }
  Outcome chat(const std::string& input, std::vector<std::string> arguments = {}) const {
    std::vector<std::string> all = {"chat", "-m", folder_ / "model.gguf", "--temp", "0"};
    all.insert(all.end(), arguments.begin(), arguments.end());
    return run_galley(all, input);
  }
  // The answers as JSON objects.
  std::vector<nlohmann::json> answers(const std::string& input,
                                      std::vector<std::string> arguments = {}) const {
    arguments.push_back("--json");
    const Outcome o = chat(input, arguments);
    EXPECT_EQ(o.exit_code, 0) << o.err;
    std::istringstream lines(o.out);
    std::vector<nlohmann::json> all;
    for (std::string line; std::getline(lines, line);) all.push_back(nlohmann::json::parse(line));
    return all;
  }
  TempFolder folder_;
};

TEST_F(Chat, AnswersEachLine) {
  const Outcome o = chat("x\ny\n");
  EXPECT_EQ(o.exit_code, 0) << o.err;
  EXPECT_EQ(o.out, "abc\nabc\n");
  EXPECT_EQ(chat("").exit_code, 0);
  EXPECT_EQ(chat("x").out, "abc\n");  // no newline at the end
}

TEST_F(Chat, OnlyNewTokensAreProcessed) {
  const auto all = answers("x\ny\nz\n");
  ASSERT_EQ(all.size(), 3u);
  // <s> <|user|> x <|end|> <|assistant|>
  EXPECT_EQ(all[0]["prefill_tokens"], 5);
  // a, b and c are cached; <|end|> <|user|> y <|end|> <|assistant|> are new.
  EXPECT_EQ(all[1]["prefill_tokens"], 5);
  EXPECT_EQ(all[2]["prefill_tokens"], 5);
  EXPECT_EQ(all[2]["stop_reason"], "eos");
}

// What is cached must not change what is said: every answer equals that of a fresh conversation.
TEST_F(Chat, TheCacheChangesNothing) {
  GALLEY_NEED_CONFORMANCE("models");
  const std::string model = conformance_dir() / "models/stories260K-f32.gguf";
  const std::string template_file = folder_ / "template";
  std::ofstream(template_file)
      << "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}";
  const std::vector<std::string> flags = {"chat", "-m", model,    "--temp",     "0",
                                          "-n",   "12", "--json", "--template", template_file};
  const Outcome both = run_galley(flags, "Hello there\nAnd again\n");
  ASSERT_EQ(both.exit_code, 0) << both.err;
  const auto second = nlohmann::json::parse(both.out.substr(both.out.find('\n') + 1));
  const Outcome saved =
      run_galley(flags, "Hello there\n/save " + (folder_ / "chat.json").string() + "\n");
  ASSERT_EQ(saved.exit_code, 0) << saved.err;
  const Outcome loaded =
      run_galley(flags, "/load " + (folder_ / "chat.json").string() + "\nAnd again\n");
  ASSERT_EQ(loaded.exit_code, 0) << loaded.err;
  EXPECT_EQ(loaded.json()["tokens"], second["tokens"]);
  EXPECT_GT(loaded.json()["prefill_tokens"], second["prefill_tokens"]);
}

TEST_F(Chat, ShowsTheExactPrompt) {
  const Outcome o = chat("x\n", {"--show-prompt"});
  std::istringstream lines(o.out);
  std::vector<std::string> texts;
  for (std::string line; std::getline(lines, line) && line.find('"') != std::string::npos;)
    texts.push_back(line.substr(line.find('"')));
  EXPECT_EQ(texts, (std::vector<std::string>{"\"<s>\"", "\"<|user|>\"", "\"x\"", "\"<|end|>\"",
                                             "\"<|assistant|>\""}))
      << o.out;
}

TEST_F(Chat, CommandsWork) {
  const std::string file = folder_ / "chat.json";
  const Outcome o = chat("/system s\nx\n/regen\n/undo\n/context\n/stats\ny\n/save " + file +
                         "\n/reset\n/context\n/quit\nnever\n");
  EXPECT_EQ(o.exit_code, 0) << o.err;
  EXPECT_EQ(o.out, "abc\nabc\nabc\n");
  EXPECT_NE(o.err.find("by 1 messages"), std::string::npos) << o.err;
  EXPECT_NE(o.err.find("all answers"), std::string::npos) << o.err;
  std::ifstream in(file);
  const auto saved = nlohmann::json::parse(in);
  EXPECT_EQ(saved["messages"],
            nlohmann::json::parse(
                R"([{"role": "system", "content": "s"}, {"role": "user", "content": "y"},
                                       {"role": "assistant", "content": "abc"}])"));
  EXPECT_EQ(answers("/load " + file + "\nz\n")[0]["content"], "abc");
}

TEST_F(Chat, MistakesEndAScript) {
  const Outcome unknown = chat("/rest\n");
  EXPECT_EQ(unknown.exit_code, 2);
  EXPECT_NE(unknown.err.find("did you mean '/reset'?"), std::string::npos) << unknown.err;
  EXPECT_EQ(chat("/undo\n").exit_code, 2);
  EXPECT_EQ(chat("/regen\n").exit_code, 2);
  EXPECT_EQ(chat("/load /none\n").exit_code, 1);
}

TEST_F(Chat, LinesCanGoOn) {
  const Outcome o = chat("x\\\ny\n", {"--show-prompt"});
  EXPECT_NE(o.out.find("\"\\n\""), std::string::npos) << o.out;
  EXPECT_TRUE(o.out.ends_with("abc\n"));
}

TEST_F(Chat, AFullContextIsAnnouncedAndNeverSilent) {
  model_with_context(32);
  std::string lines;
  for (int i = 0; i < 6; ++i) lines += "xxxx\n";
  const Outcome stop = chat(lines);
  EXPECT_EQ(stop.exit_code, 5);
  EXPECT_NE(stop.err.find("too many for an answer"), std::string::npos) << stop.err;
  EXPECT_EQ(stop.out, "abc\nabc\n");
  const Outcome drop = chat(lines, {"--when-full", "drop"});
  EXPECT_EQ(drop.exit_code, 0) << drop.err;
  EXPECT_EQ(drop.out, "abc\nabc\nabc\nabc\nabc\nabc\n");
  EXPECT_NE(drop.err.find("dropped the oldest turn"), std::string::npos) << drop.err;
  // One message that does not fit at all.
  const Outcome alone = chat(std::string(40, 'x') + "\n", {"--when-full", "drop"});
  EXPECT_EQ(alone.exit_code, 5);
  EXPECT_NE(alone.err.find("does not fit"), std::string::npos) << alone.err;
}

TEST_F(Chat, AModelWithoutATemplateNeedsOne) {
  SuccessorModel().write(folder_ / "model.gguf");
  const Outcome o = chat("x\n");
  EXPECT_EQ(o.exit_code, 2);
  EXPECT_NE(o.err.find("--template"), std::string::npos) << o.err;
  const std::string file = folder_ / "template";
  std::ofstream(file) << "{{ messages[0].content }}";
  EXPECT_EQ(chat("w\n", {"--template", file}).out, "xyz\n");
}

TEST_F(Chat, RendersLines) {
  const std::string line =
      R"({"template": "{{ bos_token }}{{ strftime_now('%A') }} {{ messages[0].content }}", "now": "2024-07-26T00:00:00",)"
      R"( "messages": [{"role": "user", "content": "é"}], "add_generation_prompt": true, "bos_token": "<s>", "eos_token": "</s>"})";
  const Outcome o = run_galley({"chat", "--render-jsonl"}, line + "\n");
  EXPECT_EQ(o.exit_code, 0) << o.err;
  EXPECT_EQ(o.json()["text"], "<s>Friday é");
  EXPECT_EQ(run_galley({"chat", "--render-jsonl"}, "nonsense\n").exit_code, 2);
}

TEST_F(Chat, GoldenRenders) {
  GALLEY_NEED_CONFORMANCE("chat");
  std::ifstream in(conformance_dir() / "chat/shown.jsonl");
  const std::string requests((std::istreambuf_iterator<char>(in)),
                             std::istreambuf_iterator<char>());
  const Outcome o = run_galley({"chat", "--render-jsonl"}, requests);
  ASSERT_EQ(o.exit_code, 0) << o.err;
  std::istringstream questions(requests), answers(o.out);
  std::string question, answer;
  int n = 0;
  for (; std::getline(questions, question); ++n) {
    ASSERT_TRUE(std::getline(answers, answer)) << n;
    const auto want = nlohmann::json::parse(question), got = nlohmann::json::parse(answer);
    EXPECT_EQ(got.value("text", ""), want.value("text", "")) << want["name"];
    EXPECT_EQ(got.value("error", ""), want.value("error", "")) << want["name"];
  }
  EXPECT_EQ(n, 240);
}

}  // namespace
}  // namespace galley::test
