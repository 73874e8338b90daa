// The stages of a sampler: each changes the logits of the candidates or drops some.
//
// Where it sits: model/sampler.h makes a chain of them. A stage sees only the candidates that
// the stages before it left, with their logits; probabilities are the softmax over those.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "tokenizer/tokenizer.h"

namespace galley {

// A token that may come next.
struct Candidate {
  TokenId id = 0;
  float logit = 0;
  float p = 0;  // probability, after Candidates::softmax
};

// Whether `a` goes before `b`: the higher logit, then the lower id.
inline bool likelier(const Candidate& a, const Candidate& b) {
  return a.logit != b.logit ? a.logit > b.logit : a.id < b.id;
}

// The candidates on their way through the chain. They are sorted only as far as a stage needs:
// putting 128,000 tokens in order costs more than all else here.
class Candidates {
 public:
  // One for every token of `logits` [n_vocab], in order of id.
  void assign(std::span<const float> logits);

  std::vector<Candidate>& items() { return items_; }
  const std::vector<Candidate>& items() const { return items_; }
  std::size_t size() const { return items_.size(); }

  // Makes the first `n` the n likeliest, in order.
  void sort_first(std::size_t n);
  // Tells that logits were changed in a way that may change the order.
  void forget_order() { n_sorted_ = 0; }
  // Keeps the first `n`.
  void keep_first(std::size_t n);
  // Keeps those with keep[i], in the order they have. REQUIRES: keep.size() == size().
  void keep_marked(const std::vector<bool>& keep);
  // The likeliest one.
  const Candidate& best() const;
  // Fills in every p.
  void softmax();

 private:
  std::vector<Candidate> items_;
  std::size_t n_sorted_ = 0;  // that many at the front are the likeliest, in order
  std::vector<float> logits_, probabilities_;
};

class SamplerStage {
 public:
  virtual ~SamplerStage() = default;
  virtual std::string_view name() const = 0;
  virtual std::string description() const = 0;
  virtual void apply(Candidates& candidates) = 0;
  // A token has become part of the text.
  virtual void accept(TokenId) {}
  virtual void reset() {}
};

// Makes tokens of the recent text less likely. For a token that is among the last n tokens
// `count` times: a positive logit is divided by `repeat`, a negative one multiplied by it
// (CTRL, Keskar et al. 2019, arXiv:1909.05858, section 4.1, which only divides: that would make
// tokens with negative logits likelier); then count * frequency + presence is subtracted.
class PenaltiesStage : public SamplerStage {
 public:
  PenaltiesStage(std::int64_t last_n, float repeat, float frequency, float presence)
      : last_n_(last_n), repeat_(repeat), frequency_(frequency), presence_(presence) {}
  std::string_view name() const override { return "penalties"; }
  std::string description() const override;
  void apply(Candidates& candidates) override;
  void accept(TokenId id) override;
  void reset() override;

 private:
  std::int64_t last_n_;
  float repeat_, frequency_, presence_;
  std::deque<TokenId> recent_;
  std::unordered_map<TokenId, int> counts_;  // of the tokens in recent_
};

// Keeps the k likeliest (Fan et al. 2018, arXiv:1805.04833, section 5.4).
class TopKStage : public SamplerStage {
 public:
  TopKStage(std::int64_t k, std::int64_t min_keep);
  std::string_view name() const override { return "top_k"; }
  std::string description() const override;
  void apply(Candidates& candidates) override;

 private:
  std::size_t k_;
};

// Keeps the likeliest until their probabilities sum to p: the nucleus (Holtzman et al. 2019,
// arXiv:1904.09751, section 3.1).
class TopPStage : public SamplerStage {
 public:
  TopPStage(float p, std::int64_t min_keep);
  std::string_view name() const override { return "top_p"; }
  std::string description() const override;
  void apply(Candidates& candidates) override;

 private:
  float p_;
  std::size_t min_keep_;
};

// Keeps those at least `p` times as likely as the likeliest (Nguyen et al. 2024,
// arXiv:2407.01082, section 3).
class MinPStage : public SamplerStage {
 public:
  MinPStage(float p, std::int64_t min_keep);
  std::string_view name() const override { return "min_p"; }
  std::string description() const override;
  void apply(Candidates& candidates) override;

 private:
  float p_;
  std::size_t min_keep_;
};

// Keeps the tokens whose surprise, -ln p, is closest to the expected one, until their
// probabilities sum to more than p (Meister et al. 2022, arXiv:2202.00666, section 3).
class TypicalStage : public SamplerStage {
 public:
  TypicalStage(float p, std::int64_t min_keep);
  std::string_view name() const override { return "typical"; }
  std::string description() const override;
  void apply(Candidates& candidates) override;

 private:
  float p_;
  std::size_t min_keep_;
};

// Divides the logits by t: below 1 the likely get likelier, above 1 the unlikely.
class TemperatureStage : public SamplerStage {
 public:
  explicit TemperatureStage(float t) : t_(t) {}
  std::string_view name() const override { return "temperature"; }
  std::string description() const override;
  void apply(Candidates& candidates) override;

 private:
  float t_;
};

}  // namespace galley
