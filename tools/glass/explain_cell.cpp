#include "tools/glass/explain_cell.h"

#include <cmath>
#include <cstring>

#include "model/op_table.h"
#include "tensor/error.h"
#include "tools/glass/attention_trace.h"
#include "tools/glass/explain_ops.h"

namespace galley::glass {
namespace {

void explain_op(const Target& t, Explanation& e) {
  switch (t.op.kind) {
    case OpKind::kEmbed:
      return explain_embed(t, e);
    case OpKind::kAddPositions:
      return explain_add_positions(t, e);
    case OpKind::kMatmul:
      return explain_matmul(t, e);
    case OpKind::kAddBias:
    case OpKind::kAdd:
      return explain_sum(t, e);
    case OpKind::kScale:
    case OpKind::kScaleRows:
    case OpKind::kScaleByPosition:
      return explain_factor(t, e);
    case OpKind::kSoftcap:
      return explain_softcap(t, e);
    case OpKind::kRmsNorm:
    case OpKind::kLayerNorm:
      return explain_norm(t, e);
    case OpKind::kRope:
      return explain_rope(t, e);
    case OpKind::kStoreK:
    case OpKind::kStoreV:
      return explain_store(t, e);
    case OpKind::kAttention:
      return explain_attention(t, e);
    case OpKind::kActivate:
    case OpKind::kGate:
      return explain_activation(t, e);
    case OpKind::kSlice:
    case OpKind::kSelectOutputs:
      return explain_copy(t, e);
    case OpKind::kSoftmax:
      return explain_softmax(t, e);
    case OpKind::kRouteExperts:
      return explain_route(t, e);
    case OpKind::kExpertMatmul:
      return explain_expert_matmul(t, e);
    case OpKind::kCombineExperts:
      return explain_combine(t, e);
  }
}

void check_index(const Cell& cell, const char* what, std::int64_t i, std::int64_t n) {
  if (i >= 0 && i < n) return;
  throw Error(ErrorKind::kUsage, cell.named.name + " has no " + what + " " + std::to_string(i) +
                                     "; it has " + std::to_string(n) + ", from 0");
}

// Scores and weights of attention, which the engine does not store.
void explain_pseudo(const Target& t, const Cell& cell, Explanation& e) {
  check_index(cell, "head", cell.head, t.op.heads);
  check_index(cell, "token", cell.row, t.run.n_tokens());
  const bool is_score = cell.named.kind == ValueKind::kAttentionScores;
  e.op = is_score ? "attention score" : "attention weight";
  e.formula = is_score ? "score = (q . k) * scale" : "weight_p = exp(score_p) / sum_j exp(score_j)";
  const std::int64_t position = t.run.positions()[static_cast<std::size_t>(cell.row)];
  check_index(cell, "position", cell.column, t.run.n_context());
  if (cell.column > position) {
    e.summary = "Token " + std::to_string(cell.row) + " stands at position " +
                std::to_string(position) + " and cannot look ahead to " +
                std::to_string(cell.column) + ".";
    e.engine = e.derived = is_score ? -INFINITY : 0.0f;
    e.precise = d(e.engine);
    return;
  }
  is_score ? explain_score(t, cell.head, e) : explain_weight(t, cell.head, e);
}

}  // namespace

Explanation explain_cell(const RunData& run, const Cell& cell) {
  const Graph& graph = run.graph();
  const Op& op = graph.ops[static_cast<std::size_t>(cell.named.op)];
  const OpKindInfo& info = op_kind_info(op.kind);
  Explanation e;
  e.cell = cell_name(cell);
  e.op = std::string(info.name);
  e.formula = std::string(info.formula);
  const Target target{run, op, cell.row, cell.column};
  switch (cell.named.kind) {
    case ValueKind::kAttentionScores:
    case ValueKind::kAttentionWeights:
      explain_pseudo(target, cell, e);
      return e;
    case ValueKind::kCache:
      check_index(cell, "column", cell.column, graph.info(op.output).width);
      check_index(cell, "position", cell.row, run.n_context());
      break;
    case ValueKind::kRows:
      check_index(cell, "column", cell.column, graph.info(op.output).width);
      e.engine = run.row(op.output, cell.row)[static_cast<std::size_t>(cell.column)];
      break;
  }
  explain_op(target, e);
  return e;
}

Explanation explain_cell(const RunData& run, std::string_view reference, int layer) {
  return explain_cell(run, parse_cell(run, reference, layer));
}

std::string cell_text(const std::string& name, std::int64_t row, std::int64_t column) {
  return name + "[" + std::to_string(row) + ", " + std::to_string(column) + "]";
}

std::string range_text(const std::string& name, std::int64_t row, std::int64_t begin,
                       std::int64_t end) {
  return name + "[" + std::to_string(row) + ", " + std::to_string(begin) + ":" +
         std::to_string(end) + "]";
}

std::string weight_row_text(const Tensor& weight, std::int64_t row) {
  return "row " + std::to_string(row) + " of " + weight.name + " (" +
         std::string(dtype_info(weight.type).name) + ")";
}

std::string Target::input_cell(std::size_t i, std::int64_t c) const {
  return cell_text(input_name(i), row, c);
}

std::string Target::input_range(std::size_t i, std::int64_t begin, std::int64_t end) const {
  return range_text(input_name(i), row, begin, end);
}

Operand number(std::string name, double value, std::string from) {
  return {std::move(name), {value}, false, false, std::move(from)};
}

Operand integer(std::string name, std::int64_t value, std::string from) {
  return {std::move(name), {static_cast<double>(value)}, true, false, std::move(from)};
}

Operand list(std::string name, std::span<const float> values, std::string from) {
  Operand operand{std::move(name), {}, false, true, std::move(from)};
  operand.values.assign(values.begin(), values.end());
  return operand;
}

Step& add_step(Explanation& e, std::string label, std::string formula,
               std::vector<Operand> operands, double result, std::string result_name) {
  return e.steps.emplace_back(Step{std::move(label), std::move(formula), std::move(operands),
                                   result, std::move(result_name), false});
}

const float* floats(const Tensor* tensor) {
  return tensor ? reinterpret_cast<const float*>(tensor->data) : nullptr;
}

}  // namespace galley::glass
