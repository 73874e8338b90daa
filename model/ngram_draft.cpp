#include "model/ngram_draft.h"

#include <algorithm>

#include "tensor/error.h"

namespace galley {
namespace {

constexpr std::size_t kFirstDraft = 4;

}  // namespace

NgramDraft::NgramDraft(std::int64_t max_draft)
    : max_draft_(static_cast<std::size_t>(max_draft)), draft_(std::min(kFirstDraft, max_draft_)) {
  GALLEY_CHECK(max_draft >= 1, "a draft holds at least one token");
}

// FNV-1a over the n tokens before position `end`, with n mixed in.
std::uint64_t NgramDraft::key(std::size_t n, std::size_t end) const {
  std::uint64_t hash = 0xcbf29ce484222325ULL ^ n;
  for (std::size_t i = end - n; i < end; ++i)
    hash = (hash ^ static_cast<std::uint32_t>(history_[i])) * 0x100000001b3ULL;
  return hash;
}

void NgramDraft::append(std::span<const TokenId> ids) {
  for (const TokenId id : ids) {
    // The runs that end here have a continuation now.
    const std::size_t end = history_.size();
    for (std::size_t n = kShortest; n <= kLongest && n <= end; ++n) after_[key(n, end)] = end;
    history_.push_back(id);
  }
}

void NgramDraft::truncate(std::size_t n) {
  if (n >= history_.size()) return;
  const std::vector<TokenId> kept(history_.begin(),
                                  history_.begin() + static_cast<std::ptrdiff_t>(n));
  history_.clear();
  after_.clear();
  append(kept);
}

std::vector<TokenId> NgramDraft::propose() const {
  const std::size_t end = history_.size();
  for (std::size_t n = std::min(kLongest, end); n >= kShortest; --n) {
    const auto found = after_.find(key(n, end));
    if (found == after_.end()) continue;
    const std::size_t begin = found->second;
    const auto at = [&](std::size_t i) {
      return history_.begin() + static_cast<std::ptrdiff_t>(i);
    };
    if (!std::equal(at(begin - n), at(begin), at(end - n))) continue;
    // Where the continuation reaches the end, the text repeats itself: so does the draft.
    std::vector<TokenId> draft;
    for (std::size_t i = 0; i < draft_; ++i)
      draft.push_back(i < end - begin ? history_[begin + i] : draft[i - (end - begin)]);
    return draft;
  }
  return {};
}

void NgramDraft::report(std::size_t n_proposed, std::size_t n_accepted) {
  if (n_proposed == 0) return;
  draft_ = n_accepted == n_proposed
               ? std::min(2 * draft_, max_draft_)
               : std::max<std::size_t>(1, std::min(n_accepted + 1, max_draft_));
}

}  // namespace galley
