// How the next token was chosen: what each stage of the sampler left, and where the draw fell.
//
// Where it sits: after Sampler::sample(logits, steps), for `explain`, the debugger and the page.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "model/sampler.h"

namespace galley::glass {

struct FunnelStage {
  std::string name;
  std::string description;
  std::size_t n_candidates = 0;
  // The share of the model's own distribution (before any stage) that the remaining ones have.
  double mass = 0;
  std::vector<Candidate> best;  // the likeliest, with their probabilities among the remaining
};

// A candidate's stretch of the line from 0 to 1 on which the random number falls.
struct DrawStretch {
  TokenId id = 0;
  double p = 0;
  double begin = 0;
  double end = 0;
};

struct Funnel {
  std::vector<FunnelStage> stages;
  bool is_greedy = false;  // then nothing is drawn
  double draw = 0;
  std::vector<DrawStretch> stretches;
  std::size_t hit = 0;  // the stretch that the draw fell into
  TokenId chosen = 0;
};

// From what the sampler wrote down; n_best candidates are kept for each stage. The stretch that
// was hit is worked out again, by the sampler's rule.
Funnel make_funnel(const SampleSteps& steps, std::size_t n_best = 5);

// {"stages": [...], "draw": 0.42, "stretches": [...], "chosen": 17}; at most n_stretches of them
// around the hit.
nlohmann::ordered_json to_json(const Funnel& funnel, std::size_t n_stretches = 40);

}  // namespace galley::glass
