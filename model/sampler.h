// From logits to the next token: a chain of small stages, each of which can be looked at.
//
// Where it sits: after Session::forward, before the text of the token is printed. All tokens of
// the vocabulary start as candidates; each stage changes their logits or drops some; at the end
// one is drawn (or, greedily, the likeliest is taken). The same seed and the same logits give
// the same tokens on every machine: probabilities come from the engine's own exp, ties go to the
// lower id, and the random numbers are our own.
//
// docs/sampling.md tells the story with pictures.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/random.h"
#include "model/sampler_stages.h"
#include "tokenizer/tokenizer.h"

namespace galley {

// How to choose. A stage whose value says "off" is left out of the chain.
struct SamplerOptions {
  float temperature = 0.8f;     // logits are divided by it; 0: greedy, only penalties come before
  std::int64_t top_k = 40;      // 0: off
  float top_p = 0.95f;          // 1: off
  float min_p = 0.05f;          // 0: off
  float typical_p = 1.0f;       // 1: off
  float repeat_penalty = 1.0f;  // 1: off
  float frequency_penalty = 0.0f;   // 0: off
  float presence_penalty = 0.0f;    // 0: off
  std::int64_t repeat_last_n = 64;  // tokens the penalties look back; -1: all, 0: off
  std::int64_t min_keep = 1;        // no stage leaves fewer candidates
  std::uint64_t seed = 0;
  // The stages in their order, by the names of sampler_stage_names().
  std::vector<std::string> order = {"penalties", "top_k", "typical",
                                    "top_p",     "min_p", "temperature"};
};

// The names that SamplerOptions::order knows.
std::span<const std::string_view> sampler_stage_names();

// What happened in one choice, for showing.
struct SampleSteps {
  struct Stage {
    std::string name;                   // "start", then the names of the stages
    std::string description;            // "keep the 40 likeliest"
    std::vector<Candidate> candidates;  // after it, the likeliest first, with probabilities
  };
  std::vector<Stage> stages;
  double draw = 0;  // the random number in [0, 1) that decided; not used when greedy
  // What it was drawn from, in that order, with probabilities; empty when greedy. The first whose
  // running sum exceeds draw * (the sum of all) is chosen.
  std::vector<Candidate> drawn_from;
  TokenId chosen = 0;
};

class Sampler {
 public:
  // Throws Error kUsage for a value out of range or an unknown stage.
  explicit Sampler(const SamplerOptions& options);

  // Chooses from `logits` [n_vocab]. Does not remember the choice: call accept. Throws Error
  // kBadModel if a logit is not a number or is infinite: the model's weights are damaged.
  TokenId sample(std::span<const float> logits);
  // The same, and records what each stage did.
  TokenId sample(std::span<const float> logits, SampleSteps& steps);

  // Tells the penalties that `id` is now part of the text (prompt tokens too).
  void accept(TokenId id);
  // Forgets the accepted tokens; the random numbers go on.
  void forget();
  // Forgets the accepted tokens and starts the random numbers again.
  void reset();

  // Passes over the random numbers of `n` choices, as if they had been made.
  void skip_choices(std::int64_t n);

  const SamplerOptions& options() const { return options_; }
  bool is_greedy() const { return options_.temperature <= 0; }
  // The active stages, in order, and how the last one picks: "top_k 40 -> draw".
  std::string describe() const;

 private:
  TokenId run(std::span<const float> logits, SampleSteps* steps);

  SamplerOptions options_;
  std::vector<std::unique_ptr<SamplerStage>> stages_;
  Random random_;
  Candidates candidates_;  // kept between calls for its memory
};

}  // namespace galley
