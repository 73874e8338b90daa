#include "tools/glass/sampler_funnel.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "tensor/error.h"

namespace galley::glass {

using nlohmann::ordered_json;

Funnel make_funnel(const SampleSteps& steps, std::size_t n_best) {
  GALLEY_CHECK(!steps.stages.empty(), "a choice has at least its start");
  Funnel funnel;
  std::unordered_map<TokenId, double> at_start;
  for (const Candidate& c : steps.stages[0].candidates) at_start[c.id] = static_cast<double>(c.p);
  for (const SampleSteps::Stage& stage : steps.stages) {
    FunnelStage& out = funnel.stages.emplace_back();
    out.name = stage.name;
    out.description = stage.description;
    out.n_candidates = stage.candidates.size();
    for (const Candidate& c : stage.candidates) out.mass += at_start[c.id];
    const auto n = static_cast<std::ptrdiff_t>(std::min(n_best, stage.candidates.size()));
    out.best.assign(stage.candidates.begin(), stage.candidates.begin() + n);
  }
  funnel.chosen = steps.chosen;
  funnel.is_greedy = steps.drawn_from.empty();
  if (funnel.is_greedy) return funnel;

  funnel.draw = steps.draw;
  double total = 0;
  for (const Candidate& c : steps.drawn_from) total += static_cast<double>(c.p);
  double sum = 0;
  bool found = false;
  for (const Candidate& c : steps.drawn_from) {
    const double begin = sum / total;
    sum += static_cast<double>(c.p);
    funnel.stretches.push_back({c.id, static_cast<double>(c.p), begin, sum / total});
    if (found) continue;
    if (c.p > 0) funnel.hit = funnel.stretches.size() - 1;
    found = sum > steps.draw * total;
  }
  return funnel;
}

ordered_json to_json(const Funnel& funnel, std::size_t n_stretches) {
  ordered_json out;
  out["stages"] = ordered_json::array();
  for (const FunnelStage& stage : funnel.stages) {
    ordered_json best = ordered_json::array();
    for (const Candidate& c : stage.best)
      best.push_back({{"id", c.id}, {"logit", c.logit}, {"p", c.p}});
    out["stages"].push_back({{"name", stage.name},
                             {"description", stage.description},
                             {"candidates", stage.n_candidates},
                             {"mass", stage.mass},
                             {"best", std::move(best)}});
  }
  out["greedy"] = funnel.is_greedy;
  if (!funnel.is_greedy) {
    out["draw"] = funnel.draw;
    out["stretches"] = ordered_json::array();
    const std::size_t before = n_stretches / 2;
    const std::size_t begin = funnel.hit > before ? funnel.hit - before : 0;
    const std::size_t end = std::min(funnel.stretches.size(), begin + n_stretches);
    for (std::size_t i = begin; i < end; ++i) {
      const DrawStretch& s = funnel.stretches[i];
      out["stretches"].push_back({{"id", s.id}, {"p", s.p}, {"begin", s.begin}, {"end", s.end}});
    }
  }
  out["chosen"] = funnel.chosen;
  return out;
}

}  // namespace galley::glass
