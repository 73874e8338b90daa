#include "tools/commands/chat_cache.h"

#include <algorithm>
#include <utility>

#include "tensor/error.h"

namespace galley::tools {

ChatCache::ChatCache(Session& session, const SamplerOptions& sampling)
    : session_(session), sampling_(sampling) {
  const Sampler checked(sampling);
}

std::size_t ChatCache::keep_common(std::span<const TokenId> prompt) {
  const auto end = prompt.end() - 1;
  const auto differs = std::mismatch(ids_.begin(), ids_.end(), prompt.begin(), end).first;
  const std::int64_t n_common = differs - ids_.begin();
  // A model with sliding windows may have to begin anew.
  const std::int64_t kept = session_.truncate(n_common);
  ids_.resize(static_cast<std::size_t>(kept));
  return ids_.size();
}

ChatCache::Answer ChatCache::answer(std::span<const TokenId> prompt, const GenerateOptions& options,
                                    const std::function<void(std::string_view)>& on_text) {
  GALLEY_CHECK(!prompt.empty(), "an empty chat prompt");
  const std::size_t n_cached = keep_common(prompt);
  Answer answer;
  answer.n_prompt = static_cast<std::int64_t>(prompt.size());
  answer.n_cached = static_cast<std::int64_t>(n_cached);
  answer.seed = sampling_.seed;
  Sampler sampler(sampling_);
  ++sampling_.seed;
  for (TokenId id : ids_) sampler.accept(id);

  try {
    answer.generation =
        generate(session_, sampler, prompt.subspan(n_cached), options, on_text, ids_);
  } catch (...) {
    session_.truncate(0);
    ids_.clear();
    throw;
  }
  // What was processed is a beginning of prompt and answer: the last token of an answer never
  // runs, and Ctrl-C may come at any time, when guessed tokens may still be in the cache.
  std::vector<TokenId> all(prompt.begin(), prompt.end());
  all.insert(all.end(), answer.generation.ids.begin(), answer.generation.ids.end());
  const auto n_all = static_cast<std::int64_t>(all.size());
  const std::int64_t length =
      session_.length() > n_all ? session_.truncate(n_all) : session_.length();
  all.resize(static_cast<std::size_t>(length));
  ids_ = std::move(all);
  return answer;
}

}  // namespace galley::tools
