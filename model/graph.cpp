#include "model/graph.h"

#include "tensor/error.h"

namespace galley {

int Graph::find_op(const std::string& name) const {
  for (std::size_t i = 0; i < ops.size(); ++i)
    if (ops[i].name == name) return static_cast<int>(i);
  return -1;
}

std::string GraphBuilder::full_name(const std::string& name) const {
  return layer_ < 0 ? name : "blk." + std::to_string(layer_) + "." + name;
}

Value GraphBuilder::new_value(const std::string& name, Rows rows, std::int64_t width) {
  GALLEY_CHECK(width > 0, full_name(name) + " has no columns");
  ValueInfo value;
  value.name = full_name(name);
  value.rows = rows;
  value.width = width;
  value.writer = static_cast<int>(graph_.ops.size());
  graph_.values.push_back(std::move(value));
  return Value{static_cast<int>(graph_.values.size()) - 1};
}

Op& GraphBuilder::new_op(OpKind kind, const std::string& name, std::vector<Value> inputs, Rows rows,
                         std::int64_t width) {
  Op op;
  op.kind = kind;
  op.name = full_name(name);
  op.layer = layer_;
  op.inputs = std::move(inputs);
  op.output = new_value(name, rows, width);
  graph_.ops.push_back(std::move(op));
  return graph_.ops.back();
}

Value GraphBuilder::embed(const std::string& name, const Tensor& table) {
  Op& op = new_op(OpKind::kEmbed, name, {}, Rows::kTokens, table.cols());
  op.weight = &table;
  return op.output;
}

Value GraphBuilder::add_positions(const std::string& name, Value x, const Tensor& table) {
  GALLEY_CHECK(table.cols() == info(x).width, "width of the position embeddings");
  Op& op = new_op(OpKind::kAddPositions, name, {x}, info(x).rows, info(x).width);
  op.weight = &table;
  return op.output;
}

Value GraphBuilder::matmul(const std::string& name, Value x, const Tensor& w, const Tensor* bias) {
  GALLEY_CHECK(w.cols() == info(x).width, full_name(name) + ": " + w.name + " " + w.shape_string() +
                                              " on width " + std::to_string(info(x).width));
  Op& product =
      new_op(OpKind::kMatmul, bias ? name + "_product" : name, {x}, info(x).rows, w.rows());
  product.weight = &w;
  if (!bias) return product.output;
  const Value y = product.output;
  Op& op = new_op(OpKind::kAddBias, name, {y}, info(y).rows, w.rows());
  GALLEY_CHECK(bias->n_elements() == w.rows(), op.name + ": bias " + bias->shape_string());
  op.bias = bias;
  return op.output;
}

Value GraphBuilder::add(const std::string& name, Value a, Value b) {
  GALLEY_CHECK(info(a).width == info(b).width && info(a).rows == info(b).rows,
               full_name(name) + ": shapes differ");
  return new_op(OpKind::kAdd, name, {a, b}, info(a).rows, info(a).width).output;
}

Value GraphBuilder::scale(const std::string& name, Value x, float factor) {
  Op& op = new_op(OpKind::kScale, name, {x}, info(x).rows, info(x).width);
  op.factor = factor;
  return op.output;
}

Value GraphBuilder::scale_rows(const std::string& name, Value x, Value factors) {
  GALLEY_CHECK(info(factors).width == 1 && info(factors).rows == info(x).rows,
               full_name(name) + ": factors");
  return new_op(OpKind::kScaleRows, name, {x, factors}, info(x).rows, info(x).width).output;
}

Value GraphBuilder::scale_by_position(const std::string& name, Value x, float factor,
                                      std::int64_t interval) {
  GALLEY_CHECK(interval > 0 && info(x).rows == Rows::kTokens, full_name(name) + ": positions");
  Op& op = new_op(OpKind::kScaleByPosition, name, {x}, info(x).rows, info(x).width);
  op.factor = factor;
  op.interval = interval;
  return op.output;
}

Value GraphBuilder::softcap(const std::string& name, Value x, float cap) {
  Op& op = new_op(OpKind::kSoftcap, name, {x}, info(x).rows, info(x).width);
  op.factor = cap;
  return op.output;
}

Value GraphBuilder::rms_norm(const std::string& name, Value x, const Tensor* weight,
                             std::int64_t heads) {
  GALLEY_CHECK(info(x).width % heads == 0, full_name(name) + ": heads");
  GALLEY_CHECK(!weight || weight->n_elements() == info(x).width / heads,
               full_name(name) + ": weight");
  Op& op = new_op(OpKind::kRmsNorm, name, {x}, info(x).rows, info(x).width);
  op.weight = weight;
  op.heads = heads;
  op.eps = config_->norm_eps;
  return op.output;
}

Value GraphBuilder::layer_norm(const std::string& name, Value x, const Tensor* weight,
                               const Tensor* bias, std::int64_t heads) {
  GALLEY_CHECK(info(x).width % heads == 0, full_name(name) + ": heads");
  for (const Tensor* t : {weight, bias})
    GALLEY_CHECK(!t || t->n_elements() == info(x).width || t->n_elements() == info(x).width / heads,
                 full_name(name) + ": " + t->name);
  Op& op = new_op(OpKind::kLayerNorm, name, {x}, info(x).rows, info(x).width);
  op.weight = weight;
  op.bias = bias;
  op.heads = heads;
  op.eps = config_->norm_eps;
  return op.output;
}

int GraphBuilder::add_rope(RopeSpec spec) {
  GALLEY_CHECK(static_cast<std::int64_t>(spec.frequencies.size()) * 2 == spec.n_rotated,
               "frequencies of a RopeSpec");
  graph_.ropes.push_back(std::move(spec));
  return static_cast<int>(graph_.ropes.size()) - 1;
}

Value GraphBuilder::rope(const std::string& name, Value x, std::int64_t heads, int rope_index) {
  const RopeSpec& spec = graph_.ropes[static_cast<std::size_t>(rope_index)];
  GALLEY_CHECK(info(x).width % heads == 0 && spec.n_rotated <= info(x).width / heads,
               full_name(name) + ": rotated dimensions");
  Op& op = new_op(OpKind::kRope, name, {x}, info(x).rows, info(x).width);
  op.heads = heads;
  op.rope = rope_index;
  return op.output;
}

Value GraphBuilder::slice(const std::string& name, Value x, std::int64_t offset,
                          std::int64_t width) {
  GALLEY_CHECK(offset >= 0 && offset + width <= info(x).width, full_name(name) + ": slice");
  const Value out = new_op(OpKind::kSlice, name, {x}, info(x).rows, width).output;
  ValueInfo& value = graph_.values[static_cast<std::size_t>(out.id)];
  value.parent = x.id;
  value.offset = offset;
  return out;
}

CacheLayer& GraphBuilder::cache_layer() {
  GALLEY_CHECK(layer_ >= 0, "the cache belongs to layers");
  if (graph_.cache_layers.empty() || graph_.cache_layers.back().layer != layer_)
    graph_.cache_layers.push_back(CacheLayer{.layer = layer_});
  return graph_.cache_layers.back();
}

Value GraphBuilder::store_k(Value k, std::int64_t n_kv_heads) {
  CacheLayer& layer = cache_layer();
  layer.n_kv_heads = n_kv_heads;
  layer.head_size_k = info(k).width / n_kv_heads;
  const int index = static_cast<int>(graph_.cache_layers.size()) - 1;
  Op& op = new_op(OpKind::kStoreK, "cache_k", {k}, info(k).rows, info(k).width);
  op.cache_layer = index;
  graph_.values.back().cache_layer = index;
  return op.output;
}

Value GraphBuilder::store_v(Value v, std::int64_t n_kv_heads) {
  CacheLayer& layer = cache_layer();
  GALLEY_CHECK(layer.n_kv_heads == n_kv_heads, "store_k comes before store_v");
  layer.head_size_v = info(v).width / n_kv_heads;
  const int index = static_cast<int>(graph_.cache_layers.size()) - 1;
  Op& op = new_op(OpKind::kStoreV, "cache_v", {v}, info(v).rows, info(v).width);
  op.cache_layer = index;
  graph_.values.back().cache_layer = index;
  return op.output;
}

Value GraphBuilder::attention(const std::string& name, Value q, Value cached_k, Value cached_v,
                              std::int64_t n_heads, const AttentionSpec& spec) {
  CacheLayer& layer = cache_layer();
  GALLEY_CHECK(info(q).width == n_heads * layer.head_size_k && n_heads % layer.n_kv_heads == 0,
               full_name(name) + ": width of q");
  layer.window = spec.window;
  Op& op = new_op(OpKind::kAttention, name, {q, cached_k, cached_v}, info(q).rows,
                  n_heads * layer.head_size_v);
  op.heads = n_heads;
  op.attention = spec;
  op.cache_layer = static_cast<int>(graph_.cache_layers.size()) - 1;
  return op.output;
}

Value GraphBuilder::activate(const std::string& name, Activation f, Value x) {
  Op& op = new_op(OpKind::kActivate, name, {x}, info(x).rows, info(x).width);
  op.activation = f;
  return op.output;
}

Value GraphBuilder::gate(const std::string& name, Activation f, Value gate, Value up) {
  GALLEY_CHECK(info(gate).width == info(up).width, full_name(name) + ": widths differ");
  Op& op = new_op(OpKind::kGate, name, {gate, up}, info(up).rows, info(up).width);
  op.activation = f;
  return op.output;
}

Value GraphBuilder::softmax(const std::string& name, Value x) {
  return new_op(OpKind::kSoftmax, name, {x}, info(x).rows, info(x).width).output;
}

Value GraphBuilder::select_outputs(const std::string& name, Value x) {
  return new_op(OpKind::kSelectOutputs, name, {x}, Rows::kOutputs, info(x).width).output;
}

Value GraphBuilder::route_experts(const std::string& name, Value scores, const RouteSpec& spec) {
  GALLEY_CHECK(spec.n_used >= 1 && spec.n_used <= info(scores).width, full_name(name));
  Op& op = new_op(OpKind::kRouteExperts, name, {scores}, info(scores).rows, 2 * spec.n_used);
  op.route = spec;
  return op.output;
}

Value GraphBuilder::expert_matmul(const std::string& name, Value x, Value routes, const Tensor& w,
                                  std::int64_t n_used) {
  GALLEY_CHECK(w.shape.size() == 3, full_name(name) + ": " + w.name + " is not per expert");
  GALLEY_CHECK(info(x).width == w.cols() || info(x).width == n_used * w.cols(),
               full_name(name) + ": width of the input");
  Op& op = new_op(OpKind::kExpertMatmul, name, {x, routes}, info(x).rows, n_used * w.shape[1]);
  op.weight = &w;
  op.route.n_used = n_used;
  return op.output;
}

Value GraphBuilder::combine_experts(const std::string& name, Value x, Value routes,
                                    std::int64_t n_used) {
  GALLEY_CHECK(info(x).width % n_used == 0, full_name(name) + ": width of the input");
  Op& op = new_op(OpKind::kCombineExperts, name, {x, routes}, info(x).rows, info(x).width / n_used);
  op.route.n_used = n_used;
  return op.output;
}

Graph GraphBuilder::finish(Value logits) {
  GALLEY_CHECK(info(logits).rows == Rows::kOutputs, "logits are made of selected outputs");
  graph_.logits = logits;
  return std::move(graph_);
}

}  // namespace galley
