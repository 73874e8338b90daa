// Numbers that depend on a few others: embeddings, sums, factors, activations, copies.
#include <cmath>

#include "kernels/scalar/activation.h"
#include "tensor/dequantize.h"
#include "tools/glass/block_fields.h"
#include "tools/glass/explain_ops.h"

namespace galley::glass {
namespace {

namespace scalar = kernels::scalar;

// One weight of a table, from the fields of its block.
float explain_weight_of(const Tensor& table, std::int64_t row, std::int64_t column,
                        Explanation& e) {
  const std::int64_t per_block = dtype_info(table.type).block_elements;
  const BlockFields block = decode_block(table, row, column / per_block);
  const auto i = static_cast<std::size_t>(column % per_block);
  std::vector<Operand> operands;
  for (const BlockField& field : block.fields) {
    const double value = field.values[i * field.values.size() / block.weights.size()];
    operands.push_back({field.name, {value}, field.is_integer, false, {}});
  }
  const std::string where = per_block == 1
                                ? "one number of type " + std::string(dtype_info(table.type).name)
                                : "weight " + std::to_string(i) + " of block " +
                                      std::to_string(column / per_block) + " of the row";
  add_step(e, where, block.formula, std::move(operands), d(block.weights[i]), "w");
  return block.weights[i];
}

const char* activation_formula(Activation f) {
  switch (f) {
    case Activation::kSilu:
      return "f(x) = x * sigmoid(x)  (SiLU)";
    case Activation::kGeluTanh:
      return "f(x) = x * (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) / 2  (GELU)";
    case Activation::kGeluErf:
      return "f(x) = x * (1 + erf(x / sqrt(2))) / 2  (GELU)";
    case Activation::kRelu:
      return "f(x) = max(x, 0)  (ReLU)";
    case Activation::kReluSquared:
      return "f(x) = max(x, 0)^2  (squared ReLU)";
    case Activation::kSigmoid:
      return "f(x) = 1 / (1 + exp(-x))  (sigmoid)";
  }
  return "";
}

double precise_activation(Activation f, double x) {
  const double sqrt_2_over_pi = std::sqrt(2 / M_PI);
  switch (f) {
    case Activation::kSilu:
      return x / (1 + std::exp(-x));
    case Activation::kGeluTanh:
      return 0.5 * x * (1 + std::tanh(sqrt_2_over_pi * (x + 0.044715 * x * x * x)));
    case Activation::kGeluErf:
      return 0.5 * x * (1 + std::erf(x / std::sqrt(2)));
    case Activation::kRelu:
      return x < 0 ? 0 : x;
    case Activation::kReluSquared:
      return x < 0 ? 0 : x * x;
    case Activation::kSigmoid:
      return 1 / (1 + std::exp(-x));
  }
  return x;
}

// The factor of kScaleByPosition, as the executor forms it.
double position_growth(const Target& t) {
  const std::int64_t position = t.run.positions()[static_cast<std::size_t>(t.row)];
  const auto steps = static_cast<double>(position / t.op.interval);
  return 1 + d(t.op.factor) * std::log1p(steps);
}

}  // namespace

void explain_embed(const Target& t, Explanation& e) {
  const std::int32_t id = t.run.token_ids()[static_cast<std::size_t>(t.row)];
  e.summary = "The token's id is " + std::to_string(id) + ": this is number " +
              std::to_string(t.column) + " of " + weight_row_text(*t.op.weight, id) +
              ". Nothing is computed but the weight itself.";
  e.derived = explain_weight_of(*t.op.weight, id, t.column, e);
  e.precise = d(e.derived);
  e.precise_meaning = "the same: a stored weight is what it is";
}

void explain_add_positions(const Target& t, Explanation& e) {
  const std::int32_t position = t.run.positions()[static_cast<std::size_t>(t.row)];
  e.summary = "The token stands at position " + std::to_string(position) + ": number " +
              std::to_string(t.column) + " of " + weight_row_text(*t.op.weight, position) +
              " is added to it.";
  e.inputs = {t.input_cell(0, t.column)};
  const float w = explain_weight_of(*t.op.weight, position, t.column, e);
  const float x = t.input_at(0, t.column);
  e.derived = w + x;
  e.precise = d(w) + d(x);
  e.precise_meaning = "the same sum in float64";
  add_step(e, "added", "y = w + x", {number("w", d(w)), number("x", d(x), e.inputs[0])},
           d(e.derived), "y");
}

void explain_sum(const Target& t, Explanation& e) {
  const bool is_bias = t.op.kind == OpKind::kAddBias;
  const float a = t.input_at(0, t.column);
  const float b = is_bias ? floats(t.op.bias)[t.column] : t.input_at(1, t.column);
  const std::string b_from =
      is_bias ? t.op.bias->name + "[" + std::to_string(t.column) + "]" : t.input_cell(1, t.column);
  e.inputs = {t.input_cell(0, t.column)};
  if (!is_bias) e.inputs.push_back(b_from);
  e.summary = e.inputs[0] + " plus " + b_from + ".";
  e.derived = a + b;
  e.precise = d(a) + d(b);
  e.precise_meaning = "the same sum in float64";
  add_step(e, "added", "y = a + b", {number("a", d(a), e.inputs[0]), number("b", d(b), b_from)},
           d(e.derived), "y");
}

void explain_factor(const Target& t, Explanation& e) {
  const float x = t.input_at(0, t.column);
  e.inputs = {t.input_cell(0, t.column)};
  float factor = t.op.factor;
  double precise_factor = d(factor);
  Operand shown = number("factor", d(factor));
  if (t.op.kind == OpKind::kScaleRows) {
    factor = t.input_at(1, 0);
    precise_factor = d(factor);
    shown = number("factor", d(factor), t.input_cell(1, 0));
    e.inputs.push_back(t.input_cell(1, 0));
  } else if (t.op.kind == OpKind::kScaleByPosition) {
    const double growth = position_growth(t);
    factor = static_cast<float>(growth);
    precise_factor = growth;
    const std::int64_t position = t.run.positions()[static_cast<std::size_t>(t.row)];
    add_step(e, "the factor of this position",
             "factor = 1 + growth * ln(1 + floor(position / interval))",
             {integer("position", position), integer("interval", t.op.interval),
              number("growth", d(t.op.factor))},
             d(factor), "factor");
    shown = number("factor", d(factor));
  }
  e.summary = e.inputs[0] + " times " + short_text(d(factor)) + ".";
  e.derived = x * factor;
  e.precise = d(x) * precise_factor;
  e.precise_meaning = "the same product in float64";
  add_step(e, "multiplied", "y = x * factor", {number("x", d(x), e.inputs[0]), std::move(shown)},
           d(e.derived), "y");
}

void explain_softcap(const Target& t, Explanation& e) {
  const float x = t.input_at(0, t.column);
  const float cap = t.op.factor;
  e.inputs = {t.input_cell(0, t.column)};
  e.summary = e.inputs[0] + ", bent so that it stays between -" + short_text(d(cap)) + " and " +
              short_text(d(cap)) + ".";
  e.derived = scalar::softcapped(x, cap);
  e.precise = d(cap) * std::tanh(d(x) / d(cap));
  e.precise_meaning = "the same in float64";
  add_step(e, "bent", "y = cap * tanh(x / cap)",
           {number("x", d(x), e.inputs[0]), number("cap", d(cap))}, d(e.derived), "y");
}

void explain_activation(const Target& t, Explanation& e) {
  const float x = t.input_at(0, t.column);
  e.inputs = {t.input_cell(0, t.column)};
  const float bent = scalar::activation(t.op.activation, x);
  e.derived = bent;
  e.precise = precise_activation(t.op.activation, d(x));
  e.precise_meaning = "the same in float64, with the C library's functions";
  add_step(e, "the activation function", activation_formula(t.op.activation),
           {number("x", d(x), e.inputs[0])}, d(bent), "f(x)");
  e.summary = "The activation function of " + e.inputs[0];
  if (t.op.kind == OpKind::kGate) {
    const float up = t.input_at(1, t.column);
    e.inputs.push_back(t.input_cell(1, t.column));
    e.summary += ", which decides how much of " + e.inputs[1] + " passes";
    e.derived = bent * up;
    e.precise *= d(up);
    add_step(e, "the gate", "y = f(x) * up",
             {number("f(x)", d(bent)), number("up", d(up), e.inputs[1])}, d(e.derived), "y");
  }
  e.summary += ".";
}

void explain_copy(const Target& t, Explanation& e) {
  std::int64_t row = t.row;
  std::int64_t column = t.column;
  if (t.op.kind == OpKind::kSlice) {
    column += t.graph().info(t.op.output).offset;
    e.summary = "A name for a column of a wider value: nothing is computed or copied.";
  } else {
    row = t.run.outputs()[static_cast<std::size_t>(t.row)];
    e.summary = "The row of token " + std::to_string(row) + ", whose logits are wanted, copied.";
  }
  const std::string from = cell_text(t.input_name(0), row, column);
  e.inputs = {from};
  e.derived = t.run.row(t.op.inputs[0], row)[static_cast<std::size_t>(column)];
  e.precise = d(e.derived);
  e.precise_meaning = "the same: a copy";
  add_step(e, "copied", "y = x", {number("x", d(e.derived), from)}, d(e.derived), "y");
}

}  // namespace galley::glass
