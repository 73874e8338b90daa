#include "tokenizer/trie.h"

namespace galley {

Trie::Trie() : edges_(64), values_(1, kNoValue) {}

// Where the edge is, or the free slot where it belongs.
std::size_t Trie::slot_of(std::uint64_t name) const {
  const std::size_t mask = edges_.size() - 1;
  std::size_t at = (name * 0x9E3779B97F4A7C15ULL >> 32) & mask;
  while (edges_[at].name != kFree && edges_[at].name != name) at = (at + 1) & mask;
  return at;
}

void Trie::grow() {
  std::vector<Edge> old(2 * edges_.size());
  old.swap(edges_);
  for (const Edge& edge : old) {
    if (edge.name != kFree) edges_[slot_of(edge.name)] = edge;
  }
}

Trie::Node Trie::add_child(Node node, unsigned char byte) {
  if (2 * values_.size() > edges_.size()) grow();
  const std::uint64_t name = edge_name(node, byte);
  Edge& edge = edges_[slot_of(name)];
  if (edge.name == kFree) {
    edge = {name, static_cast<Node>(values_.size())};
    values_.push_back(kNoValue);
  }
  return edge.to;
}

void Trie::insert(std::string_view key, std::int32_t value) {
  Node node = kRoot;
  for (const char c : key) node = add_child(node, static_cast<unsigned char>(c));
  if (this->value(node) == kNoValue) set_value(node, value);
}

Trie::Node Trie::child(Node node, unsigned char byte) const {
  return edges_[slot_of(edge_name(node, byte))].to;
}

}  // namespace galley
