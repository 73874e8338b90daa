#include "tools/commands/quantize_mix.h"

#include <strings.h>
#include <algorithm>
#include <array>
#include <charconv>

namespace galley::tools {
namespace {

// The numbers are those of llama.cpp's enum of file types, which GGUF files carry.
constexpr std::array kMixes = {
    Mix{"Q2_K_S", DType::kQ2_K, 21},   Mix{"Q2_K", DType::kQ2_K, 10},
    Mix{"Q3_K_S", DType::kQ3_K, 11},   Mix{"Q3_K_M", DType::kQ3_K, 12},
    Mix{"Q3_K_L", DType::kQ3_K, 13},   Mix{"IQ4_XS", DType::kIQ4_XS, 30},
    Mix{"IQ4_NL", DType::kIQ4_NL, 25}, Mix{"Q4_0", DType::kQ4_0, 2},
    Mix{"Q4_1", DType::kQ4_1, 3},      Mix{"Q4_K_S", DType::kQ4_K, 14},
    Mix{"Q4_K_M", DType::kQ4_K, 15},   Mix{"Q5_0", DType::kQ5_0, 8},
    Mix{"Q5_1", DType::kQ5_1, 9},      Mix{"Q5_K_S", DType::kQ5_K, 16},
    Mix{"Q5_K_M", DType::kQ5_K, 17},   Mix{"Q6_K", DType::kQ6_K, 18},
    Mix{"Q8_0", DType::kQ8_0, 7},      Mix{"F16", DType::kF16, 1},
    Mix{"BF16", DType::kBF16, 32},     Mix{"F32", DType::kF32, 0},
};

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  return a.size() == b.size() && strncasecmp(a.data(), b.data(), a.size()) == 0;
}

// The number in "blk.N.", or 0.
std::int64_t layer_of(std::string_view name) {
  std::int64_t layer = 0;
  if (name.starts_with("blk.")) std::from_chars(name.data() + 4, name.data() + name.size(), layer);
  return layer;
}

bool contains(std::string_view name, std::string_view part) {
  return name.find(part) != std::string_view::npos;
}

// The first and last eighth of the layers, and every third between them.
bool is_layer_with_more_bits(std::int64_t layer, std::int64_t n_layers) {
  const std::int64_t eighth = n_layers / 8;
  return layer < eighth || layer >= 7 * n_layers / 8 || (layer - eighth) % 3 == 2;
}

bool is_float(DType type) {
  return type == DType::kF32 || type == DType::kF16 || type == DType::kBF16;
}

DType output_type(const Mix& mix, const ModelShape& shape, const Tensor& tensor) {
  const bool fits = tensor.cols() % dtype_info(mix.type).block_elements == 0;
  if (shape.architecture == "falcon" || !fits) return DType::kQ8_0;
  return mix.type == DType::kQ8_0 ? DType::kQ8_0 : DType::kQ6_K;
}

DType attention_value_type(std::string_view mix, DType type, const ModelShape& shape,
                           std::int64_t layer) {
  if (shape.n_experts == 8) return DType::kQ8_0;
  const bool grouped = shape.heads_per_kv_head() >= 4;
  if (mix == "Q2_K") type = grouped ? DType::kQ4_K : DType::kQ3_K;
  if (mix == "Q2_K_S" && grouped) type = DType::kQ4_K;
  if (mix == "Q3_K_M") type = layer < 2 ? DType::kQ5_K : DType::kQ4_K;
  if (mix == "Q3_K_L") type = DType::kQ5_K;
  if ((mix == "IQ4_NL" || mix == "IQ4_XS") && grouped) type = DType::kQ5_K;
  if ((mix == "Q4_K_M" || mix == "Q5_K_M") && is_layer_with_more_bits(layer, shape.n_layers))
    type = DType::kQ6_K;
  if (mix == "Q4_K_S" && layer < 4) type = DType::kQ5_K;
  // The 70B models: eight times smaller than the queries' matrix, so more bits cost little.
  const bool is_70b = shape.n_layers == 80 && shape.heads_per_kv_head() > 1 &&
                      (shape.architecture == "llama" || shape.architecture == "qwen2");
  if (is_70b && (type == DType::kQ3_K || type == DType::kQ4_K)) type = DType::kQ5_K;
  return type;
}

DType ffn_down_type(std::string_view mix, DType type, const ModelShape& shape, std::int64_t layer) {
  const bool is_falcon = shape.architecture == "falcon";
  const bool more = is_layer_with_more_bits(layer, shape.n_layers);
  const bool in_first_eighth = layer < shape.n_layers / 8;
  const bool in_first_sixteenth = layer < shape.n_layers / 16;
  if (mix == "Q2_K") return DType::kQ3_K;
  if (mix == "Q2_K_S" && in_first_eighth) return DType::kQ4_K;
  if (mix == "Q3_K_M") {
    if (in_first_sixteenth) return DType::kQ5_K;
    return !is_falcon || more ? DType::kQ4_K : DType::kQ3_K;
  }
  if (mix == "Q3_K_L") return is_falcon ? DType::kQ4_K : DType::kQ5_K;
  if (mix == "Q4_K_M" && is_falcon) {
    if (in_first_sixteenth) return DType::kQ6_K;
    return more ? DType::kQ5_K : DType::kQ4_K;
  }
  if ((mix == "Q4_K_M" || mix == "Q5_K_M") && more) return DType::kQ6_K;
  if ((mix == "IQ4_NL" || mix == "IQ4_XS") && in_first_eighth) return DType::kQ5_K;
  if (mix == "Q4_K_S" && !is_falcon && in_first_eighth) return DType::kQ5_K;
  return type;
}

DType attention_output_type(std::string_view mix, DType type, const ModelShape& shape) {
  if (shape.architecture == "falcon") return mix == "Q3_K_L" ? DType::kQ4_K : type;
  if (shape.n_experts == 8) {
    for (const char* small : {"Q2_K", "Q3_K_S", "Q3_K_M", "IQ4_NL", "IQ4_XS", "Q4_K_S", "Q4_K_M"})
      if (mix == small) return DType::kQ5_K;
    return type;
  }
  if (mix == "Q2_K") return DType::kQ3_K;
  if (mix == "Q3_K_M") return DType::kQ4_K;
  if (mix == "Q3_K_L") return DType::kQ5_K;
  return type;
}

DType attention_qkv_type(std::string_view mix, DType type) {
  if (mix == "Q3_K_M" || mix == "Q3_K_L") return DType::kQ4_K;
  if (mix == "Q4_K_M") return DType::kQ5_K;
  if (mix == "Q5_K_M") return DType::kQ6_K;
  return type;
}

}  // namespace

