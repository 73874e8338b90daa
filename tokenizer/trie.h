// A tree of strings, walked byte by byte: finds which strings begin at a place of a text.
//
// Where it sits: WordPiece and Unigram look for the tokens that begin at each place; the search
// for special tokens walks one too.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace galley {

class Trie {
 public:
  using Node = std::int32_t;
  static constexpr Node kRoot = 0;
  static constexpr Node kNone = -1;
  static constexpr std::int32_t kNoValue = -1;

  Trie();

  // Stores `value` (not negative) for `key`. Of equal keys, the first keeps its value.
  // REQUIRES: fewer than 2^31 nodes, which is at most the number of bytes stored.
  void insert(std::string_view key, std::int32_t value);

  // The same in single steps: the child of `node` along `byte`, made if there is none, and the
  // value of a node.
  Node add_child(Node node, unsigned char byte);
  void set_value(Node node, std::int32_t value) { values_[static_cast<std::size_t>(node)] = value; }

  // Where the edge `byte` leads from `node`, or kNone.
  Node child(Node node, unsigned char byte) const;
  // The value of the string that ends at `node`, or kNoValue.
  std::int32_t value(Node node) const { return values_[static_cast<std::size_t>(node)]; }
  std::size_t n_nodes() const { return values_.size(); }

 private:
  // All edges in one hash table (open addressing): node << 8 | byte names the edge.
  struct Edge {
    std::uint64_t name = kFree;
    Node to = kNone;
  };
  static constexpr std::uint64_t kFree = ~std::uint64_t{0};
  static std::uint64_t edge_name(Node node, unsigned char byte) {
    return static_cast<std::uint64_t>(node) << 8 | byte;
  }
  std::size_t slot_of(std::uint64_t name) const;
  void grow();

  std::vector<Edge> edges_;
  std::vector<std::int32_t> values_;  // one per node
};

}  // namespace galley
