#include "tokenizer/bpe.h"

#include <algorithm>
#include <bit>
#include <string>

#include "tokenizer/byte_level.h"
#include "tokenizer/pair_merger.h"
#include "tokenizer/recent_words.h"

namespace galley {

// --- MergeTable

namespace {

std::uint64_t pair_of(std::int32_t left, std::int32_t right) {
  return static_cast<std::uint64_t>(left) << 32 | static_cast<std::uint32_t>(right);
}

}  // namespace

void MergeTable::reserve(std::size_t n_merges) {
  const std::size_t n_slots = std::bit_ceil(n_merges + n_merges / 2 + 2);
  if (n_slots > slots_.size()) grow(n_slots);
}

std::size_t MergeTable::first_slot(std::uint64_t pair) const {
  return (pair * 0x9E3779B97F4A7C15ULL >> 29) & (slots_.size() - 1);
}

std::size_t MergeTable::slot_of(std::uint64_t pair) const {
  const std::size_t mask = slots_.size() - 1;
  std::size_t at = first_slot(pair);
  while (slots_[at].pair != kFree && slots_[at].pair != pair) at = (at + 1) & mask;
  return at;
}

void MergeTable::grow(std::size_t n_slots) {
  std::vector<Slot> old(n_slots);
  old.swap(slots_);
  for (const Slot& slot : old) {
    if (slot.pair != kFree) slots_[slot_of(slot.pair)] = slot;
  }
}

void MergeTable::add(std::int32_t left, std::int32_t right, Merge merge) {
  if (3 * (n_used_ + 1) > 2 * slots_.size()) grow(std::max<std::size_t>(16, 2 * slots_.size()));
  const std::uint64_t pair = pair_of(left, right);
  Slot& slot = slots_[slot_of(pair)];
  if (slot.pair != kFree) return;
  slot = {pair, merge};
  ++n_used_;
}

void MergeTable::prefetch(std::int32_t left, std::int32_t right) const {
  if (!slots_.empty()) __builtin_prefetch(&slots_[first_slot(pair_of(left, right))]);
}

const MergeTable::Merge* MergeTable::find(std::int32_t left, std::int32_t right) const {
  if (slots_.empty()) return nullptr;
  const std::uint64_t pair = pair_of(left, right);
  const Slot& slot = slots_[slot_of(pair)];
  return slot.pair == pair ? &slot.merge : nullptr;
}

// --- Building

BytePairEncoding::BytePairEncoding(const Vocabulary& vocabulary,
                                   std::span<const std::string_view> merges,
                                   const PreTokenizer& pre_tokenizer)
    : vocabulary_(&vocabulary),
      splitter_(pre_tokenizer.patterns),
      ignore_merges_(pre_tokenizer.ignore_merges) {
  std::size_t n_bytes = 0;
  for (TokenId id = 0; id < vocabulary.n_tokens(); ++id) n_bytes += vocabulary.texts[id].size();
  symbols_.reserve(static_cast<std::size_t>(vocabulary.n_tokens()) + 256, n_bytes + 256);
  std::string bytes;
  for (TokenId id = 0; id < vocabulary.n_tokens(); ++id) {
    bytes.clear();
    unspell_bytes(vocabulary.texts[id], bytes);  // nothing, if it is not spelled in bytes
    symbols_.add(bytes);
  }
  for (std::size_t byte = 0; byte < byte_symbols_.size(); ++byte) {
    const char itself = static_cast<char>(byte);
    byte_symbols_[byte] = symbol_of({&itself, 1});
  }
  add_merges(merges);
}

std::int32_t BytePairEncoding::symbol_of(std::string_view bytes) {
  const std::int32_t symbol = symbols_.find(bytes);
  return symbol != StringTable::kNotFound ? symbol : symbols_.add(bytes);
}

namespace {

// One line of the list of merges.
struct MergeLine {
  std::uint32_t rank = 0;
  std::string bytes;       // both sides, one after the other
  std::size_t n_left = 0;  // how many bytes the left side has
  std::int32_t left = 0;
  std::int32_t right = 0;

