#include "tokenizer/unigram.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "tokenizer/utf8.h"

namespace galley {

Unigram::Unigram(const Vocabulary& vocabulary, Normalizer normalizer)
    : vocabulary_(&vocabulary), normalizer_(std::move(normalizer)) {
  constexpr float kPenalty = 10.0F;
  float lowest = std::numeric_limits<float>::max();
  for (TokenId id = 0; id < vocabulary.n_tokens(); ++id) {
    const TokenType type = vocabulary.type(id);
    if (type == TokenType::kNormal) lowest = std::min(lowest, vocabulary.score(id));
    if ((type == TokenType::kNormal || type == TokenType::kUserDefined ||
         type == TokenType::kUnused) &&
        !vocabulary.texts[id].empty()) {
      tokens_.insert(vocabulary.texts[id], id);
    }
  }
  unknown_score_ = double{lowest - kPenalty};
}

// Replaces characters as the model's map says, writes spaces as marks, joins runs of spaces and
// puts one in front if the model wants that.
std::string Unigram::normalize(std::string_view text) const {
  constexpr std::string_view kReplacementChar = "\xEF\xBF\xBD";
  std::string normalized;
  bool has_prefix = false;
  bool inside_word = false;
  const auto append = [&](std::string_view part) {
    for (const char c : part) {
      if (c == ' ') {
        inside_word = false;
        if (!vocabulary_->merges_spaces) normalized += kSpaceMark;
        continue;
      }
      if (!inside_word &&
          (vocabulary_->merges_spaces || (vocabulary_->adds_space_prefix && !has_prefix))) {
        normalized += kSpaceMark;
        has_prefix = true;
      }
      inside_word = true;
      normalized.push_back(c);
    }
  };
  for (std::size_t i = 0; i < text.size();) {
    if (const auto replacement = normalizer_.match(text.substr(i))) {
      append(replacement->text);
      i += replacement->n_bytes;
      continue;
    }
    const Utf8Char c = read_utf8(text, i);
    append(c.valid ? text.substr(i, c.size) : kReplacementChar);
    i += c.size;
  }
  return normalized;
}

void Unigram::append_ids(std::string_view normalized, std::vector<TokenId>& ids) const {
  // The best way to each place: the last token on it, where that token begins, and the sum of
  // the scores. The sum is kept as a float, as SentencePiece does: of two ways that are equally
  // good but for rounding, it decides which one is found.
  struct Best {
    TokenId token;
    std::size_t begin;
    float score;
  };
  const TokenId unknown = vocabulary_->unknown.value_or(-1);
  std::vector<Best> best(normalized.size() + 1, {unknown, 0, std::numeric_limits<float>::lowest()});
  best[0].score = 0;
  const auto offer = [&](std::size_t begin, std::size_t end, TokenId token, double score) {
    const double sum = double{best[begin].score} + score;
    if (sum > double{best[end].score}) best[end] = {token, begin, static_cast<float>(sum)};
  };
  for (std::size_t i = 0; i < normalized.size();) {
    const std::size_t char_size = read_utf8(normalized, i).size;
    bool has_char = false;
    Trie::Node node = Trie::kRoot;
    for (std::size_t end = i + 1; end <= normalized.size(); ++end) {
      node = tokens_.child(node, static_cast<unsigned char>(normalized[end - 1]));
      if (node == Trie::kNone) break;
      const TokenId token = tokens_.value(node);
      if (token == Trie::kNoValue) continue;
      has_char = has_char || end == i + char_size;
      const bool is_user_defined = vocabulary_->type(token) == TokenType::kUserDefined;
      const double score = is_user_defined ? 0.0 : double{vocabulary_->score(token)};
      offer(i, end, token, score);
    }
    if (!has_char) offer(i, i + char_size, unknown, unknown_score_);
    i += char_size;
  }
  // Walk back from the end. Unknown characters in a row are one unknown token.
  const std::size_t n_before = ids.size();
  bool after_unknown = false;
  for (std::size_t place = normalized.size(); place > 0; place = best[place].begin) {
    const bool is_unknown = best[place].token == unknown;
    if (best[place].token >= 0 && !(is_unknown && after_unknown)) {
      ids.push_back(best[place].token);
    }
    after_unknown = is_unknown;
  }
  std::reverse(ids.begin() + static_cast<std::ptrdiff_t>(n_before), ids.end());
}

void Unigram::encode(std::string_view text, bool /*after_special*/,
                     std::vector<TokenId>& ids) const {
  append_ids(normalize(text), ids);
}

std::vector<WordSteps> Unigram::explain(std::string_view text, bool /*after_special*/) const {
  WordSteps steps;
  steps.place = {0, text.size(), std::nullopt};
  steps.word = normalize(text);
  append_ids(steps.word, steps.ids);
  return {steps};
}

}  // namespace galley
