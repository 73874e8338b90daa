#include "tokenizer/wordpiece.h"

#include "tokenizer/unicode.h"
#include "tokenizer/utf8.h"

namespace galley {
namespace {

// BERT's ranges of characters that are words by themselves. The fifth should begin at U+2B820;
// the tokenizers that models were trained with say U+2B920.
bool is_chinese(char32_t code) {
  return (code >= 0x4E00 && code <= 0x9FFF) || (code >= 0x3400 && code <= 0x4DBF) ||
         (code >= 0x20000 && code <= 0x2A6DF) || (code >= 0x2A700 && code <= 0x2B73F) ||
         (code >= 0x2B740 && code <= 0x2B81F) || (code >= 0x2B920 && code <= 0x2CEAF) ||
         (code >= 0xF900 && code <= 0xFAFF) || (code >= 0x2F800 && code <= 0x2FA1F);
}

bool is_word_by_itself(char32_t code, CharClass kind) {
  return kind == CharClass::kPunctuation || (code < 0x7F && kind == CharClass::kSymbol) ||
         is_chinese(code);
}

}  // namespace

WordPiece::WordPiece(const Vocabulary& vocabulary) : vocabulary_(&vocabulary) {
  for (TokenId id = 0; id < vocabulary.n_tokens(); ++id) {
    if (!vocabulary.texts[id].empty()) tokens_.insert(vocabulary.texts[id], id);
  }
}

std::vector<WordPiece::Word> WordPiece::words_of(std::string_view text) const {
  std::vector<Word> words;
  bool inside = false;  // whether the last word goes on
  for (std::size_t i = 0; i < text.size();) {
    const Utf8Char c = read_utf8(text, i);
    const std::size_t begin = i;
    i += c.size;
    const char32_t code = vocabulary_->strips_accents && c.valid ? base_char(c.code) : c.code;
    if (c.valid && is_white_space(code)) {
      inside = false;
      continue;
    }
    const CharClass kind = char_class(code);
    if (!c.valid || code == 0 || code == 0xFFFD || kind == CharClass::kControl ||
        (kind == CharClass::kMark && vocabulary_->drops_marks)) {
      continue;
    }
    const bool alone = is_word_by_itself(code, kind);
    if (!inside || alone) words.push_back({std::string(kSpaceMark), begin, begin});
    append_utf8(words.back().text, vocabulary_->lowers_case ? to_lower(code) : code);
    words.back().end = i;
    inside = !alone;
  }
  return words;
}

void WordPiece::append_ids(const std::string& word, std::vector<TokenId>& ids) const {
  const std::size_t n_before = ids.size();
  for (std::size_t begin = 0; begin < word.size();) {
    TokenId longest = Trie::kNoValue;
    std::size_t end = begin;
    Trie::Node node = Trie::kRoot;
    for (std::size_t i = begin; i < word.size(); ++i) {
      node = tokens_.child(node, static_cast<unsigned char>(word[i]));
      if (node == Trie::kNone) break;
      if (tokens_.value(node) != Trie::kNoValue) {
        longest = tokens_.value(node);
        end = i + 1;
      }
    }
    if (longest == Trie::kNoValue) {  // the whole word is unknown
      ids.resize(n_before);
      if (vocabulary_->unknown) ids.push_back(*vocabulary_->unknown);
      return;
    }
    ids.push_back(longest);
    begin = end;
  }
}

void WordPiece::encode(std::string_view text, bool /*after_special*/,
                       std::vector<TokenId>& ids) const {
  for (const Word& word : words_of(text)) append_ids(word.text, ids);
}

std::vector<WordSteps> WordPiece::explain(std::string_view text, bool /*after_special*/) const {
  std::vector<WordSteps> all;
  for (const Word& word : words_of(text)) {
    WordSteps& steps = all.emplace_back();
    steps.place = {word.begin, word.end, std::nullopt};
    steps.word = word.text;
    append_ids(word.text, steps.ids);
  }
  return all;
}

}  // namespace galley
