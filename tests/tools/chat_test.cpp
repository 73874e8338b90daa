// galley chat, piped: a model that answers every message with the letters from w to z.
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/conformance.h"
#include "tests/tensor/temp_folder.h"
#include "tests/tools/galley_process.h"
#include "tests/tools/successor_model.h"

namespace galley::test {
namespace {

using Json = nlohmann::json;

constexpr const char* kTemplate =
    "{{ bos_token }}{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}";

class Chat : public ::testing::Test {
 protected:
  void SetUp() override {
    successor_.next["<|assistant|>"] = "w";
    successor_.next["z"] = "<|end|>";
    successor_.chat_template = kTemplate;
    successor_.write(model());
  }
  std::string model() const { return folder_ / "model.gguf"; }
  std::string write(const std::string& name, const std::string& content) const {
    std::ofstream(folder_ / name, std::ios::binary) << content;
    return folder_ / name;
  }
  // Chats greedily; what comes after "-m MODEL --temp 0".
  Outcome chat(std::vector<std::string> arguments, const std::string& input = "") const {
    std::vector<std::string> all = {"chat", "-m", model(), "--temp", "0"};
    all.insert(all.end(), arguments.begin(), arguments.end());
    return run_galley(all, input);
  }
  // The JSON lines of a chat that ends well.
  std::vector<Json> turns(std::vector<std::string> arguments, const std::string& input) const {
    arguments.push_back("--json");
    const Outcome o = chat(arguments, input);
    EXPECT_EQ(o.exit_code, 0) << o.err;
    return json_lines(o.out);
  }
  static std::vector<Json> json_lines(const std::string& text) {
    std::vector<Json> all;
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);) all.push_back(Json::parse(line));
    return all;
  }

  TempFolder folder_;
  SuccessorModel successor_;
};

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST_F(Chat, EveryLineIsAMessageAndOnlyAnswersAreOnStdout) {
  const Outcome o = chat({}, "hi\n\n   \nho\r\nlast");
  EXPECT_EQ(o.exit_code, 0) << o.err;
  EXPECT_EQ(o.out, "wxyz\nwxyz\nwxyz\n");
  EXPECT_EQ(o.err, "");
}

TEST_F(Chat, OnlyNewTokensAreProcessed) {
  const std::vector<Json> all = turns({}, "hi\nho\n");
  ASSERT_EQ(all.size(), 2u);
  // <s> <|user|> h i <|end|> <|assistant|>
  EXPECT_EQ(all[0]["prompt_tokens"], 6);
  EXPECT_EQ(all[0]["cached_tokens"], 0);
  EXPECT_EQ(all[0]["text"], "wxyz");
  EXPECT_EQ(all[0]["tokens"].size(), 4u);
  EXPECT_EQ(all[0]["stop_reason"], "eos");
  EXPECT_EQ(all[0]["context"]["used"], 10);
  // The same and w x y z; then <|end|> <|user|> h o <|end|> <|assistant|>.
  EXPECT_EQ(all[1]["prompt_tokens"], 16);
  EXPECT_EQ(all[1]["cached_tokens"], 10);
  EXPECT_EQ(all[1]["timings"]["prefill_tokens"], 6);
}

TEST_F(Chat, VerboseTellsWhatATurnCosts) {
  const Outcome o = chat({"-v"}, "hi\nho\n/stats\n/context\n");
  EXPECT_TRUE(has(o.err, "16 tokens, 10 of them cached, 6 processed")) << o.err;
  EXPECT_TRUE(has(o.err, "22 tokens, 10 of them cached, 12 processed")) << o.err;
  EXPECT_TRUE(has(o.err, "20 positions of 256 used")) << o.err;
}

TEST_F(Chat, DraftsChangeNothing) {
  const std::vector<Json> plain = turns({}, "hi\nho\nhu\n");
  const std::vector<Json> drafted = turns({"--draft-ngram", "4"}, "hi\nho\nhu\n");
  ASSERT_EQ(drafted.size(), 3u);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(drafted[i]["tokens"], plain[i]["tokens"]);
    EXPECT_EQ(drafted[i]["cached_tokens"], plain[i]["cached_tokens"]);
  }
  EXPECT_GT(drafted[1]["timings"]["accepted_tokens"], 0);
}

