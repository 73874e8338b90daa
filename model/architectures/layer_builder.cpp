#include "model/architectures/layer_builder.h"

#include <cmath>

#include "model/architectures/builders.h"

namespace galley {

LayerBuilder::LayerBuilder(GraphBuilder& g, const Config& c, Weights& w, int layer, Biases biases)
    : g_(g), c_(c), w_(w), layer_(layer), biases_(biases) {
  g_.enter(layer);
}

std::string LayerBuilder::tensor(const std::string& suffix) const {
  return block_tensor(layer_, suffix);
}

Value LayerBuilder::rms_norm(const std::string& name, Value x) {
  return g_.rms_norm(name, x, &w_.vector(tensor(name + ".weight"), g_.width(x)));
}

Value LayerBuilder::layer_norm(const std::string& name, Value x) {
  return g_.layer_norm(name, x, &w_.vector(tensor(name + ".weight"), g_.width(x)),
                       &w_.vector(tensor(name + ".bias"), g_.width(x)));
}

Value LayerBuilder::layer_norm_without_bias(const std::string& name, Value x) {
  return g_.layer_norm(name, x, &w_.vector(tensor(name + ".weight"), g_.width(x)), nullptr);
}

Value LayerBuilder::linear(const std::string& name, const std::string& source, Value x,
                           std::int64_t rows) {
  const Tensor& weight = w_.matrix(tensor(source + ".weight"), rows, g_.width(x));
  const std::string bias = tensor(source + ".bias");
  return g_.matmul(
      name, x, weight,
      biases_ == Biases::kNeeded ? &w_.vector(bias, rows) : w_.vector_or_null(bias, rows));
}

Qkv LayerBuilder::qkv(Value h) {
  const std::int64_t q_width = c_.n_heads * c_.head_size_k;
  const std::int64_t k_width = c_.n_kv_heads * c_.head_size_k;
  const std::int64_t v_width = c_.n_kv_heads * c_.head_size_v;
  const bool is_split = w_.has(tensor("attn_q.weight")) || w_.has(tensor("attn_k.weight"));
  if (is_split)
    return {linear("q", "attn_q", h, q_width), linear("k", "attn_k", h, k_width),
            linear("v", "attn_v", h, v_width)};
  const Value all = linear("qkv", "attn_qkv", h, q_width + k_width + v_width);
  return {g_.slice("q", all, 0, q_width), g_.slice("k", all, q_width, k_width),
          g_.slice("v", all, q_width + k_width, v_width)};
}

void LayerBuilder::rope(Qkv& qkv, int rope_index) {
  qkv.q = g_.rope("q_rope", qkv.q, c_.n_heads, rope_index);
  qkv.k = g_.rope("k_rope", qkv.k, c_.n_kv_heads, rope_index);
}

void LayerBuilder::rms_norm_qk(Qkv& qkv) {
  const auto weight = [this](const char* name, Value x) {
    return &w_.vector(tensor(name), g_.width(x));
  };
  qkv.q = g_.rms_norm("q_norm", qkv.q, weight("attn_q_norm.weight", qkv.q));
  qkv.k = g_.rms_norm("k_norm", qkv.k, weight("attn_k_norm.weight", qkv.k));
}

void LayerBuilder::rms_norm_heads(Qkv& qkv) {
  const Tensor& q_weight = w_.vector(tensor("attn_q_norm.weight"), c_.head_size_k);
  const Tensor& k_weight = w_.vector(tensor("attn_k_norm.weight"), c_.head_size_k);
  qkv.q = g_.rms_norm("q_norm", qkv.q, &q_weight, c_.n_heads);
  qkv.k = g_.rms_norm("k_norm", qkv.k, &k_weight, c_.n_kv_heads);
}

void LayerBuilder::layer_norm_heads(Qkv& qkv) {
  if (const Tensor* weight = w_.values_or_null(tensor("attn_q_norm.weight"), g_.width(qkv.q)))
    qkv.q = g_.layer_norm("q_norm", qkv.q, weight, nullptr, c_.n_heads);
  if (const Tensor* weight = w_.values_or_null(tensor("attn_k_norm.weight"), g_.width(qkv.k)))
    qkv.k = g_.layer_norm("k_norm", qkv.k, weight, nullptr, c_.n_kv_heads);
}

Value LayerBuilder::attention(const Qkv& qkv, const AttentionSpec& spec) {
  const Value cached_k = g_.store_k(qkv.k, c_.n_kv_heads);
  const Value cached_v = g_.store_v(qkv.v, c_.n_kv_heads);
  const Value a = g_.attention("attn", qkv.q, cached_k, cached_v, c_.n_heads, spec);
  return linear("attn_out", "attn_output", a, c_.width);
}

Value LayerBuilder::ffn(Value h, Activation f) {
  const Value up = linear("ffn_up", "ffn_up", h, c_.ffn_width);
  return linear("ffn_out", "ffn_down", g_.activate("ffn_act", f, up), c_.width);
}

Value LayerBuilder::gated_ffn(Value h, Activation f, std::int64_t ffn_width,
                              const std::string& suffix) {
  const Value gate = linear("ffn_gate" + suffix, "ffn_gate" + suffix, h, ffn_width);
  const Value up = linear("ffn_up" + suffix, "ffn_up" + suffix, h, ffn_width);
  const Value act = g_.gate("ffn_act" + suffix, f, gate, up);
  return linear("ffn_out" + suffix, "ffn_down" + suffix, act, c_.width);
}

Value LayerBuilder::fused_gated_ffn(Value h, Activation f) {
  const Value both = linear("ffn_gate_up", "ffn_up", h, 2 * c_.ffn_width);
  const Value gate = g_.slice("ffn_gate", both, 0, c_.ffn_width);
  const Value up = g_.slice("ffn_up", both, c_.ffn_width, c_.ffn_width);
  return linear("ffn_out", "ffn_down", g_.gate("ffn_act", f, gate, up), c_.width);
}

Value LayerBuilder::experts(Value h, const ExpertsSpec& spec) {
  const std::int64_t n = c_.n_experts_used;
  const Value scores =
      g_.matmul("ffn_router", h, w_.matrix(tensor("ffn_gate_inp.weight"), c_.n_experts, c_.width));
  const Value routes =
      g_.route_experts("ffn_routes", scores, RouteSpec{.n_used = n, .normalize = spec.normalize});
  const auto product = [&](const char* name, Value x, const char* source, std::int64_t rows,
                           std::int64_t cols) {
    return g_.expert_matmul(name, x, routes, w_.experts(tensor(source), c_.n_experts, rows, cols),
                            n);
  };
  const Value gate = product("ffn_gate_exps", h, "ffn_gate_exps.weight", spec.ffn_width, c_.width);
  const Value up = product("ffn_up_exps", h, "ffn_up_exps.weight", spec.ffn_width, c_.width);
  const Value act = g_.gate("ffn_act_exps", spec.activation, gate, up);
  const Value down =
      product("ffn_down_exps", act, "ffn_down_exps.weight", c_.width, spec.ffn_width);
  return g_.combine_experts("ffn_out_exps", down, routes, n);
}

AttentionSpec scaled_attention(const Config& c) {
  AttentionSpec spec;
  spec.scale = 1.0f / std::sqrt(static_cast<float>(c.head_size_k));
  return spec;
}

}  // namespace galley
