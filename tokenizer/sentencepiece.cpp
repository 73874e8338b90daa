#include "tokenizer/sentencepiece.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <string>

#include "tokenizer/pair_merger.h"
#include "tokenizer/recent_words.h"
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
void split_characters(std::string_view text, std::vector<std::string_view>& symbols) {
  symbols.clear();
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t size = read_utf8(text, i).size;
    symbols.push_back(text.substr(i, size));
    i += size;
  }
}

// How many bytes of `text`, from `begin` on, `word` was prepared from.
std::size_t original_size(std::string_view word, std::string_view text, std::size_t begin) {
  std::size_t at = begin;
  for (std::size_t i = 0; i < word.size();) {
    const std::size_t size = read_utf8(word, i).size;
    const bool was_space = text[at] == ' ' && word.substr(i, size) == kSpaceMark;
    at += was_space ? 1 : size;
    i += size;
  }
  return at - begin;
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
  for (TokenId id = 0; id < vocabulary.n_tokens(); ++id) {
    const std::string_view text = vocabulary.texts[id];
    for (std::size_t at = text.find(kSpaceMark); at != std::string_view::npos;
         at = text.find(kSpaceMark, at + 1)) {
      if (at > 0) joins_mark_[static_cast<unsigned char>(text[at - 1])] = true;
    }
  }
}

// What is merged for `text`: a space in front if the model wants one, spaces as marks.
std::string SentencePiece::prepare(std::string_view text, bool after_special) const {
  const bool adds_space = vocabulary_->adds_space_prefix && after_special;
  std::string prepared(adds_space ? kSpaceMark : "");
  prepared += escape_spaces(text);
  return prepared;
}

// Where the word that starts at `begin` ends: before the next mark that no token joins to what
// precedes it.
std::size_t SentencePiece::end_of_word(std::string_view prepared, std::size_t begin) const {
  std::size_t end = begin;
  do {
    end = prepared.find(kSpaceMark, end + 1);
    if (end == std::string_view::npos) return prepared.size();
  } while (joins_mark_[static_cast<unsigned char>(prepared[end - 1])]);
  return end;
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
  RecentWords recent(prepared.size());
  std::vector<std::string_view> symbols;
  PairMerger<std::string_view> merger;
  for (std::size_t begin = 0; begin < prepared.size();) {
    const std::size_t end = end_of_word(prepared, begin);
    const std::string_view word = std::string_view(prepared).substr(begin, end - begin);
    begin = end;
    recent.append(word, ids, [&] {
      split_characters(word, symbols);
      merger.run(symbols, Rules{*vocabulary_}, [](auto&&...) {});
      for (const std::string_view symbol : symbols) append_ids(symbol, ids);
    });
  }
}

std::vector<WordSteps> SentencePiece::explain(std::string_view text, bool after_special) const {
  const std::string prepared = prepare(text, after_special);
  const bool has_prefix = prepared.size() > escape_spaces(text).size();
  std::vector<WordSteps> words;
  std::vector<std::string_view> symbols;
  PairMerger<std::string_view> merger;
  std::size_t place = 0;
  for (std::size_t begin = 0; begin < prepared.size();) {
    const std::size_t end = end_of_word(prepared, begin);
    const std::string_view word = std::string_view(prepared).substr(begin, end - begin);
    WordSteps& steps = words.emplace_back();
    steps.word = word;
    const std::string_view from_text =
        has_prefix && begin == 0 ? word.substr(kSpaceMark.size()) : word;
    steps.place = {place, place + original_size(from_text, text, place), std::nullopt};
    place = steps.place.end;
    begin = end;

    split_characters(word, symbols);
    steps.symbols.assign(symbols.begin(), symbols.end());
    merger.run(symbols, Rules{*vocabulary_},
               [&](std::uint32_t at, std::uint32_t /*priority*/, const auto& now) {
                 const float score = vocabulary_->score(*vocabulary_->find(now[at]));
                 steps.merges.push_back({merger.index_of(at), -1, score, std::string(now[at])});
               });
    for (const std::string_view symbol : symbols) append_ids(symbol, steps.ids);
  }
  return words;
}

}  // namespace galley
