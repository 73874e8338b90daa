// Looks at everything an accepted file hands out, so that a sanitizer sees any view that
// leaves the file. Used by the tests of corrupted files and by the fuzz target.
#pragma once

#include <cstdint>

#include "tensor/dequantize.h"
#include "tensor/gguf.h"

namespace galley::test {

inline std::uint64_t sum_bytes(const void* data, std::size_t n_bytes) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < n_bytes; ++i) sum += static_cast<const unsigned char*>(data)[i];
  return sum;
}

inline std::uint64_t walk_array(const GgufArray& array) {
  std::uint64_t sum = sum_bytes(array.bytes.data(), array.bytes.size());
  for (const std::string_view text : array.strings) sum += sum_bytes(text.data(), text.size());
  if (array.count > 0 && !array.bytes.empty()) {
    sum += static_cast<std::uint64_t>(array.as_double(array.count - 1) > 0.0);
  }
  return sum;
}

// A checksum of all keys, values and tensor bytes; calls every typed look-up.
inline std::uint64_t walk(const GgufFile& file) {
  std::uint64_t sum = 0;
  for (const std::string& key : file.keys()) {
    const GgufValue* value = file.find(key);
    sum += sum_bytes(value->bytes.data(), value->bytes.size());
    if (const auto* array = std::get_if<GgufArray>(&value->value)) sum += walk_array(*array);
    if (const auto* text = std::get_if<std::string_view>(&value->value)) {
      sum += sum_bytes(text->data(), text->size());
    }
    const auto try_lookup = [&](auto lookup) {
      try {
        lookup();
      } catch (const Error& error) {
        sum += static_cast<std::uint64_t>(error.exit_code());
      }
    };
    try_lookup([&] { file.get_int(key); });
    try_lookup([&] { file.get_float(key); });
    try_lookup([&] { file.get_bool(key); });
    try_lookup([&] { file.get_string(key); });
    try_lookup([&] { file.get_array(key); });
  }
  for (const Tensor& tensor : file.tensors()) {
    sum += sum_bytes(tensor.data, static_cast<std::size_t>(tensor.n_bytes));
    // Ternary blocks hold five weights a byte; nothing holds more.
    if (dtype_info(tensor.type).is_supported && tensor.n_bytes < (1 << 20)) {
      sum += dequantize(tensor).size();
    }
  }
  return sum;
}

}  // namespace galley::test
