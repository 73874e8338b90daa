#include "tokenizer/vocabulary.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "tensor/error.h"
#include "tokenizer/byte_level.h"
#include "tokenizer/special_ids.h"
#include "tokenizer/utf8.h"

namespace galley {
namespace {

constexpr std::array<std::pair<std::string_view, TokenizerKind>, 6> kModels = {{
    {"gpt2", TokenizerKind::kBpe},
    {"llama", TokenizerKind::kSentencePiece},
    {"bert", TokenizerKind::kWordPiece},
    {"t5", TokenizerKind::kUnigram},
    {"no_vocab", TokenizerKind::kNone},
    {"none", TokenizerKind::kNone},
}};

TokenizerKind kind_of(const GgufFile& file, std::string_view model) {
  std::string known;
  for (const auto& [name, kind] : kModels) {
    if (name == model) return kind;
    known += (known.empty() ? "" : ", ") + std::string(name);
  }
  throw bad_model(file.path(), "tokenizer.ggml.model is '" + std::string(model) +
                                   "', which Galley does not know; expected one of " + known);
}

bool is_integer(GgufType type) {
  switch (type) {
    case GgufType::kUint8:
    case GgufType::kInt8:
    case GgufType::kUint16:
    case GgufType::kInt16:
    case GgufType::kUint32:
    case GgufType::kInt32:
    case GgufType::kUint64:
    case GgufType::kInt64:
      return true;
    default:
      return false;
  }
}

// The array `key`, with one scalar for each token; nullptr if absent.
const GgufArray* per_token_array(const GgufFile& file, std::string_view key, TokenId n_tokens,
                                 bool integers) {
  const GgufArray* array = file.get_array(key);
  if (array == nullptr) return nullptr;
  const GgufType type = array->element_type;
  const bool is_float = type == GgufType::kFloat32 || type == GgufType::kFloat64;
  if (!is_integer(type) && (integers || !is_float)) {
    throw bad_model(file.path(), std::string(key) + " holds " + std::string(gguf_type_name(type)) +
                                     ", expected " + (integers ? "integers" : "numbers") +
                                     "; convert the model again");
  }
  if (array->count != static_cast<std::uint64_t>(n_tokens)) {
    throw bad_model(file.path(), std::string(key) + " has " + std::to_string(array->count) +
                                     " entries for " + std::to_string(n_tokens) +
                                     " tokens; the file is damaged, download or convert it again");
  }
  return array;
}

void read_texts(const GgufFile& file, Vocabulary& vocabulary) {
  constexpr std::string_view kKey = "tokenizer.ggml.tokens";
  const GgufArray* tokens = file.get_array(kKey);
  if (tokens == nullptr || tokens->element_type != GgufType::kString || tokens->count == 0 ||
      tokens->count > 0x7FFFFFFF) {
    const std::string problem = tokens == nullptr ? "is missing"
                                : tokens->element_type != GgufType::kString
                                    ? "is not an array of strings"
                                : tokens->count == 0 ? "is empty"
                                                     : "has more than 2^31 entries";
    throw bad_model(file.path(), std::string(kKey) + " " + problem +
                                     ", expected the texts of the tokens; convert the model again");
  }
  std::size_t n_bytes = 0;
  for (const std::string_view text : tokens->strings) n_bytes += text.size();
  vocabulary.texts.reserve(tokens->strings.size(), n_bytes);
  TokenId first_duplicate = -1;
  constexpr std::size_t kAhead = 16;
  for (std::size_t i = 0; i < tokens->strings.size(); ++i) {
    if (i + kAhead < tokens->strings.size()) vocabulary.texts.prefetch(tokens->strings[i + kAhead]);
    const std::string_view text = tokens->strings[i];
    const TokenId id = vocabulary.texts.add(text);
    vocabulary.longest_text = std::max(vocabulary.longest_text, text.size());
    if (first_duplicate < 0 && !text.empty() && vocabulary.texts.find(text) != id) {
      first_duplicate = id;
    }
  }
  if (first_duplicate >= 0) {
    const std::string_view text = vocabulary.texts[first_duplicate];
    vocabulary.warnings.push_back("tokens " + std::to_string(vocabulary.texts.find(text)) +
                                  " and " + std::to_string(first_duplicate) +
                                  " have the same text: the first is used");
  }
}

void read_scores_and_types(const GgufFile& file, Vocabulary& vocabulary) {
  const auto n_tokens = static_cast<std::size_t>(vocabulary.n_tokens());
  vocabulary.scores.assign(n_tokens, 0.0F);
  vocabulary.types.assign(n_tokens, TokenType::kNormal);
  if (const GgufArray* scores = per_token_array(file, "tokenizer.ggml.scores",
                                                vocabulary.n_tokens(), /*integers=*/false)) {
    for (std::size_t i = 0; i < n_tokens; ++i) {
      vocabulary.scores[i] = static_cast<float>(scores->as_double(i));
    }
  }
  if (const GgufArray* types = per_token_array(file, "tokenizer.ggml.token_type",
                                               vocabulary.n_tokens(), /*integers=*/true)) {
    for (std::size_t i = 0; i < n_tokens; ++i) {
      const std::int64_t type = types->as_int(i);
      vocabulary.types[i] = type >= 0 && type <= static_cast<int>(TokenType::kByte)
                                ? static_cast<TokenType>(type)
                                : TokenType::kUndefined;
    }
  }
}

// The byte that "<0x0A>" names, or -1.
int parse_byte_token(std::string_view text) {
  if (text.size() != 6 || !text.starts_with("<0x") || text.back() != '>') return -1;
  int byte = -1;
  const auto [end, error] = std::from_chars(text.data() + 3, text.data() + 5, byte, 16);
  return error == std::errc() && end == text.data() + 5 ? byte : -1;
}

}  // namespace

std::optional<TokenId> Vocabulary::find(std::string_view text) const {
  const std::int32_t id = texts.find(text);
  return id == StringTable::kNotFound ? std::nullopt : std::optional<TokenId>(id);
}

std::optional<TokenId> Vocabulary::find_byte(unsigned char byte) const {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  const char name[] = {'<', '0', 'x', kHex[byte >> 4], kHex[byte & 15], '>'};
  if (const auto id = find({name, sizeof name})) return id;
  const char itself = static_cast<char>(byte);
  return find({&itself, 1});
}

std::string Vocabulary::piece(TokenId id) const {
  const std::string_view text = texts[id];
  switch (type(id)) {
    case TokenType::kControl:
    case TokenType::kUnknown:
    case TokenType::kUserDefined:
      return std::string(text);
    case TokenType::kByte: {
      const int byte = parse_byte_token(text);
      return byte < 0 ? std::string(text) : std::string(1, static_cast<char>(byte));
    }
    case TokenType::kNormal: {
      if (kind != TokenizerKind::kBpe) return unescape_spaces(text);
      std::string bytes;
      return unspell_bytes(text, bytes) ? bytes : std::string(text);
    }
    case TokenType::kUnused:
    case TokenType::kUndefined:
      break;
  }
  return {};
}

Vocabulary read_vocabulary(const GgufFile& file) {
  Vocabulary vocabulary;
  vocabulary.model_name = file.get_string("tokenizer.ggml.model").value_or("no_vocab");
  vocabulary.pre_name = file.get_string("tokenizer.ggml.pre").value_or("");
  vocabulary.kind = kind_of(file, vocabulary.model_name);
  if (vocabulary.kind == TokenizerKind::kNone) return vocabulary;
  read_texts(file, vocabulary);
  read_scores_and_types(file, vocabulary);
  read_special_ids(file, vocabulary);
  return vocabulary;
}

}  // namespace galley
