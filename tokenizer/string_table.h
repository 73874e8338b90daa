// A list of strings with ids, and fast look-up of the id of a string.
//
// Where it sits: the vocabulary's token texts, and the bytes of the symbols that byte-pair
// encoding merges. Built once, at load (128,000 strings take a few milliseconds), then looked
// up for every word of a text.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace galley {

// A well-mixed 64-bit hash of some bytes, for hash tables in memory.
std::uint64_t hash_bytes(std::string_view bytes);

class StringTable {
 public:
  static constexpr std::int32_t kNotFound = -1;

  // Makes room, so that adding does not move memory.
  void reserve(std::size_t n_strings, std::size_t n_bytes);

  // Appends a string and returns its id: 0, 1, 2, ... Of equal strings, find() gives the first.
  // An empty string takes an id too, but is never found.
  std::int32_t add(std::string_view text);

  std::int32_t size() const { return static_cast<std::int32_t>(ends_.size()); }
  // The string of an id. REQUIRES: 0 <= id < size().
  std::string_view operator[](std::int32_t id) const;

  // The id of `text`, or kNotFound.
  std::int32_t find(std::string_view text) const;
  // Brings the memory that find(text) will need into the cache. Finding many strings takes a
  // fraction of the time if they are announced first, because the table is larger than the cache.
  void prefetch(std::string_view text) const;

 private:
  // A hash table with open addressing and linear probing. A string of up to eight bytes is its
  // own key, so that looking it up touches one slot and nothing else; a longer one has its hash
  // as key and is compared in full when key and size agree.
  struct Slot {
    std::uint64_t key = 0;
    std::uint32_t size = 0;  // of the string, cut off at 32 bits
    std::int32_t id = kNotFound;
  };
  // Where the search for a string begins.
  std::size_t first_slot(std::uint64_t key, std::size_t size) const;
  // Where `text` is, or the free slot where it belongs. REQUIRES: a free slot.
  std::size_t slot_of(std::string_view text, std::uint64_t key) const;
  void grow(std::size_t n_slots);

  std::string bytes_;              // all strings, one after the other
  std::vector<std::size_t> ends_;  // where each ends
  std::vector<Slot> slots_;        // a power of two, at most two thirds full
  std::size_t n_indexed_ = 0;
};

}  // namespace galley
