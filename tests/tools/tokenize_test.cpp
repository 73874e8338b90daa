// galley tokenize.
#include <gtest/gtest.h>

#include "tests/tensor/temp_folder.h"
#include "tests/tools/galley_process.h"
#include "tests/tools/successor_model.h"

namespace galley::test {
namespace {

class Tokenize : public ::testing::Test {
 protected:
  void SetUp() override { SuccessorModel().write(model()); }
  std::string model() const { return folder_ / "model.gguf"; }
  Outcome tokenize(std::vector<std::string> arguments, const std::string& input = "") const {
    std::vector<std::string> all = {"tokenize", "-m", model()};
    all.insert(all.end(), arguments.begin(), arguments.end());
    return run_galley(all, input);
  }
  TempFolder folder_;
};

TEST_F(Tokenize, ListsIdsTextAndBytes) {
  const Outcome o = tokenize({"ab\u00e9"});
  EXPECT_EQ(o.exit_code, 0) << o.err;
  EXPECT_EQ(std::count(o.out.begin(), o.out.end(), '\n'), 5);  // BOS, a, b and two bytes
  EXPECT_NE(o.out.find("\"a\"  61\n"), std::string::npos) << o.out;
  EXPECT_NE(o.out.find("c3\n"), std::string::npos) << o.out;
}

TEST_F(Tokenize, JsonHasIdsAndTokens) {
  const auto json = tokenize({"--json", "ab"}).json();
  EXPECT_EQ(json["ids"].size(), 3u);
  EXPECT_EQ(json["ids"][0], 1);
  EXPECT_EQ(json["tokens"][1]["text"], "a");
  EXPECT_EQ(json["tokens"][1]["bytes"], "61");
  EXPECT_EQ(tokenize({"--json", "--no-bos", "ab"}).json()["ids"].size(), 2u);
}

TEST_F(Tokenize, ReadsStdinToTheLastByte) {
  EXPECT_EQ(tokenize({"--json"}, "ab\n").json()["ids"].size(), 4u);
  EXPECT_EQ(tokenize({"--json", "--no-bos"}, std::string("a\0b", 3)).json()["ids"].size(), 3u);
  EXPECT_EQ(tokenize({"--json", ""}).json()["ids"].size(), 1u);
}

TEST_F(Tokenize, SpecialTokensAreTextUnlessAsked) {
  EXPECT_EQ(tokenize({"--json", "--no-bos", "<|end|>"}).json()["ids"].size(), 7u);
  EXPECT_EQ(tokenize({"--json", "--no-bos", "--special", "<|end|>"}).json()["ids"].size(), 1u);
}

TEST_F(Tokenize, DecodeIsTheWayBack) {
  const auto ids = tokenize({"--json", "--no-bos", "abc \u00e9 \xff"}).json()["ids"];
  std::string list;
  for (const auto& id : ids) list += std::to_string(id.get<int>()) + " ";
  EXPECT_EQ(tokenize({"--decode", list}).out, "abc \u00e9 \xff");
  EXPECT_EQ(tokenize({"--decode"}, ids.dump()).out, "abc \u00e9 \xff");
  EXPECT_EQ(tokenize({"--decode", "999999"}).exit_code, 2);
  EXPECT_EQ(tokenize({"--decode", "one"}).exit_code, 2);
}

TEST_F(Tokenize, AnswersLines) {
  const Outcome o =
      tokenize({"--jsonl"}, R"({"text": "a<|end|>", "add_special": false, "parse_special": true})"
                            "\n"
                            R"({"text": "\u00ff", "add_special": true, "parse_special": false})"
                            "\n");
  EXPECT_EQ(o.exit_code, 0) << o.err;
  const std::size_t end = o.out.find('\n');
  const auto first = nlohmann::json::parse(o.out.substr(0, end));
  EXPECT_EQ(first["ids"].size(), 2u);
  EXPECT_EQ(first["detokenized"], "a<|end|>");
  const auto second = nlohmann::json::parse(o.out.substr(end));
  EXPECT_EQ(second["ids"].size(), 3u);
  EXPECT_EQ(second["detokenized"], "<s>\u00ff");
  const Outcome bad = tokenize({"--jsonl"}, "{}\n");
  EXPECT_EQ(bad.exit_code, 2);
  EXPECT_NE(bad.err.find("line 1"), std::string::npos);
}

TEST_F(Tokenize, ShowsMerges) {
  TinyVocabulary vocabulary = tiny_bpe({"a b", "ab c"});
  const auto bytes = vocabulary.bytes();
  const std::string path = folder_ / "bpe.gguf";
  vocabulary.writer.write(path);
  const Outcome o = run_galley({"tokenize", "-m", path, "--merges", "abc"});
  EXPECT_EQ(o.out,
            "\"abc\"\n"
            "             \"a\" \"b\" \"c\"\n"
            "  rank 0    = \"ab\" \"c\"\n"
            "  rank 1    = \"abc\"\n"
            "  ids         257\n")
      << o.err;
  const auto json = run_galley({"tokenize", "-m", path, "--merges", "--json", "abc"}).json();
  EXPECT_EQ(json["words"][0]["merges"].size(), 2u);
  EXPECT_EQ(json["words"][0]["merges"][1]["result"], "abc");
}

}  // namespace
}  // namespace galley::test
