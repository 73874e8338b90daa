// The logit lens: what the model would say if it stopped at an earlier layer.
//
// Where it sits: a row of the residual stream (a token's vector between two layers) is given to
// the graph's own last ops, the final norm, the product with the output matrix and what follows.
// They are run by the same executor and kernels, so at the last layer the result has the bits of
// the model's logits.
// Source: nostalgebraist 2020, "interpreting GPT: the logit lens".
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "model/graph.h"

namespace galley::glass {

// The residual stream from the embedding to the end: for each layer the value that it leaves,
// after its attention and after its feed-forward part. All have the width of the model.
struct ResidualPoint {
  Value value;
  std::string name;  // "blk.3.ffn_residual"
  int layer = -1;    // -1: the embedding
};
std::vector<ResidualPoint> residual_stream(const Graph& graph);

class LogitLens {
 public:
  // For `graph`, which must outlive it. Rows are worked on max_rows at a time by n_threads.
  // Throws Error kOutOfMemory.
  explicit LogitLens(const Graph& graph, int n_threads = 1, std::int64_t max_rows = 16);
  ~LogitLens();
  LogitLens(LogitLens&&) noexcept;
  LogitLens& operator=(LogitLens&&) noexcept;

  // Floats of a row: the width of the residual stream.
  std::int64_t width() const;
  std::int64_t n_vocab() const;
  // The logits of n rows [n, width()]: [n, n_vocab()]. Throws Error kUsage for another length.
  std::vector<float> logits(std::span<const float> rows);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// A token that the model might say.
struct Guess {
  std::int32_t id = 0;
  float logit = 0;
  float p = 0;  // its probability: softmax over all
};
// The k likeliest of `logits` [n_vocab], the likeliest first; equal ones by id.
std::vector<Guess> best_guesses(std::span<const float> logits, std::size_t k);
// How many tokens have a higher logit than `id` (or the same and a lower id): 0 for the likeliest.
std::int64_t rank_of(std::span<const float> logits, std::int32_t id);

}  // namespace galley::glass
