// Merging neighbours, the best pair first: the heart of byte-level BPE and of SentencePiece.
//
// Where it sits: both start from single characters and merge adjacent symbols until no rule
// applies. They differ in what a symbol is and in which pair is best, so that is a parameter.
//
// Done by the book, each merge looks at all pairs: O(n^2), hopeless for a long text without
// spaces. Here every pair waits in a heap; a merge makes two new pairs and outdates two, which
// are recognized and dropped when they come up. O(n log n).
//
//   t h e   c a t      heap: (he,2) (th,5) (at,7) ...    smallest priority on top
//   t[he]   c a t      (th) is outdated, (t,he) is new
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

namespace galley {

// The priority of a pair that does not merge.
inline constexpr std::uint32_t kNoMerge = 0xFFFFFFFF;

// Merges symbols of type `Symbol`. Keeps its memory between runs.
template <class Symbol>
class PairMerger {
 public:
  // Merges until no pair is left that merges; of pairs with equal priority the leftmost goes
  // first. `rules` has
  //   std::uint32_t priority(const Symbol& left, const Symbol& right)  smallest first, or kNoMerge
  //   Symbol merged(const Symbol& left, const Symbol& right)
  // After each merge, `on_merge(position, priority, symbols)` is told; symbols[position] is the
  // result. In the end `symbols` has only what is left. REQUIRES: fewer than 2^32 - 1 symbols.
  template <class Rules, class OnMerge>
  void run(std::vector<Symbol>& symbols, const Rules& rules, OnMerge&& on_merge) {
    if (symbols.size() < 2) return;
    start(symbols, rules);
    while (!heap_.empty()) {
      std::pop_heap(heap_.begin(), heap_.end(), std::greater<>());
      const std::uint64_t entry = heap_.back();
      heap_.pop_back();
      const auto at = static_cast<std::uint32_t>(entry);
      const auto priority = static_cast<std::uint32_t>(entry >> 32);
      if (links_[at].priority != priority) continue;  // outdated

      const std::uint32_t right = links_[at].next;
      symbols[at] = rules.merged(symbols[at], symbols[right]);
      links_[right].priority = kNoMerge;
      links_[at].next = links_[right].next;
      if (links_[at].next < end_) links_[links_[at].next].previous = at;
      on_merge(at, priority, symbols);
      rate(at, symbols, rules);
      if (at > 0) rate(links_[at].previous, symbols, rules);
    }
    std::size_t n_left = 0;
    for (std::uint32_t at = 0; at < end_; at = links_[at].next) symbols[n_left++] = symbols[at];
    symbols.resize(n_left);
  }

  // The how-manieth symbol the one at `position` is, from 0, during a run.
  std::size_t index_of(std::uint32_t position) const {
    std::size_t index = 0;
    for (std::uint32_t at = 0; at < position; at = links_[at].next) ++index;
    return index;
  }

 private:
  struct Link {
    std::uint32_t previous;
    std::uint32_t next;
    std::uint32_t priority;  // of the pair this symbol makes with the next one
  };

  template <class Rules>
  void start(const std::vector<Symbol>& symbols, const Rules& rules) {
    end_ = static_cast<std::uint32_t>(symbols.size());
    links_.resize(end_);
    heap_.clear();
    for (std::uint32_t i = 0; i < end_; ++i) {
      const std::uint32_t priority =
          i + 1 < end_ ? rules.priority(symbols[i], symbols[i + 1]) : kNoMerge;
      links_[i] = {i - 1, i + 1, priority};
      if (priority != kNoMerge) heap_.push_back(std::uint64_t{priority} << 32 | i);
    }
    std::make_heap(heap_.begin(), heap_.end(), std::greater<>());
  }

  // Looks at the pair that begins at `at` anew.
  template <class Rules>
  void rate(std::uint32_t at, const std::vector<Symbol>& symbols, const Rules& rules) {
    Link& link = links_[at];
    link.priority = link.next < end_ ? rules.priority(symbols[at], symbols[link.next]) : kNoMerge;
    if (link.priority == kNoMerge) return;
    heap_.push_back(std::uint64_t{link.priority} << 32 | at);
    std::push_heap(heap_.begin(), heap_.end(), std::greater<>());
  }

  std::uint32_t end_ = 0;
  std::vector<Link> links_;
  std::vector<std::uint64_t> heap_;  // priority << 32 | position: leftmost first on ties
};

}  // namespace galley
