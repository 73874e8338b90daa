#include "tokenizer/chat_template/search.h"

#include <algorithm>

#include "tokenizer/chat_template/fault.h"
#include "tokenizer/chat_template/limits.h"
#include "tokenizer/chat_template/text.h"

namespace galley::chat {
namespace {

// Whether one more cut may be made, having made `n`.
bool may_split(std::size_t n, std::int64_t max_splits) {
  return max_splits < 0 || n < static_cast<std::size_t>(max_splits);
}

}  // namespace

std::vector<std::string_view> split(std::string_view text, std::string_view separator,
                                    std::int64_t max_splits, bool from_right) {
  if (separator.empty()) throw Fault("empty separator");
  spend_bytes(text.size());
  std::vector<std::string_view> parts;
  if (!from_right) {
    while (may_split(parts.size(), max_splits)) {
      const std::size_t at = text.find(separator);
      if (at == std::string_view::npos) break;
      parts.push_back(text.substr(0, at));
      text.remove_prefix(at + separator.size());
    }
    parts.push_back(text);
    return parts;
  }
  while (may_split(parts.size(), max_splits)) {
    const std::size_t at = text.rfind(separator);
    if (at == std::string_view::npos) break;
    parts.push_back(text.substr(at + separator.size()));
    text = text.substr(0, at);
  }
  parts.push_back(text);
  std::reverse(parts.begin(), parts.end());
  return parts;
}

std::vector<std::string_view> split_at_space(std::string_view text, std::int64_t max_splits,
                                             bool from_right) {
  spend_bytes(text.size());
  std::vector<std::pair<std::size_t, std::size_t>> words;  // start, end
  for (std::size_t at = 0; at < text.size();) {
    const CodePoint c = decode_at(text, at);
    if (!is_space(c.value)) {
      if (words.empty() || words.back().second != at) words.emplace_back(at, at);
      words.back().second = at + c.n_bytes;
    }
    at += c.n_bytes;
  }
  const std::size_t n_words = words.size();
  const std::size_t n_single =
      max_splits < 0 ? n_words : std::min(n_words, static_cast<std::size_t>(max_splits));
  const auto word = [&](std::size_t i) {
    return text.substr(words[i].first, words[i].second - words[i].first);
  };
  // What is not cut keeps the white space inside it and at its outer end.
  std::vector<std::string_view> parts;
  if (from_right) {
    if (n_single < n_words) parts.push_back(text.substr(0, words[n_words - n_single - 1].second));
    for (std::size_t i = n_words - n_single; i < n_words; ++i) parts.push_back(word(i));
  } else {
    for (std::size_t i = 0; i < n_single; ++i) parts.push_back(word(i));
    if (n_single < n_words) parts.push_back(text.substr(words[n_single].first));
  }
  return parts;
}

std::string replace_all(std::string_view text, std::string_view old, std::string_view replacement,
                        std::int64_t max_count) {
  spend_bytes(text.size());
  std::string out;
  std::size_t n = 0;
  std::size_t at = 0;
  if (old.empty()) {  // between all characters and at both ends
    while (may_split(n, max_count)) {
      out += replacement;
      check_text_size(out.size());
      ++n;
      if (at >= text.size()) return out;
      const std::size_t n_bytes = decode_at(text, at).n_bytes;
      out += text.substr(at, n_bytes);
      at += n_bytes;
    }
    return out.append(text.substr(at));
  }
  for (; may_split(n, max_count); ++n) {
    const std::size_t found = text.find(old, at);
    if (found == std::string_view::npos) break;
    out.append(text.substr(at, found - at)).append(replacement);
    check_text_size(out.size());
    at = found + old.size();
  }
  return out.append(text.substr(at));
}

std::optional<Window> select_window(std::string_view text, const Parameters& p, std::size_t first) {
  if (!p.is_set(first) && !p.is_set(first + 1)) return Window{text, 0};
  const auto length = static_cast<std::int64_t>(count_code_points(text));
  const auto bound = [&](std::size_t i, std::int64_t otherwise) {
    const std::int64_t index = p.is_set(i) ? p.integer(i, 0) : otherwise;
    return index < 0 ? std::max<std::int64_t>(index + length, 0) : index;
  };
  const std::int64_t start = bound(first, 0);
  const std::int64_t end = std::min(bound(first + 1, length), length);
  if (start > end) return std::nullopt;
  const auto from = static_cast<std::size_t>(start);
  return Window{code_point_range(text, from, static_cast<std::size_t>(end - start)), from};
}

std::string pad(std::string_view text, std::int64_t width, Align align, std::string_view fill) {
  const auto length = static_cast<std::int64_t>(count_code_points(text));
  if (width <= length) return std::string(text);
  const std::int64_t missing = width - length;
  check_text_size(text.size() + static_cast<std::size_t>(missing) * fill.size());
  std::int64_t left = 0;
  if (align == Align::kRight) left = missing;
  if (align == Align::kCenter) left = missing / 2 + (missing & width & 1);
  std::string out;
  for (std::int64_t i = 0; i < left; ++i) out += fill;
  out += text;
  for (std::int64_t i = left; i < missing; ++i) out += fill;
  return out;
}

}  // namespace galley::chat
