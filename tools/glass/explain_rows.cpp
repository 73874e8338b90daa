// Numbers that depend on a whole row: norms, the rotation of RoPE, softmax.
#include <algorithm>
#include <cmath>

#include "kernels/kernels.h"
#include "kernels/scalar/norms.h"
#include "kernels/scalar/rotate.h"
#include "tools/glass/explain_ops.h"

namespace galley::glass {
namespace {

namespace scalar = kernels::scalar;

double precise_mean(std::span<const float> x) {
  double sum = 0;
  for (const float v : x) sum += d(v);
  return sum / static_cast<double>(x.size());
}

double precise_mean_square(std::span<const float> x, double mean) {
  double sum = 0;
  for (const float v : x) sum += (d(v) - mean) * (d(v) - mean);
  return sum / static_cast<double>(x.size());
}

// The vector that is normalized, and the weight and bias of the column; null where there is none.
struct NormInput {
  std::span<const float> x;
  std::int64_t offset = 0;  // of the vector in its row
  std::int64_t i = 0;       // the column in the vector
  const float* weight = nullptr;
  const float* bias = nullptr;
};

NormInput norm_input(const Target& t) {
  NormInput in;
  const std::int64_t width = t.graph().info(t.op.output).width / t.op.heads;
  in.offset = t.column / width * width;
  in.i = t.column % width;
  in.x = t.input(0).subspan(static_cast<std::size_t>(in.offset), static_cast<std::size_t>(width));
  // One weight for the whole row, or one for each head that all heads share.
  const bool is_shared = !t.op.weight || t.op.weight->n_elements() == width;
  const std::int64_t at = is_shared ? in.i : t.column;
  if (t.op.weight) in.weight = floats(t.op.weight) + at;
  if (t.op.bias) in.bias = floats(t.op.bias) + at;
  return in;
}

void explain_rms_norm(const Target& t, const NormInput& in, const std::string& from,
                      Explanation& e) {
  const auto width = static_cast<std::int64_t>(in.x.size());
  const float x = in.x[static_cast<std::size_t>(in.i)];
  const float square = scalar::mean_square(in.x.data(), width);
  const float inverse = scalar::inverse_root(square, t.op.eps);
  e.summary = e.inputs[0] + ", divided by the root of the mean square of the " +
              std::to_string(width) + " numbers it stands among" +
              (in.weight ? ", times its weight." : ".");
  add_step(e, "the mean of the squares, in sixteen partial sums", "mean = (x . x) / n",
           {list("x", in.x, from), integer("n", width)}, d(square), "mean");
  add_step(e, "the factor for the whole vector", "inverse = 1 / sqrt(mean + eps)",
           {number("mean", d(square)), number("eps", d(t.op.eps))}, d(inverse), "inverse");
  e.derived = scalar::rms_normed(x, inverse, in.weight);
  e.precise = d(x) / std::sqrt(precise_mean_square(in.x, 0) + d(t.op.eps));
  if (in.weight) e.precise *= d(*in.weight);
}

void explain_layer_norm(const Target& t, const NormInput& in, const std::string& from,
                        Explanation& e) {
  const auto width = static_cast<std::int64_t>(in.x.size());
  const float x = in.x[static_cast<std::size_t>(in.i)];
  const float mean = scalar::mean(in.x.data(), width);
  const float variance = scalar::variance(in.x.data(), width, mean);
  const float inverse = scalar::inverse_root(variance, t.op.eps);
  e.summary = e.inputs[0] + ", minus the mean of the " + std::to_string(width) +
              " numbers it stands among, divided by their spread" +
              (in.weight ? ", times its weight" : "") + (in.bias ? ", plus its bias." : ".");
  add_step(e, "the mean, in sixteen partial sums", "mean = sum x / n",
           {list("x", in.x, from), integer("n", width)}, d(mean), "mean");
  add_step(e, "the mean square of the distances from it", "variance = sum (x - mean)^2 / n",
           {number("mean", d(mean))}, d(variance), "variance");
  add_step(e, "the factor for the whole vector", "inverse = 1 / sqrt(variance + eps)",
           {number("variance", d(variance)), number("eps", d(t.op.eps))}, d(inverse), "inverse");
  e.derived = scalar::layer_normed(x, mean, inverse, in.weight, in.bias);
  const double center = precise_mean(in.x);
  e.precise = (d(x) - center) / std::sqrt(precise_mean_square(in.x, center) + d(t.op.eps));
  if (in.weight) e.precise *= d(*in.weight);
  if (in.bias) e.precise += d(*in.bias);
}

}  // namespace

void explain_norm(const Target& t, Explanation& e) {
  const NormInput in = norm_input(t);
  const auto width = static_cast<std::int64_t>(in.x.size());
  const std::string from = t.input_range(0, in.offset, in.offset + width);
  e.inputs = {t.input_cell(0, t.column), from};
  e.precise_meaning = "the same in float64";
  const bool is_rms = t.op.kind == OpKind::kRmsNorm;
  is_rms ? explain_rms_norm(t, in, from, e) : explain_layer_norm(t, in, from, e);
  std::string formula = is_rms ? "x * inverse" : "(x - mean) * inverse";
  std::vector<Operand> operands = {
      number("x", d(in.x[static_cast<std::size_t>(in.i)]), e.inputs[0]),
      number("inverse", e.steps.back().result)};
  const auto add_weight = [&](const char* name, const Tensor* tensor, const float* value) {
    if (!value) return;
    operands.push_back(
        number(name, d(*value), tensor->name + "[" + std::to_string(value - floats(tensor)) + "]"));
  };
  add_weight("weight", t.op.weight, in.weight);
  add_weight("bias", t.op.bias, in.bias);
  if (in.bias)
    formula = "fma(" + formula + ", weight, bias)";
  else if (in.weight)
    formula += " * weight";
  add_step(e, "this number", "y = " + formula, std::move(operands), d(e.derived), "y");
}

void explain_rope(const Target& t, Explanation& e) {
  const RopeSpec& spec = t.graph().ropes[static_cast<std::size_t>(t.op.rope)];
  const std::int64_t head_size = t.graph().info(t.op.output).width / t.op.heads;
  const std::int64_t offset = t.column / head_size * head_size;
  const std::int64_t i = t.column % head_size;
  const std::string head = "head " + std::to_string(t.column / head_size);
  e.precise_meaning = "the same in float64";
  if (i >= spec.n_rotated) {
    e.inputs = {t.input_cell(0, t.column)};
    e.summary = "Number " + std::to_string(i) + " of " + head + " is not rotated: only the first " +
                std::to_string(spec.n_rotated) + " are.";
    e.derived = t.input_at(0, t.column);
    e.precise = d(e.derived);
    add_step(e, "copied", "y = x", {number("x", d(e.derived), e.inputs[0])}, d(e.derived), "y");
    return;
  }
  const std::int64_t n_pairs = spec.n_rotated / 2;
  const bool interleaved = spec.layout == RopeLayout::kInterleaved;
  const std::int64_t pair = interleaved ? i / 2 : i % n_pairs;
  const scalar::RopePair places = scalar::rope_pair(spec.layout, pair, n_pairs);
  const bool is_long = !spec.long_frequencies.empty() && t.run.n_context() > spec.long_context;
  const double frequency =
      (is_long ? spec.long_frequencies : spec.frequencies)[static_cast<std::size_t>(pair)];
  const float scale = is_long ? spec.long_scale : spec.scale;
  const std::int32_t position = t.run.positions()[static_cast<std::size_t>(t.row)];
  float turn[2];  // cos, sin
  scalar::rope_table({&position, 1, &frequency, 2, scale, turn}, {0, 1});

  const float a = t.input_at(0, offset + places.first);
  const float b = t.input_at(0, offset + places.second);
  const std::string a_cell = t.input_cell(0, offset + places.first);
  const std::string b_cell = t.input_cell(0, offset + places.second);
  const bool is_first = i == places.first;
  e.inputs = {a_cell, b_cell};
  e.summary = "Numbers " + std::to_string(places.first) + " and " + std::to_string(places.second) +
              " of " + head + " are a pair, a point in a plane; the token stands at position " +
              std::to_string(position) + ", so it is turned by " + std::to_string(position) +
              " times " + short_text(frequency) + " radians.";
  const double angle = position * frequency;
  add_step(e, "the angle of this pair", "angle = position * frequency",
           {integer("position", position), number("frequency", frequency)}, angle, "angle");
  add_step(e, "its cosine and sine", scale == 1.0f ? "cos, sin" : "scale * cos, scale * sin",
           {number("scale", d(scale)), number("cos", d(turn[0])), number("sin", d(turn[1]))},
           is_first ? d(turn[0]) : d(turn[1]), is_first ? "cos" : "sin");
  e.derived = is_first ? scalar::rotated_first(a, b, turn[0], turn[1])
                       : scalar::rotated_second(a, b, turn[0], turn[1]);
  const double c = std::cos(angle) * d(scale);
  const double s = std::sin(angle) * d(scale);
  e.precise = is_first ? d(a) * c - d(b) * s : d(b) * c + d(a) * s;
  add_step(e, "the turned point",
           is_first ? "y = fma(a, cos, -(b * sin))" : "y = fma(b, cos, a * sin)",
           {number("a", d(a), a_cell), number("b", d(b), b_cell), number("cos", d(turn[0])),
            number("sin", d(turn[1]))},
           d(e.derived), "y");
}

void explain_softmax(const Target& t, Explanation& e) {
  const std::span<const float> x = t.input(0);
  const auto width = static_cast<std::int64_t>(x.size());
  const std::string from = t.input_range(0, 0, width);
  std::vector<float> y(x.size());
  scalar::softmax({x.data(), width, 1, width, y.data(), width}, {0, 1});
  const float highest = *std::max_element(x.begin(), x.end());
  double sum = 0;
  for (const float v : x) sum += std::exp(d(v) - d(highest));
  e.inputs = {t.input_cell(0, t.column), from};
  e.summary = "The share of " + e.inputs[0] + " among the " + std::to_string(width) +
              " of its row, which sum to 1.";
  e.derived = y[static_cast<std::size_t>(t.column)];
  e.precise = std::exp(d(t.input_at(0, t.column)) - d(highest)) / sum;
  e.precise_meaning = "the same in float64";
  add_step(e, "softmax of the row", "y_i = exp(x_i - max) / sum_j exp(x_j - max)",
           {list("x", x, from), number("max", d(highest))}, d(e.derived), "y");
}

}  // namespace galley::glass
