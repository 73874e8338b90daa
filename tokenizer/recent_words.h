// The ids of words that came before in the same text.
//
// Where it sits: text repeats itself, so bpe.h and sentencepiece.h ask here before they merge a
// word. The ids themselves are where they were put, in the output.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <string_view>
#include <vector>

#include "tokenizer/string_table.h"
#include "tokenizer/tokenizer.h"

namespace galley {

class RecentWords {
 public:
  // For a text of `n_bytes`, whose words stay where they are in memory.
  explicit RecentWords(std::size_t n_bytes) {
    constexpr std::size_t kBytesPerSlot = 32;
    constexpr std::size_t kMaxSlots = 16384;
    slots_.resize(std::bit_floor(std::clamp(n_bytes / kBytesPerSlot, std::size_t{1}, kMaxSlots)));
  }

  // Appends the ids of `word` to `ids`: those of the last time, if they are still known, else
  // those that `encode()` appends.
  template <class Encode>
  void append(std::string_view word, std::vector<TokenId>& ids, Encode&& encode) {
    Slot& slot = slots_[hash_bytes(word) & (slots_.size() - 1)];
    if (slot.word == word) {
      for (std::size_t i = 0; i < slot.n_ids; ++i) ids.push_back(ids[slot.first_id + i]);
      return;
    }
    const std::size_t first_id = ids.size();
    encode();
    slot = {word, first_id, ids.size() - first_id};
  }

 private:
  struct Slot {
    std::string_view word;
    std::size_t first_id = 0;
    std::size_t n_ids = 0;
  };
  std::vector<Slot> slots_;  // by hash: a word takes the place of an older one
};

}  // namespace galley
