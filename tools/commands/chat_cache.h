// The KV cache of a conversation: what is in it, and answering with only the new tokens.
//
// A conversation grows at its end, so its prompt begins with the prompt of the turn before and the
// answer to it. Their keys and values are in the cache already; what differs, be it one token, is
// cut off and processed again. docs/chat.md tells what a turn costs.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "model/sampler.h"
#include "tools/commands/generate.h"

namespace galley::tools {

class ChatCache {
 public:
  // Each answer is sampled afresh with `sampling`, the seed counting up, so that the first one is
  // what `galley run` gives and /regen gives another. Throws Error kUsage for bad options.
  ChatCache(Session& session, const SamplerOptions& sampling);

  struct Answer {
    Generation generation;
    std::int64_t n_prompt = 0;  // tokens of the prompt
    std::int64_t n_cached = 0;  // of those, the ones that were in the cache
    std::uint64_t seed = 0;
  };

  // Makes the cache hold `prompt` (not empty, at most n_context) and generates what follows.
  Answer answer(std::span<const TokenId> prompt, const GenerateOptions& options,
                const std::function<void(std::string_view)>& on_text);

  // The tokens in the cache.
  const std::vector<TokenId>& ids() const { return ids_; }

 private:
  // Cuts the cache down to what it has in common with `prompt`, less the last token: its logits
  // are needed. Returns how many tokens that are.
  std::size_t keep_common(std::span<const TokenId> prompt);

  Session& session_;
  SamplerOptions sampling_;
  std::vector<TokenId> ids_;
};

}  // namespace galley::tools