TEST_F(Chat, APromptWithoutATerminalIsTheOnlyMessage) {
  const Outcome o = chat({"-p", "hi"}, "never read\n");
  EXPECT_EQ(o.exit_code, 0) << o.err;
  EXPECT_EQ(o.out, "wxyz\n");
}

TEST_F(Chat, TheSystemMessageStandsAtTheBeginning) {
  EXPECT_EQ(turns({"--system", "be"}, "hi\n")[0]["prompt_tokens"], 10);
  const std::vector<Json> all = turns({}, "hi\n/system be\nho\n/system bee\n/reset\nhi\n");
  EXPECT_EQ(all[1]["prompt_tokens"], 20);
  EXPECT_EQ(all[1]["cached_tokens"], 1);  // all behind BOS has changed
  EXPECT_EQ(all[2]["prompt_tokens"], 11);
  EXPECT_EQ(all[2]["cached_tokens"], 4);  // <s> <|system|> b e
}

TEST_F(Chat, ShowsThePromptTokenByToken) {
  const Outcome shown = chat({"-p", "hi", "--show-prompt", "-n", "0"});
  EXPECT_EQ(shown.exit_code, 0) << shown.err;
  EXPECT_EQ(std::count(shown.out.begin(), shown.out.end(), '\n'), 6);
  EXPECT_TRUE(has(shown.out, "\"<s>\"")) << shown.out;
  EXPECT_TRUE(has(shown.out, "\"h\"  68\n")) << shown.out;
  const Outcome answered = chat({"-p", "hi", "--show-prompt"});
  EXPECT_EQ(answered.out, "wxyz\n");
  EXPECT_EQ(answered.err, shown.out);
}

TEST_F(Chat, NeverTwoBos) {
  const std::size_t with_bos = 6;
  EXPECT_EQ(turns({}, "hi\n")[0]["prompt_tokens"], with_bos);
  const std::string no_bos = write("t.jinja", std::string(kTemplate).substr(15));
  EXPECT_EQ(turns({"--template", no_bos}, "hi\n")[0]["prompt_tokens"], with_bos);
}

TEST_F(Chat, UndoAndRegen) {
  const std::vector<Json> all = turns({}, "hi\nhuh\n/undo\n/regen\nho\n");
  ASSERT_EQ(all.size(), 4u);
  EXPECT_EQ(all[2]["prompt_tokens"], 6);  // the first message again
  EXPECT_EQ(all[2]["cached_tokens"], 5);  // all but the last, whose logits are needed
  EXPECT_EQ(all[2]["text"], "wxyz");
  EXPECT_EQ(all[3]["prompt_tokens"], 16);
  EXPECT_EQ(all[3]["turn"], 2);
}

TEST_F(Chat, RegenDrawsAfreshAndASeedRepeatsTheChat) {
  const auto seeded = [&] {
    return turns({"--temp", "50", "--top-k", "0", "--top-p", "1", "--min-p", "0", "-n", "8",
                  "--seed", "7", "--stop", "never"},
                 "hi\n/regen\n");
  };
  const std::vector<Json> all = seeded();
  EXPECT_NE(all[0]["tokens"], all[1]["tokens"]);
  EXPECT_EQ(all[1]["seed"], 8);
  const std::vector<Json> again = seeded();
  EXPECT_EQ(all[0]["tokens"], again[0]["tokens"]);
  EXPECT_EQ(all[1]["tokens"], again[1]["tokens"]);
}

TEST_F(Chat, UndoOrRegenOfNothingIsAnError) {
  EXPECT_EQ(chat({}, "/undo\n").exit_code, 2);
  EXPECT_EQ(chat({}, "/regen\n").exit_code, 2);
}

TEST_F(Chat, SaveAndLoadGoOnWhereTheChatWas) {
  const std::string file = folder_ / "chat.json";
  const Outcome saved = chat({"--system", "be"}, "hi\n/save " + file + "\n");
  EXPECT_EQ(saved.exit_code, 0) << saved.err;
  std::ifstream in(file);
  const Json content = Json::parse(in);
  EXPECT_EQ(content["messages"].size(), 3u);
  EXPECT_EQ(content["messages"][2]["role"], "assistant");
  EXPECT_EQ(content["messages"][2]["content"], "wxyz");
  EXPECT_EQ(turns({}, "/load " + file + "\nho\n")[0]["prompt_tokens"], 20);
  EXPECT_EQ(turns({"--load", file}, "/regen\n")[0]["prompt_tokens"], 10);
}

