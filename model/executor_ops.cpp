// From an op of the graph to a call of its kernel.
#include <cmath>
#include <cstring>

#include "kernels/share.h"
#include "model/executor.h"
#include "tensor/dequantize.h"
#include "tensor/error.h"

namespace galley {
namespace {

const float* floats(const Tensor* tensor) {
  return tensor ? reinterpret_cast<const float*>(tensor->data) : nullptr;
}

}  // namespace

kernels::QuantizedRows Executor::quantized_rows(std::int64_t begin, std::int64_t n,
                                                std::int64_t cols) const {
  return {quantized_.data() + kernels::quantized_rows_bytes(begin, cols), n};
}

void Executor::run_op(const Op& op, Part part) {
  using namespace kernels;
  if (op.kind == OpKind::kStoreK || op.kind == OpKind::kStoreV) return store(op, part);
  const Rowset y = at(op.output);
  if (y.rows == 0) return;  // no logits asked for
  const Rowset x = op.inputs.empty() ? y : at(op.inputs[0]);
  const std::int64_t head_width = x.width / op.heads;
  switch (op.kind) {
    case OpKind::kEmbed:
      return embed(op, part);
    case OpKind::kAddPositions:
      return add_positions(op, part);
    case OpKind::kAddBias:
      return kernels_.add({x.data, x.stride, floats(op.bias), 0, x.rows, x.width, y.data, y.stride},
                          part);
    case OpKind::kAdd: {
      const Rowset b = at(op.inputs[1]);
      return kernels_.add({x.data, x.stride, b.data, b.stride, x.rows, x.width, y.data, y.stride},
                          part);
    }
    case OpKind::kScale:
      return kernels_.scale({x.data, x.stride, x.rows, x.width, op.factor, y.data, y.stride}, part);
    case OpKind::kScaleRows:
      return scale_rows(op, part);
    case OpKind::kScaleByPosition:
      return scale_by_position(op, part);
    case OpKind::kSoftcap:
      return kernels_.softcap({x.data, x.stride, x.rows, x.width, op.factor, y.data, y.stride},
                              part);
    case OpKind::kRmsNorm:
      return kernels_.rms_norm({x.data, x.stride, x.rows, op.heads, head_width, floats(op.weight),
                                op.eps, y.data, y.stride},
                               part);
    case OpKind::kLayerNorm: {
      const bool shared = !op.weight || op.weight->n_elements() == head_width;
      return kernels_.layer_norm(
          {x.data, x.stride, x.rows, op.heads, head_width, floats(op.weight), floats(op.bias),
           shared ? 0 : head_width, op.eps, y.data, y.stride},
          part);
    }
    case OpKind::kRope: {
      const RopeSpec& spec = graph_.ropes[static_cast<std::size_t>(op.rope)];
      return kernels_.rope(
          {x.data, x.stride, x.rows, op.heads, head_width, spec.n_rotated, spec.layout,
           rope_tables_[static_cast<std::size_t>(op.rope)].floats(), y.data, y.stride},
          part);
    }
    case OpKind::kAttention:
      return attention(op, part);
    case OpKind::kActivate:
      return kernels_.activate(
          {op.activation, x.data, x.stride, nullptr, 0, x.rows, x.width, y.data, y.stride}, part);
    case OpKind::kGate: {
      const Rowset up = at(op.inputs[1]);
      return kernels_.activate(
          {op.activation, x.data, x.stride, up.data, up.stride, x.rows, x.width, y.data, y.stride},
          part);
    }
    case OpKind::kSoftmax:
      return kernels_.softmax({x.data, x.stride, x.rows, x.width, y.data, y.stride}, part);
    case OpKind::kSelectOutputs:
      return select_outputs(op, part);
    case OpKind::kRouteExperts:
      return route_experts(op, part);
    case OpKind::kExpertMatmul:
      return expert_matmul(op, part);
    case OpKind::kCombineExperts:
      return combine_experts(op, part);
    case OpKind::kMatmul:
    case OpKind::kSlice:
    case OpKind::kStoreK:
    case OpKind::kStoreV:
      return;
  }
}

void Executor::embed(const Op& op, Part part) {
  const Rowset y = at(op.output);
  const kernels::Range range = kernels::share(y.rows, part);
  for (std::int64_t t = range.begin; t < range.end; ++t)
    dequantize_row(op.weight->type, op.weight->row(batch_.ids[static_cast<std::size_t>(t)]),
                   {y.row(t), static_cast<std::size_t>(y.width)});
}

void Executor::add_positions(const Op& op, Part part) {
  const Rowset x = at(op.inputs[0]);
  const Rowset y = at(op.output);
  const kernels::Range range = kernels::share(y.rows, part);
  for (std::int64_t t = range.begin; t < range.end; ++t) {
    const std::byte* row = op.weight->row(batch_.positions[static_cast<std::size_t>(t)]);
    dequantize_row(op.weight->type, row, {y.row(t), static_cast<std::size_t>(y.width)});
    for (std::int64_t i = 0; i < y.width; ++i) y.row(t)[i] += x.row(t)[i];
  }
}

void Executor::quantize_input(const Op& op, bool with_remainder, Part part) {
  const Rowset x = at(op.inputs[0]);
  if (x.rows == 0) return;
  const kernels::QuantizedRows out = quantized_rows(0, x.rows, x.width);
  if (!with_remainder) {
    kernels_.quantize_rows({x.data, x.stride, x.rows, x.width, out}, part);
    return;
  }
  const kernels::QuantizedRows remainders = quantized_rows(x.rows, x.rows, x.width);
  const kernels::Range range = kernels::share(x.rows, part);
  for (std::int64_t t = range.begin; t < range.end; ++t)
    quantize_row(x.row(t), x.width, t, out, &remainders, part);
}

void Executor::quantize_row(const float* x, std::int64_t cols, std::int64_t t,
                            const kernels::QuantizedRows& out,
                            const kernels::QuantizedRows* remainders, Part part) {
  float* rest = remainders ? remainder_rows_.floats() + max_cols_ * part.index : nullptr;
  kernels_.quantize_rows({x, cols, 1, cols, out, t, rest}, {0, 1});
  if (remainders) kernels_.quantize_rows({rest, cols, 1, cols, *remainders, t}, {0, 1});
}

void Executor::add_remainder(const Op& op, Part part) {
  const Rowset y = at(op.output);
  kernels_.add({y.data, y.stride, remainders_.floats(), y.width, y.rows, y.width, y.data, y.stride},
               part);
}

void Executor::matmul(const Op& op, kernels::Bytes soon, Part part) {
  const Rowset x = at(op.inputs[0]);
  const Rowset y = at(op.output);
  if (y.rows == 0) return;  // no logits asked for
  kernels::MatmulArgs args;
  args.type = op.weight->type;
  args.weights = op.weight->data;
  args.rows = op.weight->rows();
  args.cols = op.weight->cols();
  args.tokens = x.rows;
  args.x = x.data;
  args.x_stride = x.stride;
  if (kernels::uses_quantized_rows(args.type)) args.xq = quantized_rows(0, x.rows, x.width);
  args.y = y.data;
  args.y_stride = y.stride;
  args.scratch = scratch(part);
  args.rounds_to_bf16 = rounds_input_to_bf16(*op.weight);
  args.next = soon;
  kernels_.matmul(args, part);
  if (!rounds_input_twice(*op.weight)) return;
  args.xq = quantized_rows(x.rows, x.rows, x.width);
  args.y = remainders_.floats();
  args.y_stride = y.width;
  kernels_.matmul(args, part);
}

void Executor::scale_rows(const Op& op, Part part) {
  const Rowset x = at(op.inputs[0]);
  const Rowset factors = at(op.inputs[1]);
  const Rowset y = at(op.output);
  const kernels::Range range = kernels::share(y.rows, part);
  for (std::int64_t r = range.begin; r < range.end; ++r)
    kernels_.scale({x.row(r), x.stride, 1, x.width, *factors.row(r), y.row(r), y.stride}, {0, 1});
}

void Executor::scale_by_position(const Op& op, Part part) {
  const Rowset x = at(op.inputs[0]);
  const Rowset y = at(op.output);
  const kernels::Range range = kernels::share(y.rows, part);
  for (std::int64_t t = range.begin; t < range.end; ++t) {
    const std::int64_t steps = batch_.positions[static_cast<std::size_t>(t)] / op.interval;
    const double growth = static_cast<double>(op.factor) * std::log1p(static_cast<double>(steps));
    kernels_.scale(
        {x.row(t), x.stride, 1, x.width, static_cast<float>(1 + growth), y.row(t), y.stride},
        {0, 1});
  }
}

void Executor::select_outputs(const Op& op, Part part) {
  const Rowset x = at(op.inputs[0]);
  const Rowset y = at(op.output);
  const kernels::Range range = kernels::share(y.rows, part);
  for (std::int64_t o = range.begin; o < range.end; ++o)
    std::memcpy(y.row(o), x.row(batch_.outputs[static_cast<std::size_t>(o)]),
                static_cast<std::size_t>(y.width) * sizeof(float));
}

void Executor::store(const Op& op, Part part) {
  const Rowset x = at(op.inputs[0]);
  kernels::StoreKvArgs args;
  args.x = x.data;
  args.x_stride = x.stride;
  args.tokens = x.rows;
  args.n_kv_heads = graph_.cache_layers[static_cast<std::size_t>(op.cache_layer)].n_kv_heads;
  args.positions = batch_.positions.data();
  args.sequences = batch_.sequences.data();
  args.out = op.kind == OpKind::kStoreK ? cache_.k(op.cache_layer) : cache_.v(op.cache_layer);
  kernels_.store_kv(args, part);
}

void Executor::attention(const Op& op, Part part) {
  const Rowset q = at(op.inputs[0]);
  const Rowset y = at(op.output);
  kernels::AttentionArgs args;
  args.q = q.data;
  args.q_stride = q.stride;
  args.tokens = q.rows;
  args.n_heads = op.heads;
  args.n_kv_heads = graph_.cache_layers[static_cast<std::size_t>(op.cache_layer)].n_kv_heads;
  args.positions = batch_.positions.data();
  args.sequences = batch_.sequences.data();
  args.k = cache_.k(op.cache_layer);
  args.v = cache_.v(op.cache_layer);
  args.scale = op.attention.scale;
  args.softcap = op.attention.softcap;
  args.window = op.attention.window;
  args.sinks = floats(op.attention.sinks);
  args.out = y.data;
  args.out_stride = y.stride;
  args.scratch = scratch(part);
  kernels_.attention(args, part);
}

}  // namespace galley
