#include "tokenizer/string_table.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace galley {

namespace {

constexpr std::size_t kShort = 8;
constexpr std::uint64_t kOdd = 0x9E3779B97F4A7C15ULL;  // 2^64 / golden ratio: well-mixed bits

// Up to eight bytes as a number.
std::uint64_t load(const char* bytes, std::size_t n) {
  std::uint64_t block = 0;
  std::memcpy(&block, bytes, n);
  return block;
}

// Spreads a key over the low bits of the result.
std::uint64_t mix(std::uint64_t key) {
  key *= kOdd;
  return key ^ key >> 32;
}

std::uint64_t key_of(std::string_view text) {
  return text.size() <= kShort ? load(text.data(), text.size()) : hash_bytes(text);
}

}  // namespace

std::uint64_t hash_bytes(std::string_view bytes) {
  std::uint64_t hash = bytes.size();
  while (bytes.size() > kShort) {
    hash = mix(hash ^ load(bytes.data(), kShort));
    bytes.remove_prefix(kShort);
  }
  return mix(hash ^ load(bytes.data(), bytes.size())) * kOdd;
}

void StringTable::reserve(std::size_t n_strings, std::size_t n_bytes) {
  bytes_.reserve(n_bytes);
  ends_.reserve(n_strings);
  const std::size_t n_slots = std::bit_ceil(n_strings + n_strings / 2 + 2);
  if (n_slots > slots_.size()) grow(n_slots);
}

std::string_view StringTable::operator[](std::int32_t id) const {
  const auto i = static_cast<std::size_t>(id);
  const std::size_t begin = i == 0 ? 0 : ends_[i - 1];
  return std::string_view(bytes_).substr(begin, ends_[i] - begin);
}

std::size_t StringTable::first_slot(std::uint64_t key, std::size_t size) const {
  return mix(key + size) & (slots_.size() - 1);
}

std::size_t StringTable::slot_of(std::string_view text, std::uint64_t key) const {
  const std::size_t mask = slots_.size() - 1;
  const auto size = static_cast<std::uint32_t>(text.size());
  for (std::size_t at = first_slot(key, size);; at = (at + 1) & mask) {
    const Slot& slot = slots_[at];
    if (slot.id == kNotFound) return at;
    if (slot.key == key && slot.size == size &&
        (text.size() <= kShort || (*this)[slot.id] == text)) {
      return at;
    }
  }
}

void StringTable::grow(std::size_t n_slots) {
  std::vector<Slot> old(n_slots);
  old.swap(slots_);
  for (const Slot& slot : old) {
    if (slot.id != kNotFound) slots_[slot_of((*this)[slot.id], slot.key)] = slot;
  }
}

std::int32_t StringTable::add(std::string_view text) {
  if (3 * (n_indexed_ + 1) > 2 * slots_.size()) grow(std::max<std::size_t>(16, 2 * slots_.size()));
  const std::int32_t id = size();
  if (!text.empty()) {
    const std::uint64_t key = key_of(text);
    Slot& slot = slots_[slot_of(text, key)];
    if (slot.id == kNotFound) {
      slot = {key, static_cast<std::uint32_t>(text.size()), id};
      ++n_indexed_;
    }
  }
  bytes_ += text;
  ends_.push_back(bytes_.size());
  return id;
}

std::int32_t StringTable::find(std::string_view text) const {
  if (text.empty() || slots_.empty()) return kNotFound;
  return slots_[slot_of(text, key_of(text))].id;
}

void StringTable::prefetch(std::string_view text) const {
  if (!slots_.empty()) __builtin_prefetch(&slots_[first_slot(key_of(text), text.size())]);
}

}  // namespace galley