TEST_F(Chat, LoadRefusesWhatIsNoConversation) {
  for (const char* content :
       {"", "{", "3", "{}", "[3]", R"([{"role":"user"}])", R"([{"role":"tool","content":"x"}])",
        R"([{"role":"user","content":"x"},{"role":"system","content":"x"}])",
        R"({"galley_chat":2,"messages":[]})", R"({"galley_chat":"x","messages":[]})",
        R"([{"role":"user","content":5}])"}) {
    const std::string file = write("bad.json", content);
    const Outcome o = chat({}, "/load " + file + "\nhi\n");
    EXPECT_EQ(o.exit_code, 1) << content << ": " << o.err;
    EXPECT_TRUE(has(o.err, file)) << o.err;
    EXPECT_EQ(o.n_error_lines(), 1u) << o.err;
    EXPECT_EQ(o.out, "");
  }
}

TEST_F(Chat, UnknownCommandsSuggestTheNearest) {
  const Outcome o = chat({}, "/rest\n");
  EXPECT_EQ(o.exit_code, 2);
  EXPECT_TRUE(has(o.err, "'/reset'")) << o.err;
  EXPECT_EQ(chat({}, "/save\n").exit_code, 2);
  EXPECT_EQ(chat({}, "/undo it\n").exit_code, 2);
}

TEST_F(Chat, QuitEndsAndHelpListsEverything) {
  const Outcome o = chat({}, "/help\n/quit\nnever read\n");
  EXPECT_EQ(o.exit_code, 0) << o.err;
  EXPECT_EQ(o.out, "");
  for (const char* name : {"/help", "/reset", "/system", "/save", "/load", "/regen", "/undo",
                           "/stats", "/context", "/quit"})
    EXPECT_TRUE(has(o.err, name)) << name;
}

TEST_F(Chat, TwoSlashesBeginAMessage) {
  const Json plain = turns({}, "quit\n")[0], slashed = turns({}, "//quit\n")[0];
  EXPECT_EQ(slashed["prompt_tokens"], plain["prompt_tokens"].get<int>() + 1);
}

// With 24 positions two turns fit (10 tokens each), and the third needs 26.
TEST_F(Chat, AFullContextStopsWithItsExitCode) {
  const Outcome o = chat({"-c", "24"}, "hi\nho\nhu\nnever reached\n");
  EXPECT_EQ(o.exit_code, 5);
  EXPECT_EQ(o.out, "wxyz\nwxyz\n");
  EXPECT_TRUE(has(o.err, "nearly full: 20 positions of 24")) << o.err;
  EXPECT_TRUE(has(o.err, "26 tokens")) << o.err;
  EXPECT_TRUE(has(o.err, "--on-full drop")) << o.err;
}

TEST_F(Chat, AFullContextDropsTheOldestTurnsWhenAsked) {
  const std::vector<Json> all =
      turns({"-c", "28", "--system", "be", "--on-full", "drop"}, "hi\nho\nhu\nhu\n");
  ASSERT_EQ(all.size(), 4u);
  EXPECT_EQ(all[1]["prompt_tokens"], 20);
  EXPECT_EQ(all[2]["prompt_tokens"], 20);  // one turn was dropped, the system message was not
  EXPECT_EQ(all[2]["turn"], 2);
  EXPECT_EQ(all[2]["cached_tokens"], 7);  // <s> <|system|> b e <|end|> <|user|> h
  EXPECT_EQ(all[3]["prompt_tokens"], 20);
  const Outcome o = chat({"-c", "24", "--on-full", "drop"}, "hi\nho\nhu\n");
  EXPECT_TRUE(has(o.err, "dropped the oldest 1 turn;")) << o.err;
}

