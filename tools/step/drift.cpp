#include "tools/step/drift.h"

#include <algorithm>

#include "model/observer.h"
#include "tensor/error.h"
#include "tools/glass/logit_lens.h"
#include "tools/glass/run_data.h"

namespace galley::step {
namespace {

constexpr std::int64_t kTokensAtOnce = 64;

// Keeps the values (that is all that Session::run_ops asks for).
class Idle : public Observer {
  void before_op(RunView&, int) override {}
  void after_op(RunView&, int) override {}
};

// Throws unless the two graphs are the same list of ops.
void need_same_ops(const Model& base, const Model& model) {
  const auto& a = base.graph().ops;
  const auto& b = model.graph().ops;
  for (std::size_t i = 0; i < std::max(a.size(), b.size()); ++i) {
    const std::string ours = i < a.size() ? a[i].name : "nothing";
    const std::string theirs = i < b.size() ? b[i].name : "nothing";
    if (ours != theirs)
      throw Error(ErrorKind::kUsage, base.file().path() + " and " + model.file().path() +
                                         " are different models: op " + std::to_string(i) +
                                         " makes " + ours + " in one and " + theirs +
                                         " in the other");
    const std::int64_t width = base.graph().info(a[i].output).width;
    const std::int64_t their_width = model.graph().info(b[i].output).width;
    if (width != their_width)
      throw Error(ErrorKind::kUsage, base.file().path() + " and " + model.file().path() +
                                         " are different models: " + ours + " is " +
                                         std::to_string(width) + " wide in one and " +
                                         std::to_string(their_width) + " in the other");
  }
}

class Comparison {
 public:
  Comparison(std::shared_ptr<const Model> base, std::shared_ptr<const Model> model,
             const SessionOptions& options)
      : base_(std::move(base), options), model_(std::move(model), options) {
    need_same_ops(base_.model(), model_.model());
    base_.set_observer(&idle_), model_.set_observer(&idle_);
    differences_.resize(graph().ops.size());
  }

  void run(std::span<const TokenId> ids) {
    std::vector<BatchToken> batch;
    for (TokenId id : ids) batch.push_back({id, 0, true});
    base_.begin(batch), model_.begin(batch);
    const glass::LiveRun base_data(base_.view()), data(model_.view());
    for (std::size_t i = 0; i < graph().ops.size(); ++i) {
      base_.run_ops(static_cast<int>(i) + 1), model_.run_ops(static_cast<int>(i) + 1);
      const Op& op = graph().ops[i];
      if (graph().info(op.output).cache_layer >= 0) continue;
      const Value theirs = model_.model().graph().ops[i].output;
      for (std::int64_t r = 0; r < base_data.n_rows(op.output); ++r)
        differences_[i].add_row(data.row(theirs, r), base_data.row(op.output, r), r);
    }
    for (std::int64_t i = 0; i < base_.n_outputs(); ++i)
      drift_.positions.push_back(compare_logits(base_.logits(i), model_.logits(i)));
  }

  Drift finish() {
    for (std::size_t i = 0; i < graph().ops.size(); ++i) {
      const Op& op = graph().ops[i];
      if (op.kind == OpKind::kSlice || graph().info(op.output).cache_layer >= 0) continue;
      OpDrift x;
      x.name = op.name;
      x.layer = op.layer;
      x.difference = differences_[i];
      for (Value input : op.inputs) x.input_error = std::max(x.input_error, error_of(input));
      drift_.ops.push_back(std::move(x));
    }
    // The last point of each layer.
    int layer = -2;
    for (const glass::ResidualPoint& point : glass::residual_stream(graph())) {
      if (point.layer == layer && layer >= 0) drift_.residual.pop_back();
      drift_.residual.push_back(point.name);
      layer = point.layer;
    }
    return std::move(drift_);
  }

 private:
  const Graph& graph() const { return base_.model().graph(); }

  // Of the cache: the error of what was stored there.
  double error_of(Value value) const {
    const ValueInfo& info = graph().info(value);
    if (info.cache_layer >= 0)
      return error_of(graph().ops[static_cast<std::size_t>(info.writer)].inputs[0]);
    return differences_[static_cast<std::size_t>(info.writer)].relative();
  }

  Session base_, model_;
  Idle idle_;
  std::vector<Difference> differences_;  // by op
  Drift drift_;
};

}  // namespace

const OpDrift* Drift::find(const std::string& name) const {
  for (const OpDrift& op : ops)
    if (op.name == name) return &op;
  return nullptr;
}

const OpDrift* Drift::first_difference() const {
  for (const OpDrift& op : ops)
    if (op.difference.is_any()) return &op;
  return nullptr;
}

const OpDrift* Drift::largest_growth(int layer) const {
  const OpDrift* largest = nullptr;
  for (const OpDrift& op : ops) {
    if (op.layer != layer || op.input_error <= 0) continue;
    if (!largest || op.growth() > largest->growth()) largest = &op;
  }
  return largest;
}

const OpDrift* Drift::first_growth() const {
  constexpr double kGrowth = 1.5;
  for (const OpDrift& op : ops)
    if (op.growth() >= kGrowth) return &op;
  return nullptr;
}

double Drift::mean_kl() const {
  double sum = 0;
  for (const DistributionChange& p : positions) sum += p.kl;
  return positions.empty() ? 0 : sum / static_cast<double>(positions.size());
}

std::int64_t Drift::n_same_best() const {
  return std::count_if(positions.begin(), positions.end(),
                       [](const DistributionChange& p) { return p.same_best(); });
}

Drift measure_drift(std::shared_ptr<const Model> base, std::shared_ptr<const Model> model,
                    std::span<const TokenId> ids, const SessionOptions& options) {
  Comparison comparison(std::move(base), std::move(model), options);
  const std::int64_t at_once = std::min(kTokensAtOnce, options.n_batch);
  for (std::size_t begin = 0; begin < ids.size(); begin += static_cast<std::size_t>(at_once))
    comparison.run(
        ids.subspan(begin, std::min(static_cast<std::size_t>(at_once), ids.size() - begin)));
  return comparison.finish();
}

}  // namespace galley::step
