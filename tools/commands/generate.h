// The loop of `run` and `chat`: prefill, then sample and decode, token by token.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/sampler.h"
#include "model/session.h"

namespace galley::tools {

struct GenerateOptions {
  std::int64_t n_predict = -1;  // tokens at most; -1: until the model or the context ends it
  std::vector<std::string> stop;
  bool ignore_eos = false;
  // Speculative decoding: guess up to this many tokens from the text so far and check them in one
  // forward pass. The result is the same; 0: off.
  std::int64_t draft_ngram = 0;
};

enum class StopReason {
  kEndOfText,  // the model made an end-of-generation token
  kLength,     // n_predict tokens were made
  kStop,       // a stop string
  kContext,    // the context is full
  kInterrupted
};

// "eos", "length", "stop", "context", "interrupted".
std::string_view stop_reason_name(StopReason reason);

struct Generation {
  std::vector<TokenId> ids;  // the tokens made, without the end-of-generation token
  std::string text;          // theirs, cut where a stop string begins
  StopReason reason = StopReason::kLength;
  std::int64_t n_prefill = 0;  // prompt tokens that had to be processed
  double prefill_s = 0;
  std::int64_t n_decode = 0;  // tokens after the first: each needs a forward pass, or a good guess
  double decode_s = 0;
  std::int64_t n_drafted = 0;   // tokens guessed
  std::int64_t n_accepted = 0;  // of those, the ones that were right

  double prefill_rate() const {
    return prefill_s > 0 ? static_cast<double>(n_prefill) / prefill_s : 0;
  }
  double decode_rate() const { return decode_s > 0 ? static_cast<double>(n_decode) / decode_s : 0; }
};

// Runs `prompt` (not empty) through the session's sequence 0, after what is cached there, then
// generates. `on_text` gets the text as it comes, in whole characters. The sampler must have
// accepted earlier text; the prompt and the result are accepted here. `before`: the tokens cached
// there, if drafts are to be made from them, too.
// Ctrl-C ends it with kInterrupted. Throws what Session::forward throws.
Generation generate(Session& session, Sampler& sampler, std::span<const TokenId> prompt,
                    const GenerateOptions& options,
                    const std::function<void(std::string_view)>& on_text,
                    std::span<const TokenId> before = {});

// forward() for one sequence in pieces, with a progress bar; logits for the last token only.
void prefill(Session& session, std::span<const TokenId> tokens);

}  // namespace galley::tools