std::span<const Mix> all_mixes() { return kMixes; }

std::optional<Mix> find_mix(std::string_view name) {
  for (std::string_view family : {"Q3_K", "Q4_K", "Q5_K"})
    if (equal_ignoring_case(name, family)) return find_mix(std::string(family) + "_M");
  for (const Mix& mix : kMixes)
    if (equal_ignoring_case(name, mix.name)) return mix;
  return std::nullopt;
}

ModelShape model_shape(const GgufFile& file) {
  ModelShape shape;
  shape.architecture = file.get_string("general.architecture").value_or("");
  // A number, or the first one of a list with one for each layer.
  const auto number = [&](const char* key) -> std::int64_t {
    const GgufValue* value = file.find(shape.architecture + "." + key);
    if (!value) return 0;
    if (const auto* n = std::get_if<std::int64_t>(&value->value)) return *n;
    const auto* array = std::get_if<GgufArray>(&value->value);
    const bool is_int = array && (array->element_type == GgufType::kInt32 ||
                                  array->element_type == GgufType::kUint32);
    return is_int && array->count > 0 ? array->as_int(0) : 0;
  };
  shape.n_layers = number("block_count");
  shape.n_heads = number("attention.head_count");
  shape.n_kv_heads = number("attention.head_count_kv");
  if (shape.n_kv_heads == 0) shape.n_kv_heads = shape.n_heads;
  shape.n_experts = number("expert_count");
  shape.has_output = file.find_tensor("output.weight") != nullptr;
  return shape;
}

bool is_quantizable(const Tensor& tensor) {
  const std::string_view name = tensor.name;
  if (tensor.shape.size() < 2 || tensor.rows() < 2 || !name.ends_with("weight")) return false;
  for (const char* kept :
       {"_norm.weight", "ffn_gate_inp.weight", "ssm_conv1d.weight", "time_mix_first.weight"})
    if (contains(name, kept)) return false;
  return name != "position_embd.weight" && name != "token_types.weight";
}

DType mix_type(const Mix& mix, const ModelShape& shape, const Tensor& tensor) {
  if (is_float(mix.type)) return mix.type;
  const std::string_view name = tensor.name;
  const std::int64_t layer = layer_of(name);
  if (name == "output.weight" || (!shape.has_output && name == "token_embd.weight"))
    return output_type(mix, shape, tensor);
  if (contains(name, "attn_v.weight"))
    return attention_value_type(mix.name, mix.type, shape, layer);
  if (contains(name, "attn_k.weight") && shape.n_experts == 8) return DType::kQ8_0;
  if (contains(name, "ffn_down")) return ffn_down_type(mix.name, mix.type, shape, layer);
  if (contains(name, "attn_output.weight")) return attention_output_type(mix.name, mix.type, shape);
  if (contains(name, "attn_qkv.weight")) return attention_qkv_type(mix.name, mix.type);
  return mix.type;
}

DType fitting_type(DType type, const Tensor& tensor) {
  const auto fits = [&](DType t) { return tensor.cols() % dtype_info(t).block_elements == 0; };
  if (fits(type)) return type;
  switch (type) {
    case DType::kQ2_K:
    case DType::kQ3_K:
    case DType::kIQ4_XS:
      type = DType::kIQ4_NL;
      break;
    case DType::kQ4_K:
      type = DType::kQ5_0;
      break;
    case DType::kQ5_K:
      type = DType::kQ5_1;
      break;
    case DType::kQ6_K:
      type = DType::kQ8_0;
      break;
    default:
      return DType::kF16;
  }
  return fits(type) ? type : DType::kF16;
}

}  // namespace galley::tools
