// The same text through two precisions of a model, op by op: where they drift apart, and what that
// does to the next token.
//
// Where it sits: behind `galley drift`. Both runs stop after every op (Session::run_ops), so no
// value has to be kept longer than it takes to compare it.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "model/session.h"
#include "tools/step/compare.h"

namespace galley::step {

// By how much one value differs, over all tokens.
struct OpDrift {
  std::string name;  // "blk.3.ffn_out"
  int layer = -1;
  Difference difference;
  // The largest relative difference of the op's inputs. For attention these are the queries of this
  // text and the keys and values that were stored.
  double input_error = 0;

  double error() const { return difference.relative(); }
  // How many times the error of the inputs: above 1 the op adds error of its own.
  double growth() const { return input_error > 0 ? error() / input_error : 0; }
};

struct Drift {
  std::vector<OpDrift> ops;  // in order, without slices and stores
  std::vector<std::string>
      residual;  // names: the residual stream after the embedding and each layer
  std::vector<DistributionChange> positions;  // one for each token: of what follows it

  const OpDrift* find(const std::string& name) const;
  // The first op whose value differs, or nullptr.
  const OpDrift* first_difference() const;
  // The first op of `layer` (-1: outside the layers) with the largest growth, or nullptr.
  const OpDrift* largest_growth(int layer) const;
  // The first op that adds so much of its own that its error is at least half as large again as
  // that of its inputs, or nullptr.
  const OpDrift* first_growth() const;
  double mean_kl() const;
  // Positions where the likeliest next token is the same.
  std::int64_t n_same_best() const;
};

// Runs `ids` through both. `model` is what is measured, `base` what it is measured against. Throws
// Error kUsage if the models have not the same ops and shapes, and as Session does.
Drift measure_drift(std::shared_ptr<const Model> base, std::shared_ptr<const Model> model,
                    std::span<const TokenId> ids, const SessionOptions& options);

}  // namespace galley::step
