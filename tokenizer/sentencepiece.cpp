#include "tokenizer/sentencepiece.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <string>

#include "tokenizer/pair_merger.h"
#include "tokenizer/utf8.h"

namespace galley {
namespace {

// Orders scores: the highest gets the smallest priority, equal scores get equal ones.
std::uint32_t priority_of_score(float score) {
  if (std::isnan(score)) return kNoMerge - 1;
  // The bits of positive floats grow with the value; those of negative ones shrink. Adding 0
  // turns -0 into 0.
  const auto bits = std::bit_cast<std::uint32_t>(score + 0.0F);
  const bool is_negative = bits >> 31 != 0;
  const std::uint32_t ascending = is_negative ? ~bits : bits | 0x80000000;
  return std::min(~ascending, kNoMerge - 1);
}

// The row of characters that merging starts from. A byte that is not UTF-8 stands alone.
std::vector<std::string_view> characters(std::string_view text) {
  std::vector<std::string_view> symbols;
  symbols.reserve(text.size());
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t size = read_utf8(text, i).size;
    symbols.push_back(text.substr(i, size));
    i += size;
  }
  return symbols;
}

}  // namespace

// Symbols are parts of the text, so two neighbours together are one too.
struct SentencePiece::Rules {
  const Vocabulary& vocabulary;

  std::uint32_t priority(std::string_view left, std::string_view right) const {
    const std::string_view both = merged(left, right);
    if (both.size() > vocabulary.longest_text) return kNoMerge;
    const auto id = vocabulary.find(both);
    return id ? priority_of_score(vocabulary.score(*id)) : kNoMerge;
  }
  std::string_view merged(std::string_view left, std::string_view right) const {
    return {left.data(), left.size() + right.size()};
  }
};

SentencePiece::SentencePiece(const Vocabulary& vocabulary) : vocabulary_(&vocabulary) {
  for (std::size_t byte = 0; byte < byte_tokens_.size(); ++byte) {
    byte_tokens_[byte] = vocabulary.find_byte(static_cast<unsigned char>(byte));
    if (!byte_tokens_[byte]) byte_tokens_[byte] = vocabulary.unknown;
  }
}

// What is merged for `text`: a space in front if the model wants one, spaces as marks.
std::string SentencePiece::prepare(std::string_view text, bool after_special) const {
  const bool adds_space = vocabulary_->adds_space_prefix && after_special;
  std::string prepared(adds_space ? kSpaceMark : "");
  prepared += escape_spaces(text);
  return prepared;
}

void SentencePiece::append_ids(std::string_view symbol, std::vector<TokenId>& ids) const {
  if (const auto id = vocabulary_->find(symbol)) {
    ids.push_back(*id);
    return;
  }
  for (const char byte : symbol) {
    if (const auto& id = byte_tokens_[static_cast<unsigned char>(byte)]) ids.push_back(*id);
  }
}

void SentencePiece::encode(std::string_view text, bool after_special,
                           std::vector<TokenId>& ids) const {
  const std::string prepared = prepare(text, after_special);
  std::vector<std::string_view> symbols = characters(prepared);
  PairMerger<std::string_view>().run(symbols, Rules{*vocabulary_}, [](auto&&...) {});
  for (const std::string_view symbol : symbols) append_ids(symbol, ids);
}

std::vector<WordSteps> SentencePiece::explain(std::string_view text, bool after_special) const {
  WordSteps steps;
  steps.place = {0, text.size(), std::nullopt};
  steps.word = prepare(text, after_special);
  std::vector<std::string_view> symbols = characters(steps.word);
  steps.symbols.assign(symbols.begin(), symbols.end());
  PairMerger<std::string_view> merger;
  merger.run(symbols, Rules{*vocabulary_},
             [&](std::uint32_t at, std::uint32_t /*priority*/, const auto& now) {
               std::size_t index = 0;
               for (std::uint32_t i = 0; i < at; i = merger.next(i)) ++index;
               steps.merges.push_back({index, -1, vocabulary_->score(*vocabulary_->find(now[at])),
                                       std::string(now[at])});
             });
  for (const std::string_view symbol : symbols) append_ids(symbol, steps.ids);
  return {steps};
}

}  // namespace galley
