#include "tools/glass/logit_lens.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

#include "model/executor.h"
#include "tensor/error.h"

namespace galley::glass {
namespace {

int select_outputs_op(const Graph& graph) {
  for (std::size_t i = 0; i < graph.ops.size(); ++i)
    if (graph.ops[i].kind == OpKind::kSelectOutputs) return static_cast<int>(i);
  GALLEY_CHECK(false, "a graph selects the rows whose logits are wanted");
}

// The ops of `graph` from select_outputs on, as a graph of their own: value 0 is the input.
Graph tail_of(const Graph& graph) {
  Graph tail;
  std::vector<int> new_id(graph.values.size(), -1);
  const auto add_value = [&](Value v) {
    ValueInfo info = graph.info(v);
    GALLEY_CHECK(info.parent < 0 && info.cache_layer < 0, info.name + " in the tail of a graph");
    info.writer = static_cast<int>(tail.ops.size());
    new_id[static_cast<std::size_t>(v.id)] = static_cast<int>(tail.values.size());
    tail.values.push_back(std::move(info));
  };
  const auto first = static_cast<std::size_t>(select_outputs_op(graph));
  add_value(graph.ops[first].inputs[0]);
  for (std::size_t i = first; i < graph.ops.size(); ++i) {
    Op op = graph.ops[i];
    for (Value& input : op.inputs) {
      input.id = new_id[static_cast<std::size_t>(input.id)];
      GALLEY_CHECK(input.id >= 0, op.name + " reads a value from before select_outputs");
    }
    add_value(op.output);
    op.output.id = new_id[static_cast<std::size_t>(op.output.id)];
    tail.ops.push_back(std::move(op));
  }
  tail.logits.id = new_id[static_cast<std::size_t>(graph.logits.id)];
  return tail;
}

// Puts the rows where the first op reads them.
class Feeder : public Observer {
 public:
  void before_op(RunView& run, int op_index) override {
    if (op_index != 0) return;
    const Value input = run.graph().ops[0].inputs[0];
    for (std::int64_t r = 0; r < run.n_tokens(); ++r) {
      const std::span<float> row = run.row(input, r);
      std::copy_n(rows.begin() + r * static_cast<std::int64_t>(row.size()), row.size(),
                  row.begin());
    }
  }
  void after_op(RunView&, int) override {}

  std::span<const float> rows;
};

}  // namespace

std::vector<ResidualPoint> residual_stream(const Graph& graph) {
  // Backwards: a residual addition is add(stream, part), so its first input goes on.
  std::vector<ResidualPoint> points;
  Value v = graph.ops[static_cast<std::size_t>(select_outputs_op(graph))].inputs[0];
  while (true) {
    const ValueInfo& info = graph.info(v);
    const Op& op = graph.ops[static_cast<std::size_t>(info.writer)];
    points.push_back({v, info.name, op.layer});
    if (op.kind != OpKind::kAdd) break;
    v = op.inputs[0];
  }
  std::reverse(points.begin(), points.end());
  return points;
}

struct LogitLens::Impl {
  Impl(const Graph& whole, int threads, std::int64_t n_rows)
      : graph(tail_of(whole)),
        cache(graph, DType::kF32, kernels::kAttentionBlock, 1, n_rows),
        executor(graph, cache, n_rows, kernels::kAttentionBlock, threads, nullptr),
        max_rows(n_rows),
        zeros(static_cast<std::size_t>(n_rows), 0),
        rows(static_cast<std::size_t>(n_rows)) {
    std::iota(rows.begin(), rows.end(), 0);
    executor.set_observer(&feeder);
  }

  Graph graph;
  KvCache cache;  // of no layers
  Executor executor;
  Feeder feeder;
  std::int64_t max_rows;
  std::vector<std::int32_t> zeros, rows;
};

LogitLens::LogitLens(const Graph& graph, int n_threads, std::int64_t max_rows)
    : impl_(std::make_unique<Impl>(graph, n_threads, max_rows)) {}
LogitLens::~LogitLens() = default;
LogitLens::LogitLens(LogitLens&&) noexcept = default;
LogitLens& LogitLens::operator=(LogitLens&&) noexcept = default;

std::int64_t LogitLens::width() const { return impl_->graph.values[0].width; }
std::int64_t LogitLens::n_vocab() const { return impl_->graph.info(impl_->graph.logits).width; }

std::vector<float> LogitLens::logits(std::span<const float> rows) {
  const auto n = static_cast<std::int64_t>(rows.size()) / width();
  if (n * width() != static_cast<std::int64_t>(rows.size()))
    throw Error(ErrorKind::kUsage, "the lens needs rows of " + std::to_string(width()) +
                                       " values, not " + std::to_string(rows.size()));
  std::vector<float> out(static_cast<std::size_t>(n * n_vocab()));
  for (std::int64_t begin = 0; begin < n; begin += impl_->max_rows) {
    const std::int64_t count = std::min(impl_->max_rows, n - begin);
    const auto first = [count](const std::vector<std::int32_t>& v) {
      return std::span(v).first(static_cast<std::size_t>(count));
    };
    impl_->feeder.rows = rows.subspan(static_cast<std::size_t>(begin * width()));
    impl_->executor.run({first(impl_->zeros), first(impl_->zeros), first(impl_->zeros),
                         first(impl_->rows), out.data() + begin * n_vocab()});
  }
  return out;
}

std::vector<Guess> best_guesses(std::span<const float> logits, std::size_t k) {
  std::vector<std::int32_t> order(logits.size());
  std::iota(order.begin(), order.end(), 0);
  k = std::min(k, order.size());
  const auto at = [&](std::int32_t id) {  // NaN goes last
    const float x = logits[static_cast<std::size_t>(id)];
    return std::isnan(x) ? -INFINITY : x;
  };
  std::partial_sort(
      order.begin(), order.begin() + static_cast<std::ptrdiff_t>(k), order.end(),
      [&](std::int32_t a, std::int32_t b) { return at(a) != at(b) ? at(a) > at(b) : a < b; });
  std::vector<Guess> best;
  if (k == 0) return best;
  const auto highest = static_cast<double>(at(order[0]));
  double sum = 0;
  for (const float x : logits) sum += std::exp(static_cast<double>(x) - highest);
  for (std::size_t i = 0; i < k; ++i) {
    const float logit = at(order[i]);
    best.push_back({order[i], logit,
                    static_cast<float>(std::exp(static_cast<double>(logit) - highest) / sum)});
  }
  return best;
}

std::int64_t rank_of(std::span<const float> logits, std::int32_t id) {
  const float own = logits[static_cast<std::size_t>(id)];
  std::int64_t rank = 0;
  for (std::size_t i = 0; i < logits.size(); ++i)
    rank += logits[i] > own || (logits[i] == own && static_cast<std::int32_t>(i) < id);
  return rank;
}

}  // namespace galley::glass
