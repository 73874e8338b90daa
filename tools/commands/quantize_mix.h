// Which type each tensor of a quantized model gets.
//
// A "mix" such as Q4_K_M gives most matrices one type and those that hurt most when they lose
// bits (the values of attention, the second matrix of the feed-forward part, the output) more.
// The mixes are those of llama.cpp, so that a file made here has the size and the quality that
// people know by that name. docs/quantization.md tells what each spends its bits on.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/gguf.h"

namespace galley::tools {

struct Mix {
  std::string_view name;    // "Q4_K_M"
  DType type;               // of most matrices
  std::uint32_t file_type;  // what GGUF's general.file_type calls it
};

// All mixes, the smallest first.
std::span<const Mix> all_mixes();
// The mix called `name` in any case; "Q4_K" means Q4_K_M, as it does elsewhere.
std::optional<Mix> find_mix(std::string_view name);

// What the choice depends on besides the tensor.
struct ModelShape {
  std::string architecture;
  std::int64_t n_layers = 0;
  std::int64_t n_heads = 0;
  std::int64_t n_kv_heads = 0;
  std::int64_t n_experts = 0;
  bool has_output = false;  // output.weight: not tied to the embedding

  std::int64_t heads_per_kv_head() const { return n_kv_heads > 0 ? n_heads / n_kv_heads : 1; }
};
ModelShape model_shape(const GgufFile& file);

// Whether `tensor` is a matrix of weights: norms, biases, routers and position tables keep the
// type they have.
bool is_quantizable(const Tensor& tensor);

// The type of `tensor` in `mix`, before its shape is looked at. REQUIRES: is_quantizable.
DType mix_type(const Mix& mix, const ModelShape& shape, const Tensor& tensor);

// `type`, or where the rows are not made of whole blocks of it, the nearest that fits: a type
// with blocks of 32, else F16.
DType fitting_type(DType type, const Tensor& tensor);

}  // namespace galley::tools