TEST_F(Chat, AMessageThatNeverFitsIsAnError) {
  for (const char* on_full : {"stop", "drop"}) {
    const Outcome o = chat({"-c", "8", "--on-full", on_full}, "hello\n");
    EXPECT_EQ(o.exit_code, 5) << o.err;
    EXPECT_TRUE(has(o.err, "--ctx-size")) << o.err;
    EXPECT_EQ(o.out, "");
  }
  EXPECT_EQ(chat({"--on-full", "drip"}).exit_code, 2);
}

TEST_F(Chat, AnAnswerThatFillsTheContextSaysSo) {
  const Outcome o = chat({"-c", "9"}, "hi\n");
  EXPECT_EQ(o.exit_code, 0);
  EXPECT_EQ(o.out, "wxyz\n");
  EXPECT_TRUE(has(o.err, "the answer ends here")) << o.err;
}

TEST_F(Chat, CtrlCEndsAPipedChat) {
  successor_.next["z"] = "w";
  successor_.n_context = 1'000'000;
  successor_.write(model());
  Invocation invocation;
  invocation.arguments = {"chat", "-m", model(), "--temp", "0"};
  invocation.input = "hi\nnever reached\n";
  invocation.interrupt_after_s = 1;
  const Outcome o = run_galley(invocation);
  EXPECT_EQ(o.exit_code, 130) << o.err;
  EXPECT_TRUE(o.out.starts_with("wxyzwxyz")) << o.out.substr(0, 100);
  EXPECT_TRUE(o.out.ends_with('\n'));
}

TEST_F(Chat, AModelWithoutATemplateNamesTheRemedy) {
  successor_.chat_template = "";
  successor_.write(model());
  const Outcome o = chat({}, "hi\n");
  EXPECT_EQ(o.exit_code, 2);
  EXPECT_TRUE(has(o.err, "--template FILE")) << o.err;
  EXPECT_TRUE(has(o.err, "--chatml")) << o.err;
  const Outcome chatml = chat({"--chatml", "-n", "2"}, "hi\n");
  EXPECT_EQ(chatml.exit_code, 0) << chatml.err;
  EXPECT_TRUE(has(chatml.err, "no tokens of this model")) << chatml.err;
}

TEST_F(Chat, ARefusalOfTheTemplateIsPassedOn) {
  const std::string file =
      write("t.jinja",
            "{% if messages[0].role == 'system' %}{{ raise_exception('No system') }}"
            "{% endif %}<|user|>{{ messages[0].content }}");
  const Outcome o = chat({"--template", file, "--system", "be"}, "hi\n");
  EXPECT_EQ(o.exit_code, 1);
  EXPECT_TRUE(has(o.err, "No system")) << o.err;
}

TEST(ChatRender, AgreesWithTheGoldenRenders) {
  GALLEY_NEED_CONFORMANCE("chat");
  std::ifstream in(conformance_dir() / "chat" / "shown.jsonl");
  std::stringstream lines;
  lines << in.rdbuf();
  const Outcome o = run_galley({"chat", "--render-jsonl"}, lines.str());
  EXPECT_EQ(o.exit_code, 0) << o.err;
  std::istringstream ours(o.out);
  std::size_t n = 0;
  for (std::string golden, rendered; std::getline(lines, golden); ++n) {
    ASSERT_TRUE(std::getline(ours, rendered)) << "line " << n + 1;
    const Json expected = Json::parse(golden), got = Json::parse(rendered);
    const char* key = expected.contains("text") ? "text" : "error";
    ASSERT_TRUE(got.contains(key)) << rendered;
    EXPECT_EQ(got[key], expected[key]) << "line " << n + 1;
  }
  EXPECT_GT(n, 100u);
}

TEST(ChatRender, TellsErrorsOfATemplateFromErrorsOfTheInput) {
  const auto render = [](const std::string& line) {
    return run_galley({"chat", "--render-jsonl"}, line + "\n");
  };
  EXPECT_EQ(render(R"({"template":"{{ messages|length }}","messages":[]})").json()["text"], "0");
  EXPECT_TRUE(render(R"({"template":"{% if %}","messages":[]})").json().contains("error"));
  EXPECT_EQ(render("{").exit_code, 2);
  EXPECT_EQ(render(R"({"messages":[]})").exit_code, 2);
  EXPECT_EQ(render(R"({"template":"","messages":[],"now":"yesterday"})").exit_code, 2);
}

}  // namespace
}  // namespace galley::test
