// Finds special tokens in a text and cuts the text around them.
//
// Where it sits: the first step of Tokenizer::encode; what lies between the special tokens goes
// to the algorithm. User-defined tokens are always looked for, control and unknown tokens only
// where the text may name them (parse_special).
#pragma once

#include <array>
#include <string_view>
#include <vector>

#include "tokenizer/tokenizer.h"
#include "tokenizer/trie.h"
#include "tokenizer/vocabulary.h"

namespace galley {

class SpecialTokens {
 public:
  // Keeps a pointer to `vocabulary`, which must outlive this.
  explicit SpecialTokens(const Vocabulary& vocabulary);

  // Cuts `text` into special tokens and the text between them, in order. Longer tokens are
  // found before shorter ones wherever they are, then from left to right. White space that a
  // token takes with it is left out. Linear in the text for each different token in it.
  std::vector<PreToken> cut(std::string_view text, bool parse_special) const;

 private:
  std::vector<TokenId> occurring_in(std::string_view text) const;
  void link_suffixes();

  const Vocabulary* vocabulary_;
  // An Aho-Corasick automaton: `shorter_[node]` is the node of the longest proper suffix of
  // this node's string that the trie has too (Aho and Corasick, 1975).
  Trie trie_;
  std::vector<Trie::Node> parents_;
  std::vector<unsigned char> bytes_;
  std::vector<Trie::Node> shorter_;
  std::array<Trie::Node, 256> first_{};  // the root's children
};

}  // namespace galley