  // Reads "left right". False for a line that can never meet a text: it has not two sides, or
  // they are not spelled in bytes.
  bool parse(std::string_view line) {
    bytes.clear();
    const std::size_t space = line.find(' ', 1);
    if (space == std::string_view::npos || !unspell_bytes(line.substr(0, space), bytes)) {
      return false;
    }
    n_left = bytes.size();
    return unspell_bytes(line.substr(space + 1), bytes) && bytes.size() > n_left;
  }
  std::string_view both() const { return bytes; }
  std::string_view left_side() const { return both().substr(0, n_left); }
  std::string_view right_side() const { return both().substr(n_left); }
};

}  // namespace

// Some models have 300,000 merges, and every one means looking up two symbols and storing the
// pair, in tables larger than the cache. So this works on a few dozen lines at a time and
// announces what it is going to look up: three times as fast.
void BytePairEncoding::add_merges(std::span<const std::string_view> merges) {
  merges_.reserve(merges.size());
  std::vector<MergeLine> lines(32);
  std::int32_t result = 0;
  for (std::size_t next = 0; next < merges.size();) {
    std::size_t n = 0;
    for (; n < lines.size() && next < merges.size(); ++next) {
      if (!lines[n].parse(merges[next])) continue;
      lines[n].rank = static_cast<std::uint32_t>(next);
      symbols_.prefetch(lines[n].left_side());
      symbols_.prefetch(lines[n].right_side());
      ++n;
    }
    for (std::size_t i = 0; i < n; ++i) {
      lines[i].left = symbol_of(lines[i].left_side());
      lines[i].right = symbol_of(lines[i].right_side());
      merges_.prefetch(lines[i].left, lines[i].right);
    }
    for (std::size_t i = 0; i < n; ++i) {
      // Lists of merges follow the order of the tokens they make: look there first.
      const std::string_view both = lines[i].both();
      if (result >= symbols_.size() || symbols_[result] != both) ++result;
      if (result >= symbols_.size() || symbols_[result] != both) result = symbol_of(both);
      merges_.add(lines[i].left, lines[i].right, {lines[i].rank, result});
    }
  }
}

TokenId BytePairEncoding::whole_token(std::string_view word) const {
  if (!ignore_merges_ && word.size() > 1) return StringTable::kNotFound;
  const std::int32_t symbol = symbols_.find(word);
  return symbol < vocabulary_->n_tokens() ? symbol : StringTable::kNotFound;
}

// --- Encoding

struct BytePairEncoding::Rules {
  const MergeTable& merges;

  std::uint32_t priority(std::int32_t left, std::int32_t right) const {
    const MergeTable::Merge* merge = merges.find(left, right);
    return merge == nullptr ? kNoMerge : merge->rank;
  }
  std::int32_t merged(std::int32_t left, std::int32_t right) const {
    return merges.find(left, right)->result;
  }
};

// A symbol that is not in the vocabulary becomes its bytes; a byte that is not in it either
// vanishes.
void BytePairEncoding::append_ids(std::int32_t symbol, std::vector<TokenId>& ids) const {
  if (symbol < vocabulary_->n_tokens()) {
    ids.push_back(symbol);
    return;
  }
  for (const char byte : symbols_[symbol]) {
    const std::int32_t token = byte_symbols_[static_cast<unsigned char>(byte)];
    if (token < vocabulary_->n_tokens()) ids.push_back(token);
  }
}

// Merges word after word, with the same memory.
class BytePairEncoding::WordEncoder {
 public:
  explicit WordEncoder(const BytePairEncoding& bpe) : bpe_(bpe) {}

  // Merges `word`, telling `on_merge` each step (see PairMerger), and appends its ids.
  template <class OnMerge>
  void encode(std::string_view word, std::vector<TokenId>& ids, OnMerge&& on_merge) {
    symbols_.clear();
    for (const char byte : word) {
      symbols_.push_back(bpe_.byte_symbols_[static_cast<unsigned char>(byte)]);
    }
    merger_.run(symbols_, Rules{bpe_.merges_}, on_merge);
    for (const std::int32_t symbol : symbols_) bpe_.append_ids(symbol, ids);
  }

  const PairMerger<std::int32_t>& merger() const { return merger_; }

 private:
  const BytePairEncoding& bpe_;
  std::vector<std::int32_t> symbols_;
  PairMerger<std::int32_t> merger_;
};

void BytePairEncoding::encode(std::string_view text, bool /*after_special*/,
                              std::vector<TokenId>& ids) const {
  WordEncoder encoder(*this);
  RecentWords recent(text.size());
  std::size_t begin = 0;
  for (const std::size_t end : splitter_.split(text)) {
    const std::string_view word = text.substr(begin, end - begin);
    begin = end;
    if (const TokenId id = whole_token(word); id != StringTable::kNotFound) {
      ids.push_back(id);
    } else {
      recent.append(word, ids, [&] { encoder.encode(word, ids, [](auto&&...) {}); });
    }
  }
}

std::vector<WordSteps> BytePairEncoding::explain(std::string_view text,
                                                 bool /*after_special*/) const {
  std::vector<WordSteps> words;
  std::size_t begin = 0;
  for (const std::size_t end : splitter_.split(text)) {
    const std::string_view word = text.substr(begin, end - begin);
    WordSteps& steps = words.emplace_back();
    steps.place = {begin, end, std::nullopt};
    steps.word = spell_bytes(word);
    begin = end;
    if (const TokenId id = whole_token(word); id != StringTable::kNotFound) {
      steps.symbols = {steps.word};
      steps.ids = {id};
      continue;
    }
    for (const char& byte : word) steps.symbols.push_back(spell_bytes({&byte, 1}));
    WordEncoder encoder(*this);
    const auto on_merge = [&](std::uint32_t at, std::uint32_t rank, const auto& symbols) {
      steps.merges.push_back({encoder.merger().index_of(at), static_cast<std::int32_t>(rank), 0.0F,
                              spell_bytes(symbols_[symbols[at]])});
    };
    encoder.encode(word, steps.ids, on_merge);
  }
  return words;
}

}  // namespace galley
