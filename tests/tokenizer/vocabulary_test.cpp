// Reading vocabularies: what is refused, what is warned of, and the tokens with a meaning.
#include <gtest/gtest.h>

#include "tensor/error.h"
#include "tests/conformance.h"
#include "tests/tokenizer/tiny_vocabulary.h"

namespace galley {
namespace {

// What making a tokenizer of `vocabulary` says.
std::string error_of(test::TinyVocabulary vocabulary) {
  try {
    vocabulary.make();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kBadModel);
    return error.what();
  }
  return "no error";
}

void expect_says(const std::string& message, const std::vector<std::string>& parts) {
  for (const std::string& part : parts) {
    EXPECT_NE(message.find(part), std::string::npos) << "'" << part << "' in: " << message;
  }
  EXPECT_EQ(message.find('\n'), std::string::npos) << message;
}

TEST(Vocabulary, RefusesWhatDoesNotFit) {
  test::TinyVocabulary unknown = test::tiny_spm({});
  unknown.model = "gemma4";
  expect_says(error_of(unknown), {"tiny.gguf", "tokenizer.ggml.model", "gemma4", "gpt2", "llama"});

  test::TinyVocabulary empty = test::tiny_spm({});
  empty.tokens.clear();
  expect_says(error_of(empty), {"tokenizer.ggml.tokens", "missing"});

  test::TinyVocabulary scores = test::tiny_spm({});
  scores.scores.resize(5);
  expect_says(error_of(scores), {"tokenizer.ggml.scores", "5", "259"});

  test::TinyVocabulary types = test::tiny_spm({});
  types.types.push_back(1);
  expect_says(error_of(types), {"tokenizer.ggml.token_type", "260", "259"});

  test::TinyVocabulary float_types = test::tiny_spm({});
  float_types.types.clear();
  float_types.writer.set_float32_array("tokenizer.ggml.token_type",
                                       std::vector<float>(float_types.tokens.size(), 1.0F));
  expect_says(error_of(float_types), {"tokenizer.ggml.token_type", "integers"});

  test::TinyVocabulary text_id = test::tiny_spm({});
  text_id.writer.set_string("tokenizer.ggml.bos_token_id", "one");
  expect_says(error_of(text_id), {"tokenizer.ggml.bos_token_id"});
}

TEST(Vocabulary, BpeNeedsMerges) {
  GgufWriter writer;
  writer.set_string("tokenizer.ggml.model", "gpt2");
  writer.set_string_array("tokenizer.ggml.tokens", std::vector<std::string>{"a"});
  const auto message = [&] {
    const std::vector<std::byte> file = writer.to_bytes();
    try {
      Tokenizer::from_gguf(GgufFile::from_memory(file, "tiny.gguf"));
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string("no error");
  };
  expect_says(message(), {"tokenizer.ggml.merges", "missing"});
  writer.set_int32_array("tokenizer.ggml.merges", std::vector<std::int32_t>{1});
  expect_says(message(), {"tokenizer.ggml.merges", "strings"});
}

TEST(Vocabulary, NoVocabularyIsFine) {
  for (const char* model : {"no_vocab", "none", ""}) {
    GgufWriter writer;
    if (*model != '\0') writer.set_string("tokenizer.ggml.model", model);
    const std::vector<std::byte> file = writer.to_bytes();
    const Tokenizer tokenizer = Tokenizer::from_gguf(GgufFile::from_memory(file, "tiny.gguf"));
    EXPECT_FALSE(tokenizer.has_vocab());
    EXPECT_EQ(tokenizer.n_tokens(), 0);
    EXPECT_EQ(tokenizer.piece(0), "");
    EXPECT_EQ(tokenizer.bos(), std::nullopt);
    EXPECT_FALSE(tokenizer.is_end_of_generation(2));
    EXPECT_TRUE(tokenizer.warnings().empty());
  }
}

TEST(Vocabulary, WarnsOfAnUnknownPreTokenizer) {
  const Tokenizer unknown = test::tiny_bpe({}, "brand-new").make();
  ASSERT_EQ(unknown.warnings().size(), 1U);
  expect_says(unknown.warnings()[0], {"brand-new", "default"});
  test::TinyVocabulary missing = test::tiny_bpe({}, "");
  ASSERT_EQ(missing.make().warnings().size(), 1U);
  EXPECT_TRUE(test::tiny_bpe({}, "default").make().warnings().empty());
}

TEST(Vocabulary, IdsOutOfRangeAreIgnoredWithAWarning) {
  test::TinyVocabulary vocabulary = test::tiny_spm({});
  vocabulary.writer.set_uint32("tokenizer.ggml.eos_token_id", 0x80000000);
  vocabulary.writer.set_int32("tokenizer.ggml.padding_token_id", -1);
  const Tokenizer tokenizer = vocabulary.make();
  ASSERT_EQ(tokenizer.warnings().size(), 2U);
  expect_says(tokenizer.warnings()[0], {"tokenizer.ggml.eos_token_id", "2147483648", "259"});
  EXPECT_EQ(tokenizer.eos(), 2);  // the default for this kind
  EXPECT_EQ(tokenizer.padding(), std::nullopt);
}

TEST(Vocabulary, BosWithoutAnIdIsNotAdded) {
  const Tokenizer tokenizer = test::tiny_bpe({}, "llama-bpe").make();
  ASSERT_EQ(tokenizer.warnings().size(), 1U);
  EXPECT_FALSE(tokenizer.adds_bos());
  EXPECT_EQ(tokenizer.encode("a").size(), 1U);
}

TEST(Vocabulary, BosAndEosAsTheFileSays) {
  test::TinyVocabulary vocabulary = test::tiny_bpe({});
  vocabulary.writer.set_uint32("tokenizer.ggml.bos_token_id", 'B');
  vocabulary.writer.set_uint32("tokenizer.ggml.eos_token_id", 'E');
  EXPECT_EQ(vocabulary.make().encode("a"), (std::vector<TokenId>{'a'}));
  vocabulary.writer.set_bool("tokenizer.ggml.add_bos_token", true);
  vocabulary.writer.set_bool("tokenizer.ggml.add_eos_token", true);
  EXPECT_EQ(vocabulary.make().encode("a"), (std::vector<TokenId>{'B', 'a', 'E'}));
  EXPECT_EQ(vocabulary.make().encode(""), (std::vector<TokenId>{'B', 'E'}));
  EXPECT_EQ(vocabulary.make().encode("a", {false, true}), (std::vector<TokenId>{'a'}));
}

TEST(Vocabulary, KnownEndOfTurnTokens) {
  test::TinyVocabulary vocabulary = test::tiny_bpe({});
  vocabulary.tokens.insert(vocabulary.tokens.end(), {"<|im_end|>", "</s>", "<|eom_id|>", "<PRE>"});
  vocabulary.types.assign(256, 1);
  vocabulary.types.insert(vocabulary.types.end(), {4, 1, 1, 1});
  vocabulary.writer.set_uint32("tokenizer.ggml.eos_token_id", 'E');
  const Tokenizer tokenizer = vocabulary.make();
  EXPECT_EQ(tokenizer.eot(), 256);
  EXPECT_EQ(tokenizer.eom(), 258);
  EXPECT_EQ(tokenizer.end_of_generation_ids(), (std::vector<TokenId>{'E', 256, 258}));
  EXPECT_EQ(tokenizer.token_type(256), TokenType::kControl);
  EXPECT_EQ(tokenizer.token_type(257), TokenType::kNormal);  // HTML, not marked as special
  EXPECT_EQ(tokenizer.token_type(259), TokenType::kControl);
}

TEST(Vocabulary, PiecesByType) {
  test::TinyVocabulary vocabulary =
      test::tiny_spm({{"\u2581hi", -1}, {"<ctl>", -1}, {"\u2581user", -1}, {"unused", -1}});
  const TokenId first = 259;
  vocabulary.types[first + 1] = 3;
  vocabulary.types[first + 2] = 4;
  vocabulary.types[first + 3] = 5;
  vocabulary.tokens[3] = "<0xZZ>";  // a byte token that names no byte
  const Tokenizer tokenizer = vocabulary.make();
  EXPECT_EQ(tokenizer.piece(first), " hi");
  EXPECT_EQ(tokenizer.piece(first + 1), "<ctl>");
  EXPECT_EQ(tokenizer.piece(first + 1, /*show_special=*/false), "");
  EXPECT_EQ(tokenizer.piece(first + 2, false), "\u2581user");
  EXPECT_EQ(tokenizer.piece(first + 3), "");
  EXPECT_EQ(tokenizer.piece(3), "<0xZZ>");
  EXPECT_EQ(tokenizer.piece(3 + '\n'), "\n");
  EXPECT_EQ(tokenizer.piece(-1), "");
  EXPECT_EQ(tokenizer.piece(100000), "");
}

TEST(Vocabulary, OddTokens) {
  test::TinyVocabulary vocabulary = test::tiny_spm({{"", -1}, {"a", -1}, {"a", -2}});
  vocabulary.types.back() = 77;
  const Tokenizer tokenizer = vocabulary.make();
  ASSERT_EQ(tokenizer.warnings().size(), 1U);
  expect_says(tokenizer.warnings()[0], {"260", "261"});
  EXPECT_EQ(tokenizer.find("a"), 260);
  EXPECT_EQ(tokenizer.find(""), std::nullopt);
  EXPECT_EQ(tokenizer.token_type(261), TokenType::kUndefined);
}

TEST(Vocabulary, BadFilesOfTheConformanceData) {
  GALLEY_NEED_CONFORMANCE("bad-gguf");
  const auto load = [](const char* name) {
    const auto path = test::conformance_dir() / "bad-gguf" / name;
    return Tokenizer::from_gguf(GgufFile::open(path.string()));
  };
  EXPECT_THROW(load("scores-short.gguf"), Error);
  EXPECT_NO_THROW(load("ok-base.gguf"));
  EXPECT_EQ(load("eos-out-of-range.gguf").warnings().size(), 1U);
  EXPECT_FALSE(load("byte-token-bad.gguf").encode("\x01").empty());
}

}  // namespace
}  // namespace galley
