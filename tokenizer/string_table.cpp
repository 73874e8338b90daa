#include "tokenizer/string_table.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace galley {

std::uint64_t hash_bytes(std::string_view bytes) {
  // Eight bytes at a time: fold in, multiply by an odd constant, bring the high half down.
  constexpr std::uint64_t kOdd = 0x9E3779B97F4A7C15ULL;
  std::uint64_t hash = bytes.size() * kOdd;
  const char* data = bytes.data();
  std::size_t left = bytes.size();
  while (left > 0) {
    std::uint64_t block = 0;
    const std::size_t n = std::min<std::size_t>(left, 8);
    std::memcpy(&block, data, n);
    hash = (hash ^ block) * kOdd;
    hash ^= hash >> 32;
    data += n;
    left -= n;
  }
  return hash * kOdd;
}

void StringTable::reserve(std::size_t n_strings, std::size_t n_bytes) {
  bytes_.reserve(n_bytes);
  ends_.reserve(n_strings);
  const std::size_t n_slots = std::bit_ceil(2 * n_strings + 2);
  if (n_slots > slots_.size()) grow(n_slots);
}

std::string_view StringTable::operator[](std::int32_t id) const {
  const auto i = static_cast<std::size_t>(id);
  const std::size_t begin = i == 0 ? 0 : ends_[i - 1];
  return std::string_view(bytes_).substr(begin, ends_[i] - begin);
}

// Where `text` is, or the free slot where it belongs. REQUIRES: a free slot.
std::size_t StringTable::slot_of(std::string_view text, std::uint64_t hash) const {
  const std::size_t mask = slots_.size() - 1;
  const auto tag = static_cast<std::uint32_t>(hash >> 32);
  std::size_t at = hash & mask;
  while (slots_[at].id != kNotFound && (slots_[at].tag != tag || (*this)[slots_[at].id] != text)) {
    at = (at + 1) & mask;
  }
  return at;
}

void StringTable::grow(std::size_t n_slots) {
  std::vector<Slot> old(n_slots);
  old.swap(slots_);
  for (const Slot& slot : old) {
    if (slot.id == kNotFound) continue;
    const std::string_view text = (*this)[slot.id];
    slots_[slot_of(text, hash_bytes(text))] = slot;
  }
}

std::int32_t StringTable::add(std::string_view text) {
  if (2 * (n_indexed_ + 1) > slots_.size()) grow(std::max<std::size_t>(16, 2 * slots_.size()));
  const std::int32_t id = size();
  if (!text.empty()) {
    const std::uint64_t hash = hash_bytes(text);
    Slot& slot = slots_[slot_of(text, hash)];
    if (slot.id == kNotFound) {
      slot = {static_cast<std::uint32_t>(hash >> 32), id};
      ++n_indexed_;
    }
  }
  bytes_ += text;
  ends_.push_back(bytes_.size());
  return id;
}

std::int32_t StringTable::find(std::string_view text) const {
  if (text.empty() || slots_.empty()) return kNotFound;
  return slots_[slot_of(text, hash_bytes(text))].id;
}

}  // namespace galley
