#include "model/sampler.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>

#include "tensor/error.h"

namespace galley {
namespace {

constexpr std::string_view kStageNames[] = {"penalties", "top_k", "typical",
                                            "top_p",     "min_p", "temperature"};

void need_range(const char* what, double value, double low, double high) {
  if (value >= low && value <= high) return;
  char line[160];
  std::snprintf(line, sizeof line, "%s is %g, expected from %g to %g", what, value, low, high);
  throw Error(ErrorKind::kUsage, line);
}

void check(const SamplerOptions& o) {
  need_range("the temperature (--temp)", o.temperature, 0, 1e6);
  need_range("--top-k", static_cast<double>(o.top_k), 0, 1e9);
  need_range("--top-p", o.top_p, 0, 1);
  need_range("--min-p", o.min_p, 0, 1);
  need_range("--typical", o.typical_p, 0, 1);
  need_range("--repeat-penalty", o.repeat_penalty, 1e-3, 1e3);
  need_range("--frequency-penalty", o.frequency_penalty, -1e3, 1e3);
  need_range("--presence-penalty", o.presence_penalty, -1e3, 1e3);
  need_range("--repeat-last-n", static_cast<double>(o.repeat_last_n), -1, 1e9);
}

bool has_penalties(const SamplerOptions& o) {
  return o.repeat_last_n != 0 &&
         (o.repeat_penalty != 1 || o.frequency_penalty != 0 || o.presence_penalty != 0);
}

// The stage called `name`, or nothing where the options turn it off.
std::unique_ptr<SamplerStage> make_stage(std::string_view name, const SamplerOptions& o) {
  if (name == "penalties")
    return has_penalties(o)
               ? std::make_unique<PenaltiesStage>(o.repeat_last_n, o.repeat_penalty,
                                                  o.frequency_penalty, o.presence_penalty)
               : nullptr;
  if (o.temperature <= 0) return nullptr;  // the likeliest stays the likeliest: greedy
  if (name == "top_k" && o.top_k > 0) return std::make_unique<TopKStage>(o.top_k, o.min_keep);
  if (name == "top_p" && o.top_p < 1) return std::make_unique<TopPStage>(o.top_p, o.min_keep);
  if (name == "min_p" && o.min_p > 0) return std::make_unique<MinPStage>(o.min_p, o.min_keep);
  if (name == "typical" && o.typical_p < 1)
    return std::make_unique<TypicalStage>(o.typical_p, o.min_keep);
  if (name == "temperature" && o.temperature != 1)
    return std::make_unique<TemperatureStage>(o.temperature);
  return nullptr;
}

void check_logits(std::span<const float> logits) {
  bool any_possible = false;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    if (logits[i] <= std::numeric_limits<float>::max()) {  // -inf is a token ruled out
      any_possible |= logits[i] >= std::numeric_limits<float>::lowest();
      continue;
    }
    throw Error(ErrorKind::kBadModel, "the model gives token " + std::to_string(i) + " the logit " +
                                          (std::isnan(logits[i]) ? "NaN" : "+inf") +
                                          ": its weights are damaged or overflow; check the file");
  }
  if (!any_possible)
    throw Error(
        ErrorKind::kBadModel,
        "the model gives every token the logit -inf: its weights are damaged; check the file");
}

}  // namespace

std::span<const std::string_view> sampler_stage_names() { return kStageNames; }

Sampler::Sampler(const SamplerOptions& options) : options_(options), random_(options.seed) {
  check(options_);
  for (const std::string& name : options_.order) {
    if (std::find(std::begin(kStageNames), std::end(kStageNames), name) == std::end(kStageNames))
      throw Error(ErrorKind::kUsage, "there is no sampler stage '" + name + "'");
    if (auto stage = make_stage(name, options_)) stages_.push_back(std::move(stage));
  }
}

TokenId Sampler::sample(std::span<const float> logits) { return run(logits, nullptr); }

TokenId Sampler::sample(std::span<const float> logits, SampleSteps& steps) {
  steps = {};
  return run(logits, &steps);
}

TokenId Sampler::run(std::span<const float> logits, SampleSteps* steps) {
  GALLEY_CHECK(!logits.empty(), "no logits to sample from");
  check_logits(logits);
  candidates_.assign(logits);
  const auto record = [&](std::string_view name, std::string description) {
    if (!steps) return;
    Candidates shown = candidates_;
    shown.sort_first(shown.size());
    shown.softmax();
    steps->stages.push_back({std::string(name), std::move(description), shown.items()});
  };
  record("start", "every token of the vocabulary");
  for (const auto& stage : stages_) {
    stage->apply(candidates_);
    record(stage->name(), stage->description());
  }
  TokenId chosen = candidates_.best().id;
  if (!is_greedy()) {
    candidates_.softmax();
    double total = 0;
    for (const Candidate& c : candidates_.items()) total += c.p;
    const double draw = random_.next_unit();
    double sum = 0;
    for (const Candidate& c : candidates_.items()) {
      sum += c.p;
      if (c.p > 0) chosen = c.id;  // the last possible one, should rounding leave the draw above
      if (sum > draw * total) break;
    }
    if (steps) {
      steps->draw = draw;
      steps->drawn_from = candidates_.items();
    }
  }
  if (steps) steps->chosen = chosen;
  return chosen;
}

void Sampler::skip_choices(std::int64_t n) {
  for (std::int64_t i = 0; i < n && !is_greedy(); ++i) random_.next_unit();
}

void Sampler::accept(TokenId id) {
  for (const auto& stage : stages_) stage->accept(id);
}

void Sampler::forget() {
  for (const auto& stage : stages_) stage->reset();
}

void Sampler::reset() {
  forget();
  random_ = Random(options_.seed);
}

std::string Sampler::describe() const {
  std::string text;
  for (const auto& stage : stages_) text += std::string(stage->name()) + " -> ";
  return text + (is_greedy() ? "greedy" : "draw");
}

}  // namespace galley
