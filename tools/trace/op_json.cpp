#include "tools/trace/op_json.h"

#include <nlohmann/json.hpp>

#include "tools/trace/numbers.h"

namespace galley::trace {
namespace {

using Json = nlohmann::ordered_json;

Json tensor_json(const Tensor& tensor) {
  return {{"name", tensor.name},
          {"type", dtype_info(tensor.type).name},
          {"shape", tensor.shape},
          {"bytes", tensor.n_bytes}};
}

// The numbers that belong to this kind of op, such as the epsilon of a norm.
Json parameters_json(const Graph& graph, const Op& op) {
  Json json = Json::object();
  switch (op.kind) {
    case OpKind::kRmsNorm:
    case OpKind::kLayerNorm:
      json["eps"] = short_number(static_cast<double>(op.eps));
      json["heads"] = op.heads;
      break;
    case OpKind::kRope: {
      const RopeSpec& spec = graph.ropes[static_cast<std::size_t>(op.rope)];
      json["heads"] = op.heads;
      json["n_rotated"] = spec.n_rotated;
      json["pairs"] = spec.layout == RopeLayout::kInterleaved ? "neighbours" : "halves";
      break;
    }
    case OpKind::kAttention:
      json["heads"] = op.heads;
      json["scale"] = short_number(static_cast<double>(op.attention.scale));
      if (op.attention.softcap > 0)
        json["softcap"] = short_number(static_cast<double>(op.attention.softcap));
      if (op.attention.window > 0) json["window"] = op.attention.window;
      if (op.attention.sinks) json["has_sinks"] = true;
      break;
    case OpKind::kScale:
    case OpKind::kSoftcap:
    case OpKind::kScaleByPosition:
      json["factor"] = short_number(static_cast<double>(op.factor));
      break;
    case OpKind::kSlice: {
      const ValueInfo& info = graph.info(op.output);
      json["offset"] = info.offset;
      break;
    }
    case OpKind::kRouteExperts:
      json["n_used"] = op.route.n_used;
      break;
    default:
      break;
  }
  return json;
}

Json op_json(const Trace& trace, const Op& op) {
  const Graph& graph = trace.model->graph();
  const ValueInfo& out = graph.info(op.output);
  const OpKindInfo& kind = op_kind_info(op.kind);
  Json inputs = Json::array();
  for (const Value input : op.inputs) inputs.push_back(graph.info(input).name);
  Json json = {{"name", op.name},
               {"kind", kind.name},
               {"layer", op.layer},
               {"formula", kind.formula},
               {"shape_rule", kind.shape},
               {"purpose", kind.purpose},
               {"lesson", kind.lesson},
               {"inputs", std::move(inputs)},
               {"rows", out.rows == Rows::kTokens ? "T" : "O"},
               {"width", out.width}};
  if (op.weight) json["weight"] = tensor_json(*op.weight);
  if (op.kind == OpKind::kMatmul || op.kind == OpKind::kExpertMatmul)
    json["arithmetic"] =
        kernels::arithmetic_name(kernels::arithmetic_of(op.weight->type, kernels::table().isa));
  if (op.kind == OpKind::kAttention)
    json["arithmetic"] = kernels::arithmetic_name(kernels::Arithmetic::kF32);
  if (op.bias) json["bias"] = tensor_json(*op.bias);
  if (Json parameters = parameters_json(graph, op); !parameters.empty())
    json["parameters"] = std::move(parameters);
  if (out.cache_layer >= 0)
    json["cache_layer"] = out.cache_layer;
  else
    json["columns"] = kept_columns(trace.sampling, out.width);
  if (op.kind == OpKind::kAttention) json["cache_layer"] = op.cache_layer;
  return json;
}

}  // namespace

Json ops_json(const Trace& trace) {
  Json ops = Json::array();
  for (const Op& op : trace.model->graph().ops) ops.push_back(op_json(trace, op));
  return ops;
}

Json cache_layers_json(const Trace& trace) {
  Json layers = Json::array();
  const DTypeInfo& type = dtype_info(trace.kv_type);
  for (const CacheLayer& layer : trace.model->graph().cache_layers)
    layers.push_back(
        {{"layer", layer.layer},
         {"n_kv_heads", layer.n_kv_heads},
         {"head_size_k", layer.head_size_k},
         {"head_size_v", layer.head_size_v},
         {"window", layer.window},
         {"bytes_per_position", layer.n_kv_heads * (layer.head_size_k + layer.head_size_v) *
                                    type.block_bytes / type.block_elements}});
  return layers;
}

}  // namespace galley::trace
