// A tensor as the file has it: a name, a type, a shape and bytes used in place.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "tensor/dtype.h"

namespace galley {

// A read-only view of a tensor. It owns its name and shape, not its bytes: those belong to the
// mapped file (or the buffer of a test) and must outlive it.
struct Tensor {
  std::string name;
  DType type = DType::kF32;
  // Row-major, slowest first: a matrix is {rows, cols}, experts are {experts, rows, cols}. (GGUF
  // lists the same numbers fastest first; the reader turns them round.) Never empty.
  std::vector<std::int64_t> shape;
  const std::byte* data = nullptr;
  std::int64_t n_bytes = 0;
  // Only of experts that a file stores one by one: where the matrix of each is.
  std::vector<const std::byte*> parts = {};

  // Elements per row: the last dimension.
  std::int64_t cols() const { return shape.back(); }
  // Number of rows: the product of all dimensions but the last.
  std::int64_t rows() const;
  std::int64_t n_elements() const { return rows() * cols(); }
  // The bytes of row `r`. REQUIRES: 0 <= r < rows().
  const std::byte* row(std::int64_t r) const {
    if (parts.empty()) return data + r * row_bytes(type, cols());
    const std::int64_t rows_each = shape[shape.size() - 2];
    return parts[static_cast<std::size_t>(r / rows_each)] + r % rows_each * row_bytes(type, cols());
  }
  // "[32000, 2048]", for messages.
  std::string shape_string() const;
};

}  // namespace galley
