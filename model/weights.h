// The tensors of a model by their GGUF names, each checked when it is asked for.
//
// Where it sits: the third stop of `galley run`. An architecture asks for the tensors it needs
// with the shapes it expects; whatever is missing or has another shape is an error that names
// it, and whatever nobody asked for is listed, so that nothing in a file is ignored in silence.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <unordered_set>
#include <vector>

#include "tensor/gguf.h"

namespace galley {

class Weights {
 public:
  // `file` must outlive it.
  explicit Weights(const GgufFile& file) : file_(&file) {}

  bool has(const std::string& name) const { return file_->find_tensor(name) != nullptr; }

  // The matrix `name` of shape [rows, cols]. Throws Error kBadModel if it is missing, has
  // another shape, or a type that cannot be used.
  const Tensor& matrix(const std::string& name, std::int64_t rows, std::int64_t cols);
  // The expert matrices `name` of shape [experts, rows, cols]. Files from before May 2024 have a
  // tensor for each, "blk.0.ffn_gate.7.weight" for the eighth of "blk.0.ffn_gate_exps.weight"; they
  // are used where they are.
  const Tensor& experts(const std::string& name, std::int64_t n_experts, std::int64_t rows,
                        std::int64_t cols);
  // The vector `name` of n float32 values (norms, biases); other float types are converted.
  const Tensor& vector(const std::string& name, std::int64_t n);
  // The same, or nullptr where the file has no such tensor.
  const Tensor* matrix_or_null(const std::string& name, std::int64_t rows, std::int64_t cols);
  const Tensor* vector_or_null(const std::string& name, std::int64_t n);
  // The float32 values of `name` in any 1-d or 2-d shape with n elements.
  const Tensor* values_or_null(const std::string& name, std::int64_t n);

  // Notes that a tensor is known and deliberately not used.
  void ignore(const std::string& name) { used_.insert(name); }
  // Names of the tensors in the file that nobody asked for.
  std::vector<std::string> unused() const;

 private:
  const Tensor& need(const std::string& name);
  const Tensor& one_by_one(const std::string& name, std::int64_t n_experts, std::int64_t rows,
                           std::int64_t cols);
  const Tensor& as_float32(const Tensor& tensor);
  void check_shape(const Tensor& tensor, const std::vector<std::int64_t>& expected) const;

  const GgufFile* file_;
  std::unordered_set<std::string> used_;
  // Vectors converted to float32, with the names they were asked for.
  std::deque<Tensor> converted_;
  std::deque<std::vector<float>> converted_values_;
  std::deque<Tensor> joined_;  // experts stored one by one
};

}  // namespace galley
