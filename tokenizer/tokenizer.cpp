#include "tokenizer/tokenizer.h"

#include <algorithm>
#include <utility>

#include "tensor/error.h"
#include "tokenizer/bpe.h"
#include "tokenizer/sentencepiece.h"
#include "tokenizer/special_tokens.h"
#include "tokenizer/unigram.h"
#include "tokenizer/vocabulary.h"
#include "tokenizer/wordpiece.h"

namespace galley {

struct Tokenizer::Impl {
  explicit Impl(Vocabulary v) : vocabulary(std::move(v)), special_tokens(vocabulary) {}
  Impl(const Impl&) = delete;  // the parts point to each other

  void build_pieces();
  void add_ends(bool front, std::vector<TokenId>& ids) const;

  Vocabulary vocabulary;
  SpecialTokens special_tokens;
  std::unique_ptr<Algorithm> algorithm;  // none without a vocabulary
  std::string pieces;                    // the printed bytes of all tokens, one after the other
  std::vector<std::size_t> piece_ends;
};

void Tokenizer::Impl::build_pieces() {
  piece_ends.reserve(static_cast<std::size_t>(vocabulary.n_tokens()));
  for (TokenId id = 0; id < vocabulary.n_tokens(); ++id) {
    pieces += vocabulary.piece(id);
    piece_ends.push_back(pieces.size());
  }
}

// The tokens that add_special puts before (front) and after a text.
void Tokenizer::Impl::add_ends(bool front, std::vector<TokenId>& ids) const {
  const Vocabulary& v = vocabulary;
  if (front) {
    if (v.adds_bos) ids.push_back(*v.bos);
  } else if (v.kind == TokenizerKind::kWordPiece) {
    if (v.separator) ids.push_back(*v.separator);
  } else if (v.adds_eos) {
    ids.push_back(*v.eos);
  }
}

namespace {

// The pre-tokenizer that the file asks for. An unknown one is replaced by the default, with a
// warning.
const PreTokenizer& choose_pre_tokenizer(Vocabulary& vocabulary) {
  if (const PreTokenizer* known = find_pre_tokenizer(vocabulary.pre_name)) return *known;
  const std::string name = vocabulary.pre_name.empty()
                               ? "tokenizer.ggml.pre is missing"
                               : "pre-tokenizer '" + vocabulary.pre_name + "' is not known";
  vocabulary.warnings.push_back(name +
                                ": using 'default'; some text may be cut into other tokens than "
                                "the model was trained with");
  return pre_tokenizers().front();
}

std::unique_ptr<Algorithm> make_algorithm(const GgufFile& file, Vocabulary& vocabulary) {
  switch (vocabulary.kind) {
    case TokenizerKind::kNone:
      return nullptr;
    case TokenizerKind::kBpe: {
      const GgufArray* merges = file.get_array("tokenizer.ggml.merges");
      if (merges == nullptr || merges->element_type != GgufType::kString) {
        throw bad_model(file.path(),
                        std::string("tokenizer.ggml.merges is ") +
                            (merges == nullptr ? "missing" : "not an array of strings") +
                            ", expected the merges of byte-pair encoding; convert the model again");
      }
      return std::make_unique<BytePairEncoding>(vocabulary, merges->strings,
                                                choose_pre_tokenizer(vocabulary));
    }
    case TokenizerKind::kSentencePiece:
      return std::make_unique<SentencePiece>(vocabulary);
    case TokenizerKind::kWordPiece:
      return std::make_unique<WordPiece>(vocabulary);
    case TokenizerKind::kUnigram:
      return std::make_unique<Unigram>(vocabulary, Normalizer::from_gguf(file));
  }
  return nullptr;
}

}  // namespace

Tokenizer Tokenizer::from_gguf(const GgufFile& file) {
  auto impl = std::make_unique<Impl>(read_vocabulary(file));
  impl->algorithm = make_algorithm(file, impl->vocabulary);
  impl->build_pieces();
  return Tokenizer(std::move(impl));
}

Tokenizer::Tokenizer(std::unique_ptr<const Impl> impl) : impl_(std::move(impl)) {}
Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;
Tokenizer& Tokenizer::operator=(Tokenizer&&) noexcept = default;
Tokenizer::~Tokenizer() = default;

namespace {

// Positions in a text fit in 32 bits everywhere in this folder.
void check_encodable(bool has_vocab, std::string_view text) {
  GALLEY_CHECK(has_vocab, "encoding text without a vocabulary");
  if (text.size() >= 0x40000000) {
    throw Error(ErrorKind::kUsage, "the text has " + std::to_string(text.size()) +
                                       " bytes, the tokenizer takes less than 1 GiB at a time");
  }
}

}  // namespace

std::vector<TokenId> Tokenizer::encode(std::string_view text, EncodeOptions options) const {
  check_encodable(has_vocab(), text);
  std::vector<TokenId> ids;
  ids.reserve(text.size() / 3 + 8);
  if (options.add_special) impl_->add_ends(/*front=*/true, ids);
  bool after_special = true;
  for (const PreToken& part : impl_->special_tokens.cut(text, options.parse_special)) {
    if (part.special) {
      ids.push_back(*part.special);
    } else {
      const std::string_view words = text.substr(part.begin, part.end - part.begin);
      impl_->algorithm->encode(words, after_special, ids);
    }
    after_special = part.special.has_value();
  }
  if (options.add_special) impl_->add_ends(/*front=*/false, ids);
  return ids;
}

std::vector<WordSteps> Tokenizer::explain(std::string_view text, EncodeOptions options) const {
  check_encodable(has_vocab(), text);
  std::vector<WordSteps> all;
  bool after_special = true;
  for (const PreToken& part : impl_->special_tokens.cut(text, options.parse_special)) {
    const std::string_view words = text.substr(part.begin, part.end - part.begin);
    if (part.special) {
      all.push_back({part, std::string(words), {std::string(words)}, {}, {*part.special}});
    } else {
      for (WordSteps& steps : impl_->algorithm->explain(words, after_special)) {
        steps.place.begin += part.begin;
        steps.place.end += part.begin;
        all.push_back(std::move(steps));
      }
    }
    after_special = part.special.has_value();
  }
  return all;
}

std::string_view Tokenizer::piece(TokenId id, bool show_special) const {
  if (id < 0 || id >= n_tokens()) return {};
  const TokenType type = token_type(id);
  if (!show_special && (type == TokenType::kControl || type == TokenType::kUnknown)) return {};
  const auto i = static_cast<std::size_t>(id);
  const std::size_t begin = i == 0 ? 0 : impl_->piece_ends[i - 1];
  return std::string_view(impl_->pieces).substr(begin, impl_->piece_ends[i] - begin);
}

std::string Tokenizer::decode(std::span<const TokenId> ids, bool show_special) const {
  std::string text;
  for (const TokenId id : ids) text += piece(id, show_special);
  return text;
}

TokenizerKind Tokenizer::kind() const { return impl_->vocabulary.kind; }
const std::string& Tokenizer::model_name() const { return impl_->vocabulary.model_name; }
const std::string& Tokenizer::pre_name() const { return impl_->vocabulary.pre_name; }
const std::vector<std::string>& Tokenizer::warnings() const { return impl_->vocabulary.warnings; }
TokenId Tokenizer::n_tokens() const { return impl_->vocabulary.n_tokens(); }

std::string_view Tokenizer::token_text(TokenId id) const {
  GALLEY_CHECK(id >= 0 && id < n_tokens(), "token " + std::to_string(id));
  return impl_->vocabulary.texts[id];
}
TokenType Tokenizer::token_type(TokenId id) const {
  GALLEY_CHECK(id >= 0 && id < n_tokens(), "token " + std::to_string(id));
  return impl_->vocabulary.type(id);
}
float Tokenizer::token_score(TokenId id) const {
  GALLEY_CHECK(id >= 0 && id < n_tokens(), "token " + std::to_string(id));
  return impl_->vocabulary.score(id);
}
std::optional<TokenId> Tokenizer::find(std::string_view text) const {
  return impl_->vocabulary.find(text);
}

std::optional<TokenId> Tokenizer::bos() const { return impl_->vocabulary.bos; }
std::optional<TokenId> Tokenizer::eos() const { return impl_->vocabulary.eos; }
std::optional<TokenId> Tokenizer::eot() const { return impl_->vocabulary.eot; }
std::optional<TokenId> Tokenizer::eom() const { return impl_->vocabulary.eom; }
std::optional<TokenId> Tokenizer::unknown() const { return impl_->vocabulary.unknown; }
std::optional<TokenId> Tokenizer::separator() const { return impl_->vocabulary.separator; }
std::optional<TokenId> Tokenizer::padding() const { return impl_->vocabulary.padding; }
std::optional<TokenId> Tokenizer::mask() const { return impl_->vocabulary.mask; }
bool Tokenizer::adds_bos() const { return impl_->vocabulary.adds_bos; }
bool Tokenizer::adds_eos() const { return impl_->vocabulary.adds_eos; }

const std::vector<TokenId>& Tokenizer::end_of_generation_ids() const {
  return impl_->vocabulary.end_of_generation;
}
bool Tokenizer::is_end_of_generation(TokenId id) const {
  const std::vector<TokenId>& ids = end_of_generation_ids();
  return std::binary_search(ids.begin(), ids.end(), id);
}

}  // namespace galley
