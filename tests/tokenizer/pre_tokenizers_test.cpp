// The pre-tokenizers: what each family of patterns makes of a few telling texts, and that no
// text makes any of them slow or lose bytes.
#include "tokenizer/pre_tokenizers.h"

#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <iterator>
#include <set>

#include "tests/tokenizer/tiny_vocabulary.h"
#include "tokenizer/regex_split.h"

namespace galley {
namespace {

using Strings = std::vector<std::string>;

Strings words_of(std::string_view pre, std::string_view text) {
  const PreTokenizer* found = find_pre_tokenizer(pre);
  if (found == nullptr) {
    ADD_FAILURE() << "no pre-tokenizer " << pre;
    return {};
  }
  Strings words;
  std::size_t begin = 0;
  for (const std::size_t end : RegexSplitter(found->patterns).split(text)) {
    words.emplace_back(text.substr(begin, end - begin));
    begin = end;
  }
  return words;
}

TEST(PreTokenizers, NamesAreUnique) {
  std::set<std::string_view> names;
  for (const PreTokenizer& pre : pre_tokenizers()) EXPECT_TRUE(names.insert(pre.name).second);
  EXPECT_EQ(pre_tokenizers().front().name, "default");
  EXPECT_EQ(find_pre_tokenizer("no such name"), nullptr);
}

TEST(PreTokenizers, AllAreInTheDocumentation) {
  std::ifstream in(std::string(GALLEY_SOURCE_DIR) + "/docs/tokenizer.md");
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  for (const PreTokenizer& pre : pre_tokenizers()) {
    std::string name("`");
    name += pre.name;
    EXPECT_NE(text.find(name + "`"), std::string::npos) << pre.name;
  }
}

TEST(PreTokenizers, Gpt2) {
  EXPECT_EQ(words_of("gpt-2", "Hello  world's 2024!\n\n x"),
            (Strings{"Hello", " ", " world", "'s", " 2024", "!", "\n\n", " x"}));
  EXPECT_EQ(words_of("gpt-2", "I'LL don't  "), (Strings{"I", "'", "LL", " don", "'t", "  "}));
  EXPECT_EQ(words_of("gpt-2", "a\tb"), (Strings{"a", "\t", "b"}));
}

TEST(PreTokenizers, SingleDigits) {
  EXPECT_EQ(words_of("starcoder", "x = 1234;"), (Strings{"x", " =", " ", "1", "2", "3", "4", ";"}));
}

TEST(PreTokenizers, Llama3) {
  EXPECT_EQ(words_of("llama-bpe", "I'LL pay $12345.67\r\n\r\n  ok"),
            (Strings{"I", "'LL", " pay", " $", "123", "45", ".", "67", "\r\n\r\n", " ", " ok"}));
  EXPECT_EQ(words_of("llama-bpe", "'\u017F"), (Strings{"'\u017F"}));  // no contraction
  EXPECT_EQ(words_of("llama-bpe", "(a) {\n"), (Strings{"(a", ")", " {\n"}));
}

TEST(PreTokenizers, Qwen2) {
  EXPECT_EQ(words_of("qwen2", "a 12"), (Strings{"a", " ", "1", "2"}));
  EXPECT_EQ(words_of("deepseek-r1-qwen", "\u4F60\u597D,\u4E16\u754C"),
            (Strings{"\u4F60\u597D", ",\u4E16\u754C"}));
}

TEST(PreTokenizers, Default) {
  EXPECT_EQ(words_of("default", "a, b... 12345"),
            (Strings{"a", ",", " b", "...", " ", "123", "45"}));
  EXPECT_EQ(words_of("falcon", "a`b 12345"), (Strings{"a", "`", "b", " ", "123", "45"}));
}

TEST(PreTokenizers, DeepSeek) {
  EXPECT_EQ(words_of("deepseek-coder", "if x1\n\u4E16\u754C,"),
            (Strings{"if", " x", "1", "\n", "\u4E16\u754C", ","}));
  EXPECT_EQ(words_of("deepseek-llm", "ab 123 \u4E16\u754C  "),
            (Strings{"ab", " ", "123", " ", "\u4E16\u754C", "  "}));
  EXPECT_EQ(words_of("deepseek-v3", "a1234 \u4E16\u3042 .x!?\n~\u00E9"),
            (Strings{"a", "123", "4", " ", "\u4E16\u3042", " .", "x", "!?\n", "~\u00E9"}));
}

TEST(PreTokenizers, WordsThatTellCases) {
  EXPECT_EQ(words_of("tekken", "HTTPServer fooBar 12"),
            (Strings{"HTTPServer", " foo", "Bar", " ", "1", "2"}));
  EXPECT_EQ(words_of("gpt-4o", "fooBar's 1234 a//\n"),
            (Strings{"foo", "Bar's", " ", "123", "4", " a", "//\n"}));
}

TEST(PreTokenizers, Bloom) {
  EXPECT_EQ(words_of("bloom", "a-b, c(d)"), (Strings{"a-b", ",", " c", "(", "d", ")"}));
  EXPECT_EQ(words_of("viking", "a12"), (Strings{"a", "1", "2"}));
}

TEST(PreTokenizers, Chameleon) {
  EXPECT_EQ(words_of("chameleon", "IMGIMGABZ a1.\n"), (Strings{"IMGIMGABZ", " a", "1", ".", "\n"}));
}

TEST(PreTokenizers, Others) {
  EXPECT_EQ(words_of("kimi-k2", "ab\u4E16c 1234"), (Strings{"ab", "\u4E16", "c", " ", "123", "4"}));
  EXPECT_EQ(words_of("exaone-moe", "ab cd  e1"), (Strings{"ab cd", " ", " e", "1"}));
  EXPECT_EQ(words_of("seed-coder", "a;\nb"), (Strings{"a", ";", "\n", "b"}));
  EXPECT_EQ(words_of("bailingmoe", "a\n\nb"), (Strings{"a", "\n\n", "b"}));
  EXPECT_EQ(words_of("ufakzeka", "Ali'nin 12"), (Strings{"Ali", "'nin", " ", "1", "2"}));
  EXPECT_EQ(words_of("qwen35", "\u0915\u093E 12"), (Strings{"\u0915\u093E", " ", "1", "2"}));
  EXPECT_EQ(words_of("jais-2", "a          b"), (Strings{"a", "        ", " ", " b"}));
  EXPECT_EQ(words_of("jais-2", "a!\n  \n b"), (Strings{"a", "!\n", "  \n", " b"}));
}

TEST(PreTokenizers, DigitsInThreesFromTheRight) {
  EXPECT_EQ(words_of("tiny_aya", "pay 1234567's 12"),
            (Strings{"pay", " ", "1", "234", "567", "'s", " ", "12"}));
  EXPECT_EQ(words_of("afmoe", "12345 123\u4E16a"),
            (Strings{"12", "345", " ", "123", "\u4E16", "a"}));
  EXPECT_EQ(words_of("youtu", "\u4E16\uFF0C\uAC00ab's 12"),
            (Strings{"\u4E16", "\uFF0C", "\uAC00", "ab's", " ", "1", "2"}));
}

TEST(PreTokenizers, NewCharactersCountAsWhatTheyAre) {
  // A letter of Unicode 15.0 (CJK extension H), a digit of 15.0, U+180E, which is no space.
  EXPECT_EQ(words_of("llama-bpe", "a\U00031350b \U0001D2C0"),
            (Strings{"a\U00031350b", " ", "\U0001D2C0"}));
  EXPECT_EQ(words_of("gpt-2", "!\u180E!"), (Strings{"!\u180E!"}));
}

// All patterns on all kinds of random text: nothing is lost, no word is empty.
TEST(PreTokenizers, WordsCoverAnyText) {
  std::mt19937 random(1);
  const Strings parts = {"a",      "Z",  "9",    " ",        "\n",     "\r\n",
                         "\t",     "'s", ".",    "~",        "\u00E9", "\u4E16",
                         "\u0301", "(",  "\xFF", "\xE4\xB8", "\u3000", "$"};
  for (const PreTokenizer& pre : pre_tokenizers()) {
    const RegexSplitter splitter(pre.patterns);
    EXPECT_TRUE(splitter.split("").empty());
    for (int i = 0; i < 100; ++i) {
      const std::string text = i % 2 == 0 ? test::random_text(random, 1 + random() % 40, parts)
                                          : test::random_bytes(random, 1 + random() % 40);
      const std::vector<std::size_t> ends = splitter.split(text);
      std::size_t last = 0;
      for (const std::size_t end : ends) {
        ASSERT_GT(end, last) << pre.name;
        last = end;
      }
      ASSERT_EQ(last, text.size()) << pre.name;
    }
  }
}

// Texts that make careless patterns quadratic. A linear one takes milliseconds.
TEST(PreTokenizers, AMegabyteOfAnythingIsFast) {
  constexpr std::size_t kSize = 1'000'000;
  const Strings texts = {
      test::repeat("a", kSize),
      test::repeat("A", kSize),
      test::repeat(" ", kSize) + "x",
      test::repeat("\n", kSize) + "x",
      test::repeat("\t\n", kSize / 2),
      test::repeat("1", kSize),
      test::repeat("=", kSize),
      test::repeat("\u00E9", kSize / 2),
      test::repeat("\u4E16", kSize / 3),
      test::repeat("e\u0301", kSize / 3),
      test::repeat("a ", kSize / 2),
      test::repeat("\xFF", kSize),
      test::repeat("\u3000", kSize / 3) + "x",
  };
  std::set<const void*> done;  // many names share their patterns
  for (const PreTokenizer& pre : pre_tokenizers()) {
    if (!done.insert(pre.patterns.data()).second) continue;
    const RegexSplitter splitter(pre.patterns);
    for (const std::string& text : texts) {
      const auto start = std::chrono::steady_clock::now();
      const std::vector<std::size_t> ends = splitter.split(text);
      const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
      ASSERT_EQ(ends.back(), text.size());
      ASSERT_LT(elapsed.count(), 5.0) << pre.name << " on " << text.substr(0, 8);
    }
  }
}

}  // namespace
}  // namespace galley
