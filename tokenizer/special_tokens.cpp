#include "tokenizer/special_tokens.h"

#include <string.h>

#include <algorithm>
#include <numeric>

namespace galley {
namespace {

bool is_special(TokenType type) {
  return type == TokenType::kControl || type == TokenType::kUserDefined ||
         type == TokenType::kUnknown;
}

bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

// Where `needle` begins in bytes [begin, end) of `text`, or npos. Linear, unlike
// string_view::find.
std::size_t find_in(std::string_view text, std::size_t begin, std::size_t end,
                    std::string_view needle) {
  const void* at = memmem(text.data() + begin, end - begin, needle.data(), needle.size());
  if (at == nullptr) return std::string_view::npos;
  return static_cast<std::size_t>(static_cast<const char*>(at) - text.data());
}

}  // namespace

SpecialTokens::SpecialTokens(const Vocabulary& vocabulary) : vocabulary_(&vocabulary) {
  parents_.push_back(Trie::kRoot);
  bytes_.push_back(0);
  for (TokenId id = 0; id < vocabulary.n_tokens(); ++id) {
    if (!is_special(vocabulary.type(id)) || vocabulary.texts[id].empty()) continue;
    Trie::Node node = Trie::kRoot;
    for (const char c : vocabulary.texts[id]) {
      const auto byte = static_cast<unsigned char>(c);
      const Trie::Node next = trie_.add_child(node, byte);
      if (static_cast<std::size_t>(next) == parents_.size()) {
        parents_.push_back(node);
        bytes_.push_back(byte);
      }
      node = next;
    }
    if (trie_.value(node) == Trie::kNoValue) trie_.set_value(node, id);
  }
  link_suffixes();
}

void SpecialTokens::link_suffixes() {
  const std::size_t n = parents_.size();
  std::vector<std::uint32_t> depth(n, 0);
  for (std::size_t i = 1; i < n; ++i) {
    depth[i] = depth[static_cast<std::size_t>(parents_[i])] + 1;  // parents come first
  }
  std::vector<std::size_t> by_depth(n);
  std::iota(by_depth.begin(), by_depth.end(), std::size_t{0});
  std::stable_sort(by_depth.begin(), by_depth.end(),
                   [&](std::size_t a, std::size_t b) { return depth[a] < depth[b]; });
  shorter_.assign(n, Trie::kRoot);
  for (const std::size_t i : by_depth) {
    if (depth[i] < 2) continue;
    Trie::Node suffix = parents_[i];
    do {
      suffix = shorter_[static_cast<std::size_t>(suffix)];
      const Trie::Node next = trie_.child(suffix, bytes_[i]);
      if (next != Trie::kNone) {
        shorter_[i] = next;
        break;
      }
    } while (suffix != Trie::kRoot);
  }
  for (std::size_t byte = 0; byte < first_.size(); ++byte) {
    const Trie::Node child = trie_.child(Trie::kRoot, static_cast<unsigned char>(byte));
    first_[byte] = child == Trie::kNone ? Trie::kRoot : child;
  }
}

// Which special tokens are somewhere in `text`, overlapping or not.
std::vector<TokenId> SpecialTokens::occurring_in(std::string_view text) const {
  std::vector<TokenId> found;
  std::vector<bool> seen;  // nodes whose string, and so all its suffixes, have been noted
  Trie::Node node = Trie::kRoot;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    Trie::Node next = Trie::kNone;
    while (node != Trie::kRoot && (next = trie_.child(node, byte)) == Trie::kNone) {
      node = shorter_[static_cast<std::size_t>(node)];
    }
    node = node == Trie::kRoot ? first_[byte] : next;
    if (node == Trie::kRoot) continue;
    if (seen.empty()) seen.resize(trie_.n_nodes());
    for (Trie::Node at = node; at != Trie::kRoot && !seen[static_cast<std::size_t>(at)];
         at = shorter_[static_cast<std::size_t>(at)]) {
      seen[static_cast<std::size_t>(at)] = true;
      if (trie_.value(at) != Trie::kNoValue) found.push_back(trie_.value(at));
    }
  }
  return found;
}

std::vector<PreToken> SpecialTokens::cut(std::string_view text, bool parse_special) const {
  std::vector<PreToken> parts;
  if (text.empty()) return parts;
  parts.push_back({0, text.size(), std::nullopt});

  std::vector<TokenId> tokens = occurring_in(text);
  std::erase_if(tokens, [&](TokenId id) {
    return !parse_special && vocabulary_->type(id) != TokenType::kUserDefined;
  });
  std::sort(tokens.begin(), tokens.end(), [&](TokenId a, TokenId b) {
    const std::size_t size_a = vocabulary_->texts[a].size();
    const std::size_t size_b = vocabulary_->texts[b].size();
    return size_a != size_b ? size_a > size_b : a < b;
  });

  std::vector<PreToken> finer;
  for (const TokenId id : tokens) {
    const std::string_view name = vocabulary_->texts[id];
    const auto& left = vocabulary_->strips_left;
    const auto& right = vocabulary_->strips_right;
    const bool strips_left = std::binary_search(left.begin(), left.end(), id);
    const bool strips_right = std::binary_search(right.begin(), right.end(), id);
    finer.clear();
    for (const PreToken& part : parts) {
      std::size_t begin = part.begin;
      while (!part.special && begin < part.end) {
        const std::size_t at = find_in(text, begin, part.end, name);
        if (at == std::string_view::npos) break;
        std::size_t end = at;
        while (strips_left && end > begin && is_space(text[end - 1])) --end;
        if (end > begin) finer.push_back({begin, end, std::nullopt});
        begin = at + name.size();
        finer.push_back({at, begin, id});
        while (strips_right && begin < part.end && is_space(text[begin])) ++begin;
      }
      if (begin < part.end) finer.push_back({begin, part.end, part.special});
    }
    parts.swap(finer);
  }
  return parts;
}

}  // namespace galley
