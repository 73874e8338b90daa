#include "model/config.h"

#include <cmath>

#include "model/architecture.h"

namespace galley {
namespace {

// No model comes near these; a file beyond them is damaged or hostile.
constexpr std::int64_t kMaxLayers = 4096;
constexpr std::int64_t kMaxWidth = std::int64_t{1} << 20;
constexpr std::int64_t kMaxHeads = 65536;
constexpr std::int64_t kMaxContext = std::int64_t{1} << 31;

std::string range_text(std::int64_t low, std::int64_t high) {
  return "from " + std::to_string(low) + " to " + std::to_string(high);
}

std::string need_architecture(const GgufFile& file) {
  const auto name = file.get_string("general.architecture");
  if (!name)
    throw bad_model(file.path(), "key 'general.architecture' is missing; this is not a model file");
  if (!find_architecture(*name))
    throw bad_model(file.path(), "general.architecture is '" + std::string(*name) +
                                     "', which Galley does not have; it has " +
                                     architecture_names());
  return std::string(*name);
}

void read_heads(const Metadata& meta, Config& c) {
  c.n_heads = meta.need_int("attention.head_count", 1, kMaxHeads);
  c.n_kv_heads = meta.int_or("attention.head_count_kv", c.n_heads, 1, kMaxHeads);
  if (c.n_heads % c.n_kv_heads != 0)
    meta.fail("attention.head_count_kv", "is " + std::to_string(c.n_kv_heads) +
                                             ", but must divide the number of heads, " +
                                             std::to_string(c.n_heads));
  if (!meta.has("attention.key_length") && c.width % c.n_heads != 0)
    meta.fail("attention.head_count", "is " + std::to_string(c.n_heads) +
                                          ", but must divide the embedding length, " +
                                          std::to_string(c.width));
  c.head_size_k = meta.int_or("attention.key_length", c.width / c.n_heads, 1, kMaxWidth);
  c.head_size_v = meta.int_or("attention.value_length", c.head_size_k, 1, kMaxWidth);
}

}  // namespace

std::string Metadata::full_key(std::string_view key) const {
  return architecture_ + "." + std::string(key);
}

void Metadata::fail(std::string_view key, const std::string& problem) const {
  throw bad_model(file_->path(), "key '" + full_key(key) + "' " + problem);
}

bool Metadata::has(std::string_view key) const { return file_->find(full_key(key)) != nullptr; }

std::optional<std::int64_t> Metadata::find_int(std::string_view key) const {
  const std::string name = full_key(key);
  const GgufValue* value = file_->find(name);
  if (!value) return std::nullopt;
  const auto* array = std::get_if<GgufArray>(&value->value);
  if (!array) return file_->get_int(name);
  const bool is_number =
      array->element_type != GgufType::kString && array->element_type != GgufType::kArray &&
      array->element_type != GgufType::kFloat32 && array->element_type != GgufType::kFloat64;
  if (!is_number || array->count == 0) fail(key, "is an array, expected an integer");
  for (std::uint64_t i = 1; i < array->count; ++i)
    if (array->as_int(i) != array->as_int(0))
      fail(key, "differs between layers, which Galley does not support");
  return array->as_int(0);
}

std::int64_t Metadata::need_int(std::string_view key, std::int64_t low, std::int64_t high) const {
  const auto value = find_int(key);
  if (!value) fail(key, "is missing, expected an integer " + range_text(low, high));
  if (*value < low || *value > high)
    fail(key, "is " + std::to_string(*value) + ", expected " + range_text(low, high));
  return *value;
}

std::int64_t Metadata::int_or(std::string_view key, std::int64_t fallback, std::int64_t low,
                              std::int64_t high) const {
  return has(key) ? need_int(key, low, high) : fallback;
}

double Metadata::need_float(std::string_view key) const {
  const auto value = file_->get_float(full_key(key));
  if (!value) fail(key, "is missing, expected a number");
  if (!std::isfinite(*value)) fail(key, "is not a finite number");
  return *value;
}

double Metadata::float_or(std::string_view key, double fallback) const {
  return has(key) ? need_float(key) : fallback;
}

bool Metadata::bool_or(std::string_view key, bool fallback) const {
  return file_->get_bool(full_key(key)).value_or(fallback);
}

std::string Metadata::string_or(std::string_view key, std::string_view fallback) const {
  return std::string(file_->get_string(full_key(key)).value_or(fallback));
}

Config read_config(const GgufFile& file) {
  Config c;
  c.architecture = need_architecture(file);
  c.name = std::string(file.get_string("general.name").value_or(""));
  const Metadata meta(file, c.architecture);
  c.n_layers = meta.need_int("block_count", 1, kMaxLayers);
  c.width = meta.need_int("embedding_length", 1, kMaxWidth);
  c.n_context_train = meta.need_int("context_length", 1, kMaxContext);
  // Mixtures of experts may give the width of an expert alone.
  c.ffn_width = meta.has("expert_feed_forward_length")
                    ? meta.int_or("feed_forward_length", 0, 0, kMaxWidth)
                    : meta.need_int("feed_forward_length", 1, kMaxWidth);
  read_heads(meta, c);
  c.n_experts = meta.int_or("expert_count", 0, 0, kMaxHeads);
  c.n_experts_used = meta.int_or("expert_used_count", 0, 0, kMaxHeads);
  if (c.n_experts_used > c.n_experts || (c.n_experts > 0 && c.n_experts_used == 0))
    meta.fail("expert_used_count", "is " + std::to_string(c.n_experts_used) + " of " +
                                       std::to_string(c.n_experts) +
                                       " experts; expected from 1 to all of them");
  const char* eps_key = meta.has("attention.layer_norm_rms_epsilon")
                            ? "attention.layer_norm_rms_epsilon"
                            : "attention.layer_norm_epsilon";
  if (!meta.has(eps_key))
    meta.fail("attention.layer_norm_rms_epsilon",
              "is missing (and so is attention.layer_norm_epsilon), expected a small number");
  c.norm_eps = static_cast<float>(meta.need_float(eps_key));
  if (!(c.norm_eps >= 0)) meta.fail(eps_key, "is negative, expected a small number");
  const Tensor* embedding = file.find_tensor("token_embd.weight");
  if (!embedding)
    throw bad_model(file.path(),
                    "tensor 'token_embd.weight' is missing; a vocabulary-only file "
                    "cannot generate, use the full model file");
  c.n_vocab = embedding->rows();
  return c;
}

}  // namespace galley
