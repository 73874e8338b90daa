// Guessing the next tokens from what was already said: speculative decoding by prompt lookup.
//
// Where it sits: the generating loop asks it for a draft, runs the draft through the model in one
// batch, and keeps the tokens that the model would have chosen itself. Because the engine's bits
// do not depend on the batch (docs/exactness.md), what comes out is exactly what plain decoding
// gives, greedy or sampled with the same seed; only faster, where a text repeats itself or quotes
// its prompt. Sources: Leviathan et al. 2022 (speculative decoding); Saxena 2023 (prompt lookup).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "tokenizer/tokenizer.h"

namespace galley {

// Remembers where every short run of tokens went on, and proposes that continuation the next time
// the run appears. Longer runs are trusted first.
class NgramDraft {
 public:
  // Drafts hold up to max_draft tokens. REQUIRES: max_draft >= 1.
  explicit NgramDraft(std::int64_t max_draft);

  // Adds tokens to the history: the prompt, then each token as it is chosen. O(1) each.
  void append(std::span<const TokenId> ids);
  // Forgets all tokens from position n of the history on, as Session::truncate does.
  void truncate(std::size_t n);

  // The tokens that followed the latest earlier appearance of the history's last tokens, again and
  // again if they reach the end of it; empty if they never appeared. Its length grows while drafts
  // are accepted and shrinks when they are not.
  std::vector<TokenId> propose() const;
  // Tells how many tokens of the last draft (of n_proposed) the model agreed with.
  void report(std::size_t n_proposed, std::size_t n_accepted);

 private:
  static constexpr std::size_t kShortest = 2;  // tokens of a run that is looked up
  static constexpr std::size_t kLongest = 4;

  std::uint64_t key(std::size_t n, std::size_t end) const;

  std::size_t max_draft_;
  std::size_t draft_;  // tokens to propose now
  std::vector<TokenId> history_;
  // From a run's hash to the position after its latest appearance that has a continuation. A run is
  // checked against the history before it is believed.
  std::unordered_map<std::uint64_t, std::size_t> after_;
};

}  // namespace galley
