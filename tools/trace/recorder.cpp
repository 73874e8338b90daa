#include "tools/trace/recorder.h"

#include <algorithm>
#include <cmath>

#include "tools/glass/explain_cell.h"
#include "tools/glass/run_data.h"

namespace galley::trace {
namespace {

// Tokens that the logit lens names.
constexpr std::size_t kGuesses = 5;

// Sums over elements as they come.
struct StatsSum {
  ValueStats stats;
  double sum = 0, squares = 0;
  std::int64_t n = 0;

  void add(std::span<const float> row) {
    for (const float x : row) {
      if (!std::isfinite(x)) {
        ++stats.n_not_finite;
        continue;
      }
      if (n == 0) stats.min = stats.max = x;
      stats.min = std::min(stats.min, x);
      stats.max = std::max(stats.max, x);
      sum += static_cast<double>(x);
      squares += static_cast<double>(x) * static_cast<double>(x);
      ++n;
    }
  }

  ValueStats result() const {
    ValueStats out = stats;
    if (n > 0) {
      out.mean = sum / static_cast<double>(n);
      out.rms = std::sqrt(squares / static_cast<double>(n));
    }
    return out;
  }
};

}  // namespace

TraceRecorder::TraceRecorder(Trace& trace, Observer* change)
    : trace_(trace), change_(change), lens_(trace.model->graph(), trace.n_threads) {
  const Graph& graph = trace.model->graph();
  for (const Op& op : graph.ops)
    columns_.push_back(kept_columns(trace.sampling, graph.info(op.output).width));
}

bool TraceRecorder::is_kept_position(std::int64_t position) const {
  return position >= trace_.n_prompt || contains(trace_.prompt_positions, position);
}

void TraceRecorder::begin_pass(RunView& run) {
  Pass& p = trace_.passes.emplace_back();
  p.first_position = run.positions().front();
  p.ids.assign(run.token_ids().begin(), run.token_ids().end());
  for (std::int64_t t = 0; t < run.n_tokens(); ++t)
    if (is_kept_position(p.first_position + t)) p.rows.push_back(t);
  p.has_output = run.n_outputs() > 0;
  p.ops.resize(run.graph().ops.size());
}

void TraceRecorder::before_op(RunView& run, int op_index) {
  if (op_index == 0) begin_pass(run);
  if (change_) change_->before_op(run, op_index);
  began_ = std::chrono::steady_clock::now();
}

void TraceRecorder::after_op(RunView& run, int op_index) {
  const auto elapsed = std::chrono::steady_clock::now() - began_;
  if (change_) change_->after_op(run, op_index);
  const Graph& graph = run.graph();
  const Op& op = graph.ops[static_cast<std::size_t>(op_index)];
  OpRun& out = pass().ops[static_cast<std::size_t>(op_index)];
  out.elapsed_ns = std::chrono::duration_cast<std::chrono::nanoseconds>(elapsed).count();
  out.cost =
      op_cost(graph, op, run.n_tokens(), run.n_outputs(), pass().first_position, trace_.kv_type);
  if (graph.info(op.output).cache_layer < 0) keep_values(run, op, out);
  if (op.kind == OpKind::kAttention) keep_attention(run, op, op_index);
  const bool ends_prompt = pass().first_position + run.n_tokens() == trace_.n_prompt;
  if (trace_.explains && ends_prompt) explain(run, op, op_index);
  if (op_index + 1 == static_cast<int>(graph.ops.size())) keep_lens(run);
}

std::vector<std::int64_t> TraceRecorder::rows_of(const RunView& run, Value value) const {
  if (run.graph().info(value).rows == Rows::kTokens) return trace_.passes.back().rows;
  // Only the last token of a batch has logits here.
  return run.n_outputs() > 0 ? std::vector<std::int64_t>{run.n_outputs() - 1}
                             : std::vector<std::int64_t>{};
}

void TraceRecorder::keep_values(RunView& run, const Op& op, OpRun& out) {
  const bool per_token = run.graph().info(op.output).rows == Rows::kTokens;
  const std::int64_t n_rows = per_token ? run.n_tokens() : run.n_outputs();
  StatsSum sum;
  for (std::int64_t r = 0; r < n_rows; ++r) sum.add(run.row(op.output, r));
  out.stats = sum.result();
  const auto& columns = columns_[static_cast<std::size_t>(&op - run.graph().ops.data())];
  const std::vector<std::int64_t> rows = rows_of(run, op.output);
  out.values.reserve(rows.size() * static_cast<std::size_t>(count(columns)));
  for (const std::int64_t r : rows) {
    const std::span<const float> row = run.row(op.output, r);
    for (const auto& [begin, end] : columns)
      out.values.insert(out.values.end(), row.begin() + begin, row.begin() + end);
  }
}

void TraceRecorder::keep_attention(RunView& run, const Op& op, int op_index) {
  AttentionRun& kept = pass().attention.emplace_back();
  kept.op = op_index;
  const std::int64_t end = pass().first_position + run.n_tokens();
  for (std::int64_t p = 0; p < end; ++p)
    if (is_kept_position(p)) kept.keys.push_back(p);
  for (const std::int64_t t : pass().rows)
    for (std::int64_t head = 0; head < op.heads; ++head) {
      const std::vector<float> weights = run.attention_weights(op, t, head);
      double rest = 0;
      for (std::size_t p = 0; p < weights.size(); ++p)
        if (!is_kept_position(static_cast<std::int64_t>(p)))
          rest += static_cast<double>(weights[p]);
      kept.rest.push_back(static_cast<float>(rest));
      for (const std::int64_t p : kept.keys)
        kept.weights.push_back(p < static_cast<std::int64_t>(weights.size())
                                   ? weights[static_cast<std::size_t>(p)]
                                   : 0);
    }
}

void TraceRecorder::explain(RunView& run, const Op& op, int op_index) {
  const ValueInfo& info = run.graph().info(op.output);
  if (info.cache_layer >= 0 || (info.rows == Rows::kOutputs && run.n_outputs() == 0)) return;
  ExplainedCell cell;
  cell.pass = trace_.passes.size() - 1;
  cell.op = op_index;
  cell.position = trace_.n_prompt - 1;
  glass::Cell where;
  where.named = {glass::ValueKind::kRows, info.name, op_index, op.output};
  where.row = (info.rows == Rows::kTokens ? run.n_tokens() : run.n_outputs()) - 1;
  const std::span<const float> row = run.row(op.output, where.row);
  float largest = -1;
  for (const auto& [begin, end] : columns_[static_cast<std::size_t>(op_index)])
    for (std::int64_t c = begin; c < end; ++c)
      if (const float size = std::abs(row[static_cast<std::size_t>(c)]); size > largest) {
        largest = size;
        cell.column = c;
      }
  where.column = cell.column;
  cell.explanation = glass::explain_cell(glass::LiveRun(run), where);
  trace_.explained.push_back(std::move(cell));
}

void TraceRecorder::keep_lens(RunView& run) {
  const auto n_vocab = static_cast<std::size_t>(lens_.n_vocab());
  std::vector<float> rows;
  for (const glass::ResidualPoint& point : trace_.lens_points) {
    rows.clear();
    for (const std::int64_t r : pass().rows) {
      const std::span<const float> row = run.row(point.value, r);
      rows.insert(rows.end(), row.begin(), row.end());
    }
    const std::vector<float> logits = lens_.logits(rows);
    auto& guesses = pass().lens.emplace_back();
    for (std::size_t i = 0; i < pass().rows.size(); ++i)
      guesses.push_back(
          glass::best_guesses(std::span(logits).subspan(i * n_vocab, n_vocab), kGuesses));
  }
}

}  // namespace galley::trace
