// One output of a product with a weight matrix: block by block for quantized weights, sixteen
// partial sums for float weights. docs/exactness.md gives the order.
#include <algorithm>
#include <array>

#include "kernels/kernels.h"
#include "kernels/scalar/block_products.h"
#include "kernels/scalar/block_types.h"
#include "kernels/scalar/matmul_float.h"
#include "kernels/scalar/partials.h"
#include "model/planner.h"
#include "tensor/dequantize.h"
#include "tools/glass/explain_ops.h"

namespace galley::glass {
namespace {

namespace scalar = kernels::scalar;
using scalar::BlockCodes;
using scalar::QuantizedBlock;
using scalar::unpack;

// A row of weights as codes.
struct CodedRow {
  std::vector<BlockCodes> blocks;
  int n_minimums = 0;
  bool has_scales = false;  // integer scales for the halves of a block
};

CodedRow unpack_row(const Tensor& weight, std::int64_t row) {
  CodedRow out;
  scalar::with_block_type(weight.type, [&](auto example) {
    using Block = decltype(example);
    const auto* blocks = reinterpret_cast<const Block*>(weight.row(row));
    constexpr int n_groups = scalar::kGroups<Block>;
    for (std::int64_t b = 0; b < weight.cols() / 32; ++b)
      out.blocks.push_back(unpack(blocks[b / n_groups], static_cast<int>(b % n_groups)));
    out.n_minimums = scalar::kMinimums<Block>;
  });
  for (const BlockCodes& b : out.blocks) out.has_scales |= b.scale[0] != 1 || b.scale[1] != 1;
  return out;
}

float add_block(const BlockCodes& w, const QuantizedBlock& x, int n_minimums, float partial) {
  if (n_minimums == 2) return scalar::add_block<2>(w, x, partial);
  if (n_minimums == 1) return scalar::add_block<1>(w, x, partial);
  return scalar::add_block<0>(w, x, partial);
}

std::string block_formula(const CodedRow& row, const std::string& p) {
  const std::string first = "fma(isum, d_w * d_x, " + p + ")";
  if (row.n_minimums == 0) return p + " = " + first;
  if (row.n_minimums == 1) return p + " = fma(min_w, s_x, " + first + ")";
  return p + " = fma(min_w[1], d_x * s_x[1], fma(min_w[0], d_x * s_x[0], " + first + "))";
}

// The rounded input of one pass, and where it comes from.
struct Pass {
  std::span<const float> x;
  std::string label;   // "" or "remainder, "
  std::string source;  // "blk.0.ffn_norm" or "the remainder of it"
  const ProductInput* input;
};

std::vector<Operand> block_operands(const CodedRow& row, const BlockCodes& w,
                                    const QuantizedBlock& x, const std::string& weight_from,
                                    const std::string& x_from) {
  std::vector<Operand> operands;
  operands.push_back(integers<std::int8_t>("q_w", w.code, weight_from));
  if (row.has_scales) operands.push_back(integers<std::int16_t>("scale_w", w.scale));
  operands.push_back(number("d_w", d(w.d)));
  if (row.n_minimums == 1) operands.push_back(number("min_w", d(w.min[0])));
  if (row.n_minimums == 2) operands.push_back(list("min_w", w.min));
  operands.push_back(integers<std::int8_t>("q_x", x.q, x_from));
  operands.push_back(number("d_x", d(x.d)));
  if (row.n_minimums == 1) operands.push_back(number("s_x", d(x.sum)));
  if (row.n_minimums == 2) operands.push_back(integers<std::int16_t>("s_x", x.sums));
  operands.push_back(integer("isum", scalar::block_dot(w, x)));
  return operands;
}

// One pass over the blocks; returns the product.
float explain_pass(const Tensor& weight, std::int64_t weight_row, const CodedRow& row,
                   const Pass& pass, Explanation& e) {
  float p[8] = {};
  for (std::size_t b = 0; b < row.blocks.size(); ++b) {
    const QuantizedBlock x = scalar::quantize_block(pass.x.data() + 32 * b);
    float& partial = p[b % 8];
    const std::string name = "p" + std::to_string(b % 8);
    const std::int64_t begin = pass.input->offset + 32 * static_cast<std::int64_t>(b);
    std::vector<Operand> operands =
        block_operands(row, row.blocks[b], x,
                       range_text(weight.name, weight_row, static_cast<std::int64_t>(32 * b),
                                  static_cast<std::int64_t>(32 * b + 32)),
                       pass.source + range_text("", pass.input->row, begin, begin + 32));
    operands.push_back(number(name + " before", d(partial)));
    partial = add_block(row.blocks[b], x, row.n_minimums, partial);
    Step& step = add_step(e,
                          pass.label + "block " + std::to_string(b) + ": columns " +
                              std::to_string(32 * b) + " to " + std::to_string(32 * b + 31),
                          block_formula(row, name), std::move(operands), d(partial), name);
    step.is_repeated = true;
  }
  const float total = scalar::sum_of_eight(p);
  add_step(e, pass.label + "the eight partial sums, in a fixed tree",
           "y = ((p0+p4)+(p2+p6))+((p1+p5)+(p3+p7))", {list("p", p)}, d(total), "y");
  return total;
}

void explain_quantized(const Tensor& weight, std::int64_t weight_row, const ProductInput& input,
                       Explanation& e) {
  const CodedRow row = unpack_row(weight, weight_row);
  const bool twice = rounds_input_twice(weight);
  const float first = explain_pass(weight, weight_row, row, {input.x, "", input.name, &input}, e);
  e.derived = first;
  if (!twice) return;
  std::vector<float> remainder(input.x.size());
  for (std::size_t b = 0; b < row.blocks.size(); ++b)
    scalar::store_remainder(input.x.data() + 32 * b,
                            scalar::quantize_block(input.x.data() + 32 * b),
                            remainder.data() + 32 * b);
  e.steps.back().result_name = "y1";
  const float second = explain_pass(
      weight, weight_row, row, {remainder, "remainder, ", "remainder of " + input.name, &input}, e);
  e.steps.back().result_name = "y2";
  e.derived = first + second;
  add_step(e, "the product and that of the remainder", "y = y1 + y2",
           {number("y1", d(first)), number("y2", d(second))}, d(e.derived), "y");
}

// A product of float weights, and what it is made of.
struct FloatProduct {
  std::vector<float> x;  // as it is multiplied
  scalar::Partials partials;
  float total = 0;
};

FloatProduct multiply_floats(const Tensor& weight, std::span<const float> w,
                             std::span<const float> x) {
  FloatProduct out{{x.begin(), x.end()}, {}, 0};
  const auto n = static_cast<std::int64_t>(w.size());
  if (rounds_input_to_bf16(weight)) {
    for (float& value : out.x) value = scalar::rounded_to_bf16(value);
    const scalar::PairProduct product = scalar::dot_pairs(w.data(), out.x.data(), n);
    out.partials = product.partials;
    out.total = product.total;
  } else {
    for (std::int64_t i = 0; i < n; ++i)
      out.partials.add_product(i, w[static_cast<std::size_t>(i)], x[static_cast<std::size_t>(i)]);
    out.total = out.partials.total();
  }
  return out;
}

// The columns of partial sum i, in the order in which they are added: of a pair the odd one first.
std::vector<std::size_t> columns_of_partial(std::size_t i, std::size_t n_columns, bool in_pairs) {
  std::vector<std::size_t> columns;
  if (!in_pairs) {
    for (std::size_t c = i; c < n_columns; c += scalar::kPartials) columns.push_back(c);
    return columns;
  }
  for (std::size_t c = 2 * i; c < n_columns; c += 2 * scalar::kPartials) {
    if (c + 1 < n_columns) columns.push_back(c + 1);
    columns.push_back(c);
  }
  return columns;
}

void explain_float(const Tensor& weight, std::int64_t weight_row, const ProductInput& input,
                   std::span<const float> w, Explanation& e) {
  const bool in_pairs = rounds_input_to_bf16(weight);
  const FloatProduct product = multiply_floats(weight, w, input.x);
  for (std::size_t i = 0; i < static_cast<std::size_t>(scalar::kPartials); ++i) {
    std::vector<float> own_w, own_x;
    for (const std::size_t c : columns_of_partial(i, w.size(), in_pairs)) {
      own_w.push_back(w[c]);
      own_x.push_back(product.x[c]);
    }
    const std::string name = "p" + std::to_string(i);
    const std::string text = std::to_string(i);
    const std::string which =
        in_pairs ? "pairs of columns " + text + ", " + std::to_string(i + 16) + ", ..."
                 : "columns " + text + ", " + std::to_string(i + 16) + ", ...";
    const std::string every = in_pairs ? "pairs " + text + "::16]" : text + "::16]";
    Step& step =
        add_step(e, "partial sum " + text + ": " + which,
                 "for each" + std::string(in_pairs ? ", of a pair the odd one first" : "") + ": " +
                     name + " = fma(w, x, " + name + ")",
                 {list("w", own_w, weight.name + "[" + std::to_string(weight_row) + ", " + every),
                  list("x", own_x, input.name + "[" + std::to_string(input.row) + ", " + every)},
                 d(product.partials.p[i]), name);
    step.is_repeated = true;
  }
  e.derived = product.total;
  add_step(e, "the sixteen partial sums, in a fixed tree",
           "e_i = p_i + p_(i+8); y = ((e0+e4)+(e2+e6))+((e1+e5)+(e3+e7))",
           {list("p", product.partials.p)}, d(e.derived), "y");
}

}  // namespace

void explain_product(const Tensor& weight, std::int64_t weight_row, const ProductInput& input,
                     Explanation& e) {
  const bool quantized = kernels::uses_quantized_rows(weight.type);
  const std::string n = std::to_string(weight.cols());
  const std::string source = range_text(input.name, input.row, input.offset,
                                        input.offset + static_cast<std::int64_t>(input.x.size()));
  e.inputs = {source};
  e.summary = "The " + n + " weights in " + weight_row_text(weight, weight_row) + ", times " +
              source + ", added up.";
  std::vector<float> w(static_cast<std::size_t>(weight.cols()));
  dequantize_row(weight.type, weight.row(weight_row), w);
  if (quantized) {
    e.summary += " The input is rounded to int8 in blocks of 32";
    e.summary += rounds_input_twice(weight)
                     ? ", and so is what that takes away, because the matrix is small enough to "
                       "be multiplied twice."
                     : ".";
    explain_quantized(weight, weight_row, input, e);
    e.precise_meaning = "the same weights times the unrounded input, in float64";
  } else {
    const bool rounds = rounds_input_to_bf16(weight);
    if (rounds) e.summary += " The input is rounded to BF16, as the weights are.";
    explain_float(weight, weight_row, input, w, e);
    e.precise_meaning = rounds ? "the same weights times the unrounded input, in float64"
                               : "the same sum in float64";
  }
  for (std::size_t c = 0; c < w.size(); ++c) e.precise += d(w[c]) * d(input.x[c]);
}

void explain_matmul(const Target& t, Explanation& e) {
  explain_product(*t.op.weight, t.column, {t.input(0), t.input_name(0), t.row, 0}, e);
}

}  // namespace galley::glass
