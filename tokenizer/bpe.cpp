#include "tokenizer/bpe.h"

#include <algorithm>
#include <bit>
#include <string>

#include "tokenizer/byte_level.h"
#include "tokenizer/pair_merger.h"

namespace galley {

// --- MergeTable

void MergeTable::reserve(std::size_t n_merges) {
  const std::size_t n_slots = std::bit_ceil(2 * n_merges + 2);
  if (n_slots > slots_.size()) grow(n_slots);
}

std::size_t MergeTable::slot_of(std::uint64_t pair) const {
  const std::size_t mask = slots_.size() - 1;
  std::size_t at = (pair * 0x9E3779B97F4A7C15ULL >> 29) & mask;
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

namespace {
std::uint64_t pair_of(std::int32_t left, std::int32_t right) {
  return static_cast<std::uint64_t>(left) << 32 | static_cast<std::uint32_t>(right);
}
}  // namespace

void MergeTable::add(std::int32_t left, std::int32_t right, Merge merge) {
  if (2 * (n_used_ + 1) > slots_.size()) grow(std::max<std::size_t>(16, 2 * slots_.size()));
  const std::uint64_t pair = pair_of(left, right);
  Slot& slot = slots_[slot_of(pair)];
  if (slot.pair != kFree) return;
  slot = {pair, merge};
  ++n_used_;
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

void BytePairEncoding::add_merges(std::span<const std::string_view> merges) {
  merges_.reserve(merges.size());
  std::string bytes;
  for (std::size_t rank = 0; rank < merges.size(); ++rank) {
    const std::string_view line = merges[rank];
    const std::size_t space = line.find(' ', 1);
    if (space == std::string_view::npos) continue;
    // A side that is not spelled in bytes can never meet a text.
    bytes.clear();
    if (!unspell_bytes(line.substr(0, space), bytes)) continue;
    const std::size_t n_left = bytes.size();
    if (!unspell_bytes(line.substr(space + 1), bytes) || bytes.size() == n_left) continue;
    const std::string_view both = bytes;
    const std::int32_t left = symbol_of(both.substr(0, n_left));
    const std::int32_t right = symbol_of(both.substr(n_left));
    merges_.add(left, right, {static_cast<std::uint32_t>(rank), symbol_of(both)});
  }
}

TokenId BytePairEncoding::token_of(std::string_view bytes) const {
  const std::int32_t symbol = symbols_.find(bytes);
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

// Encodes word after word of one text. Words repeat: the ids of recent ones are found again in
// the output, instead of merging anew.
class BytePairEncoding::WordEncoder {
 public:
  WordEncoder(const BytePairEncoding& bpe, std::size_t text_size, std::vector<TokenId>& ids)
      : bpe_(bpe), ids_(ids) {
    constexpr std::size_t kBytesPerSlot = 32;
    constexpr std::size_t kMaxSlots = 16384;
    recent_.resize(
        std::bit_floor(std::clamp(text_size / kBytesPerSlot, std::size_t{1}, kMaxSlots)));
  }

  void encode(std::string_view word) {
    if (bpe_.ignore_merges_ || word.size() == 1) {
      if (const TokenId id = bpe_.token_of(word); id != StringTable::kNotFound) {
        ids_.push_back(id);
        return;
      }
    }
    Recent& recent = recent_[hash_bytes(word) & (recent_.size() - 1)];
    if (recent.word == word) {
      for (std::size_t i = 0; i < recent.n_ids; ++i) ids_.push_back(ids_[recent.first_id + i]);
      return;
    }
    const std::size_t first_id = ids_.size();
    merge(word, [](auto&&...) {});
    recent = {word, first_id, ids_.size() - first_id};
  }

  // Merges `word`, telling `on_merge` each step (see PairMerger), and appends its ids.
  template <class OnMerge>
  void merge(std::string_view word, OnMerge&& on_merge) {
    symbols_.clear();
    for (const char byte : word) {
      symbols_.push_back(bpe_.byte_symbols_[static_cast<unsigned char>(byte)]);
    }
    merger_.run(symbols_, Rules{bpe_.merges_}, on_merge);
    for (const std::int32_t symbol : symbols_) bpe_.append_ids(symbol, ids_);
  }

  const PairMerger<std::int32_t>& merger() const { return merger_; }

 private:
  struct Recent {
    std::string_view word;
    std::size_t first_id = 0;
    std::size_t n_ids = 0;
  };
  const BytePairEncoding& bpe_;
  std::vector<TokenId>& ids_;
  std::vector<Recent> recent_;  // by hash of the word; the latest word stays
  std::vector<std::int32_t> symbols_;
  PairMerger<std::int32_t> merger_;
};

void BytePairEncoding::encode(std::string_view text, bool /*after_special*/,
                              std::vector<TokenId>& ids) const {
  WordEncoder encoder(*this, text.size(), ids);
  std::size_t begin = 0;
  for (const std::size_t end : splitter_.split(text)) {
    encoder.encode(text.substr(begin, end - begin));
    begin = end;
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
    if (ignore_merges_ && token_of(word) != StringTable::kNotFound) {
      steps.symbols = {steps.word};
      steps.ids = {token_of(word)};
      continue;
    }
    for (const char& byte : word) steps.symbols.push_back(spell_bytes({&byte, 1}));
    WordEncoder encoder(*this, 0, steps.ids);
    encoder.merge(word, [&](std::uint32_t at, std::uint32_t rank, const auto& symbols) {
      std::size_t index = 0;
      for (std::uint32_t i = 0; i < at; i = encoder.merger().next(i)) ++index;
      steps.merges.push_back(
          {index, static_cast<std::int32_t>(rank), 0.0F, spell_bytes(symbols_[symbols[at]])});
    });
  }
  return words;
}

}  // namespace galley
