// The parts of explain_cell: one function per kind of op, and helpers to write steps down.
//
// Private to tools/glass/. Each function fills in summary, inputs, steps, derived, precise and
// precise_meaning of an Explanation whose other fields explain_cell has set.
#pragma once

#include <span>
#include <string>
#include <utility>
#include <vector>

#include "tools/glass/explanation.h"
#include "tools/glass/run_data.h"
#include "tools/glass/value_ref.h"

namespace galley::glass {

// Column `column` of row `row` of the output of `op`.
struct Target {
  const RunData& run;
  const Op& op;
  std::int64_t row = 0;
  std::int64_t column = 0;

  const Graph& graph() const { return run.graph(); }
  // Row of the op's i-th input that belongs to the same token.
  std::span<const float> input(std::size_t i) const { return run.row(op.inputs[i], row); }
  float input_at(std::size_t i, std::int64_t c) const {
    return input(i)[static_cast<std::size_t>(c)];
  }
  const std::string& input_name(std::size_t i) const { return graph().info(op.inputs[i]).name; }
  // "blk.0.q[5, 17]" and "blk.0.q[5, 0:32]" for the i-th input.
  std::string input_cell(std::size_t i, std::int64_t c) const;
  std::string input_range(std::size_t i, std::int64_t begin, std::int64_t end) const;
};

std::string cell_text(const std::string& name, std::int64_t row, std::int64_t column);
std::string range_text(const std::string& name, std::int64_t row, std::int64_t begin,
                       std::int64_t end);
// "row 17 of blk.0.ffn_up.weight (Q4_0)".
std::string weight_row_text(const Tensor& weight, std::int64_t row);

Operand number(std::string name, double value, std::string from = {});
Operand integer(std::string name, std::int64_t value, std::string from = {});
Operand list(std::string name, std::span<const float> values, std::string from = {});
template <class T>
Operand integers(std::string name, std::span<const T> values, std::string from = {}) {
  Operand operand{std::move(name), {}, true, true, std::move(from)};
  for (const T v : values) operand.values.push_back(static_cast<double>(v));
  return operand;
}

// Appends a step and returns it.
Step& add_step(Explanation& e, std::string label, std::string formula,
               std::vector<Operand> operands, double result, std::string result_name);

inline double d(float x) { return static_cast<double>(x); }
const float* floats(const Tensor* tensor);

// explain_elementwise.cpp
void explain_embed(const Target& t, Explanation& e);
void explain_add_positions(const Target& t, Explanation& e);
void explain_sum(const Target& t, Explanation& e);     // kAdd, kAddBias
void explain_factor(const Target& t, Explanation& e);  // kScale, kScaleRows, kScaleByPosition
void explain_softcap(const Target& t, Explanation& e);
void explain_activation(const Target& t, Explanation& e);  // kActivate, kGate
void explain_copy(const Target& t, Explanation& e);        // kSlice, kSelectOutputs

// explain_rows.cpp
void explain_norm(const Target& t, Explanation& e);  // kRmsNorm, kLayerNorm
void explain_rope(const Target& t, Explanation& e);
void explain_softmax(const Target& t, Explanation& e);

// explain_matmul.cpp
void explain_matmul(const Target& t, Explanation& e);

// A product of row `weight_row` of `weight` with `x`: the steps, and their result as `derived` and
// `precise`. `from(begin, end)` names columns of x.
struct ProductInput {
  std::span<const float> x;
  std::string name;         // "blk.0.ffn_norm"
  std::int64_t row = 0;     // of that value
  std::int64_t offset = 0;  // x is columns [offset, offset + size) of that row
};
void explain_product(const Tensor& weight, std::int64_t weight_row, const ProductInput& input,
                     Explanation& e);

// explain_attention.cpp
void explain_attention(const Target& t, Explanation& e);
void explain_score(const Target& t, std::int64_t head, Explanation& e);   // column: position
void explain_weight(const Target& t, std::int64_t head, Explanation& e);  // column: position
void explain_store(const Target& t, Explanation& e);  // row: position in the cache

// explain_experts.cpp
void explain_route(const Target& t, Explanation& e);
void explain_expert_matmul(const Target& t, Explanation& e);
void explain_combine(const Target& t, Explanation& e);

}  // namespace galley::glass
