#include "model/weights.h"

#include <utility>

#include "tensor/dequantize.h"
#include "tensor/error.h"

namespace galley {
namespace {

std::string shape_text(const std::vector<std::int64_t>& shape) {
  std::string text = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + "]";
}

// The name of one expert's own tensor, for the name of all experts' tensor.
std::string name_of_expert(std::string name, std::int64_t expert) {
  const std::size_t at = name.find("_exps.");
  GALLEY_CHECK(at != std::string::npos, "not a name of experts: " + name);
  return name.replace(at, 5, "." + std::to_string(expert));
}

}  // namespace

const Tensor& Weights::need(const std::string& name) {
  const Tensor* tensor = file_->find_tensor(name);
  if (!tensor)
    throw bad_model(file_->path(), "tensor '" + name +
                                       "' is missing; the file is incomplete or of a variant of "
                                       "the architecture that Galley does not have");
  if (!dtype_info(tensor->type).is_supported)
    throw bad_model(file_->path(), "tensor '" + name + "' has type " +
                                       std::string(dtype_info(tensor->type).name) +
                                       ", which is not supported; use a file in another "
                                       "quantization, such as Q4_K_M or Q8_0");
  used_.insert(name);
  return *tensor;
}

void Weights::check_shape(const Tensor& tensor, const std::vector<std::int64_t>& expected) const {
  if (tensor.shape == expected) return;
  throw bad_model(file_->path(), "tensor '" + tensor.name + "' has shape " + tensor.shape_string() +
                                     ", expected " + shape_text(expected) +
                                     " from the metadata; the file is inconsistent");
}

const Tensor& Weights::matrix(const std::string& name, std::int64_t rows, std::int64_t cols) {
  const Tensor& tensor = need(name);
  // A matrix with one row may be stored as a vector.
  if (rows == 1 && tensor.shape == std::vector<std::int64_t>{cols}) return tensor;
  check_shape(tensor, {rows, cols});
  return tensor;
}

const Tensor& Weights::experts(const std::string& name, std::int64_t n_experts, std::int64_t rows,
                               std::int64_t cols) {
  if (!has(name) && has(name_of_expert(name, 0))) return one_by_one(name, n_experts, rows, cols);
  const Tensor& tensor = need(name);
  check_shape(tensor, {n_experts, rows, cols});
  return tensor;
}

const Tensor& Weights::one_by_one(const std::string& name, std::int64_t n_experts,
                                  std::int64_t rows, std::int64_t cols) {
  Tensor all{.name = name, .shape = {n_experts, rows, cols}};
  for (std::int64_t expert = 0; expert < n_experts; ++expert) {
    const Tensor& tensor = need(name_of_expert(name, expert));
    check_shape(tensor, {rows, cols});
    if (expert == 0) {
      all.type = tensor.type;
      all.data = tensor.data;
    } else if (tensor.type != all.type) {
      throw bad_model(file_->path(), "tensor '" + tensor.name + "' has type " +
                                         std::string(dtype_info(tensor.type).name) +
                                         ", that of expert 0 is " +
                                         std::string(dtype_info(all.type).name) +
                                         "; use a newer conversion of the model");
    }
    all.n_bytes += tensor.n_bytes;
    all.parts.push_back(tensor.data);
  }
  return joined_.emplace_back(std::move(all));
}

const Tensor& Weights::vector(const std::string& name, std::int64_t n) {
  const Tensor& tensor = need(name);
  if (tensor.n_elements() != n || tensor.cols() != n) check_shape(tensor, {n});
  return as_float32(tensor);
}

const Tensor* Weights::matrix_or_null(const std::string& name, std::int64_t rows,
                                      std::int64_t cols) {
  return has(name) ? &matrix(name, rows, cols) : nullptr;
}

const Tensor* Weights::vector_or_null(const std::string& name, std::int64_t n) {
  return has(name) ? &vector(name, n) : nullptr;
}

const Tensor* Weights::values_or_null(const std::string& name, std::int64_t n) {
  if (!has(name)) return nullptr;
  const Tensor& tensor = need(name);
  if (tensor.n_elements() != n) check_shape(tensor, {n});
  return &as_float32(tensor);
}

const Tensor& Weights::as_float32(const Tensor& tensor) {
  if (tensor.type == DType::kF32) return tensor;
  for (const Tensor& done : converted_)
    if (done.name == tensor.name) return done;
  const std::vector<float>& values = converted_values_.emplace_back(dequantize(tensor));
  Tensor& copy = converted_.emplace_back(tensor);
  copy.type = DType::kF32;
  copy.data = reinterpret_cast<const std::byte*>(values.data());
  copy.n_bytes = static_cast<std::int64_t>(values.size() * sizeof(float));
  return copy;
}

std::vector<std::string> Weights::unused() const {
  std::vector<std::string> names;
  for (const Tensor& tensor : file_->tensors())
    if (!used_.contains(tensor.name)) names.push_back(tensor.name);
  return names;
}

}  // namespace galley
