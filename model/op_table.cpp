#include "model/op_table.h"

#include <algorithm>
#include <array>

#include "tensor/error.h"

namespace galley {
namespace {

constexpr std::array kTable = {
    OpKindInfo{OpKind::kEmbed, "embed", "y[t] = E[id[t]]", "[T] -> [T, width]",
               "Turns a token id into a vector: its row of the embedding table. Everything the "
               "model knows of the token before it has looked at any other is in this row.",
               "tokenizer.md"},
    OpKindInfo{OpKind::kAddPositions, "add positions", "y[t] = x[t] + P[position[t]]",
               "[T, width] -> [T, width]",
               "Tells each token where it stands by adding a learned vector for its position; "
               "attention by itself does not see order.",
               "rope.md"},
    OpKindInfo{OpKind::kMatmul, "matmul", "y[t, r] = sum_c W[r, c] x[t, c]",
               "[T, cols] -> [T, rows]",
               "The product with a weight matrix, where nearly all of a model's numbers are. In "
               "decode its speed is the speed of reading the weights from memory, in prefill that "
               "of multiplying.",
               "kernels.md"},
    OpKindInfo{OpKind::kAddBias, "add bias", "y[t, i] = x[t, i] + b[i]", "[T, width] -> [T, width]",
               "Shifts every token's vector by the same learned row.", "kernels.md"},
    OpKindInfo{OpKind::kAdd, "add", "y[t, i] = a[t, i] + b[t, i]", "[T, width] -> [T, width]",
               "The residual connection: a layer adds to the stream of vectors that runs through "
               "the model, it does not replace it.",
               "norms-and-activations.md"},
    OpKindInfo{OpKind::kScale, "scale", "y = x * factor", "[T, width] -> [T, width]",
               "Brings values to the size that the next part was trained with.",
               "norms-and-activations.md"},
    OpKindInfo{OpKind::kScaleRows, "scale rows", "y[t] = x[t] * factor[t]",
               "[T, width], [T, 1] -> [T, width]",
               "Weighs each token's vector by a number of its own.", "norms-and-activations.md"},
    OpKindInfo{OpKind::kScaleByPosition, "scale by position",
               "y[t] = x[t] * (1 + factor * log(1 + floor(position[t] / interval)))",
               "[T, width] -> [T, width]",
               "Sharpens the attention of tokens far into a text, which have more positions to "
               "choose from.",
               "attention.md"},
    OpKindInfo{OpKind::kSoftcap, "soft cap", "y = cap * tanh(x / cap)", "[T, width] -> [T, width]",
               "Keeps values within (-cap, cap) without a sharp edge, so that no single logit "
               "can run away.",
               "norms-and-activations.md"},
    OpKindInfo{OpKind::kRmsNorm, "RMS norm", "y = x / sqrt(mean(x^2) + eps) * w",
               "[T, width] -> [T, width]",
               "Gives every vector the same length before it enters a part of a layer, so that "
               "depth does not make values grow or vanish.",
               "norms-and-activations.md"},
    OpKindInfo{OpKind::kLayerNorm, "layer norm", "y = (x - mean(x)) / sqrt(var(x) + eps) * w + b",
               "[T, width] -> [T, width]",
               "Gives every vector mean 0 and variance 1 before it enters a part of a layer.",
               "norms-and-activations.md"},
    OpKindInfo{
        OpKind::kRope, "RoPE", "(a, b) -> (a cos m f - b sin m f, a sin m f + b cos m f)",
        "[T, heads * head_size] -> the same",
        "Rotates pairs of a query's or key's values by angles that grow with the position m, "
        "so that their dot product depends on the distance between two tokens.",
        "rope.md"},
    OpKindInfo{OpKind::kStoreK, "store keys", "cache_k[position[t]] = k[t]",
               "[T, kv_heads * head_size] -> cache",
               "Keeps the keys, so that later tokens can look at this one without computing it "
               "again.",
               "attention.md"},
    OpKindInfo{OpKind::kStoreV, "store values", "cache_v[position[t]] = v[t]",
               "[T, kv_heads * head_size] -> cache",
               "Keeps the values, which later tokens that look at this one will take from it.",
               "attention.md"},
    OpKindInfo{OpKind::kAttention, "attention",
               "y[t, h] = sum_p softmax_p(q[t, h] . k[p, h] * scale) v[p, h]",
               "[T, heads * head_size], cache -> [T, heads * head_size]",
               "Where tokens look at one another: each head compares the query with every cached "
               "key and takes a mixture of the values, most of it from the best matches.",
               "attention.md"},
    OpKindInfo{OpKind::kActivate, "activation", "y = f(x)", "[T, width] -> [T, width]",
               "The bend between two products: without it the whole model would be one matrix.",
               "norms-and-activations.md"},
    OpKindInfo{OpKind::kGate, "gated activation", "y = f(gate) * up",
               "[T, width] x 2 -> [T, width]",
               "The bend of gated models: one product decides how much of the other passes.",
               "norms-and-activations.md"},
    OpKindInfo{OpKind::kSlice, "slice", "y[t] = x[t, offset : offset + width]",
               "[T, wide] -> [T, width]",
               "Names a part of a fused product, such as the queries in Q, K and V; nothing is "
               "copied.",
               "names.md"},
    OpKindInfo{OpKind::kSelectOutputs, "select outputs", "y[o] = x[output[o]]",
               "[T, width] -> [O, width]",
               "Keeps the rows whose logits somebody wants: in a prompt, only the last token's.",
               "names.md"},
    OpKindInfo{OpKind::kSoftmax, "softmax", "y_i = exp(x_i) / sum_j exp(x_j)",
               "[T, width] -> [T, width]", "Turns scores into shares that sum to 1.",
               "attention.md"},
    OpKindInfo{OpKind::kRouteExperts, "route", "the n highest scores and their softmax weights",
               "[T, experts] -> [T, 2 n]",
               "Chooses the few experts that will work on each token, and how much each counts.",
               "models.md"},
    OpKindInfo{OpKind::kExpertMatmul, "expert matmul", "y[t, e] = W[chosen[t, e]] x[t]",
               "[T, cols] -> [T, n * rows]",
               "The product with the matrices of the chosen experts only: a large model at the "
               "cost of a small one.",
               "models.md"},
    OpKindInfo{OpKind::kCombineExperts, "combine experts", "y[t] = sum_e weight[t, e] x[t, e]",
               "[T, n * width] -> [T, width]", "Adds up what the chosen experts made of a token.",
               "models.md"},
};

constexpr bool is_in_order() {
  for (std::size_t i = 0; i < kTable.size(); ++i)
    if (kTable[i].kind != static_cast<OpKind>(i)) return false;
  return kTable.back().kind == OpKind::kCombineExperts;
}
static_assert(is_in_order(), "one entry per kind, in the order of the enumeration");

// Positions that a batch's tokens look at, summed over the tokens.
std::int64_t positions_seen(std::int64_t n_tokens, std::int64_t n_cached, std::int64_t window) {
  std::int64_t sum = 0;
  for (std::int64_t t = 0; t < n_tokens; ++t) {
    const std::int64_t all = n_cached + t + 1;
    sum += window > 0 ? std::min(all, window) : all;
  }
  return sum;
}

OpCost attention_cost(const Graph& graph, const Op& op, std::int64_t n_tokens,
                      std::int64_t n_cached, DType kv_type) {
  const CacheLayer& layer = graph.cache_layers[static_cast<std::size_t>(op.cache_layer)];
  const std::int64_t head_sizes = layer.head_size_k + layer.head_size_v;
  const DTypeInfo& info = dtype_info(kv_type);
  OpCost cost;
  cost.macs = positions_seen(n_tokens, n_cached, layer.window) * op.heads * head_sizes;
  std::int64_t positions = n_cached + n_tokens;
  if (layer.window > 0) positions = std::min(positions, layer.window + n_tokens - 1);
  cost.cache_bytes =
      positions * layer.n_kv_heads * head_sizes * info.block_bytes / info.block_elements;
  return cost;
}

}  // namespace

const OpKindInfo& op_kind_info(OpKind kind) { return kTable[static_cast<std::size_t>(kind)]; }

std::span<const OpKindInfo> all_op_kinds() { return kTable; }

OpCost op_cost(const Graph& graph, const Op& op, std::int64_t n_tokens, std::int64_t n_outputs,
               std::int64_t n_cached, DType kv_type) {
  const ValueInfo& out = graph.info(op.output);
  const std::int64_t rows = out.rows == Rows::kTokens ? n_tokens : n_outputs;
  if (op.kind == OpKind::kSlice) return {};
  OpCost cost;
  if (op.kind == OpKind::kAttention) cost = attention_cost(graph, op, n_tokens, n_cached, kv_type);
  std::int64_t widths = out.width;
  for (Value input : op.inputs)
    if (graph.info(input).cache_layer < 0) widths += graph.info(input).width;
  cost.activation_bytes = rows * widths * static_cast<std::int64_t>(sizeof(float));
  switch (op.kind) {
    case OpKind::kMatmul:
      cost.macs = rows * op.weight->n_elements();
      cost.weight_bytes = rows > 0 ? op.weight->n_bytes : 0;
      break;
    case OpKind::kExpertMatmul: {
      const std::int64_t n_experts = op.weight->shape[0];
      cost.macs = rows * op.route.n_used * (op.weight->n_elements() / n_experts);
      cost.weight_bytes =
          op.weight->n_bytes / n_experts * std::min(n_experts, rows * op.route.n_used);
      break;
    }
    case OpKind::kEmbed:
    case OpKind::kAddPositions:
      cost.weight_bytes = rows * row_bytes(op.weight->type, op.weight->cols());
      break;
    case OpKind::kStoreK:
    case OpKind::kStoreV: {
      const DTypeInfo& info = dtype_info(kv_type);
      cost.cache_bytes = rows * out.width * info.block_bytes / info.block_elements;
      cost.activation_bytes = rows * out.width * static_cast<std::int64_t>(sizeof(float));
      break;
    }
    default:
      if (op.weight) cost.weight_bytes = op.weight->n_bytes;
      if (op.bias) cost.weight_bytes += op.bias->n_bytes;
      break;
  }
  return cost;
}

}  // namespace galley
