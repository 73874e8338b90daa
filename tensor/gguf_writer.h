// Writing GGUF files (version 3): used by `galley quantize`, tests and the demo models.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/gguf.h"

namespace galley {

// Collects metadata and tensor descriptions, then writes everything to a temporary file beside
// the target and renames it, so a reader never sees half a file and a failure leaves none.
class GgufWriter {
 public:
  void set_uint32(std::string_view key, std::uint32_t value);
  void set_uint64(std::string_view key, std::uint64_t value);
  void set_int32(std::string_view key, std::int32_t value);
  void set_float32(std::string_view key, float value);
  void set_bool(std::string_view key, bool value);
  void set_string(std::string_view key, std::string_view value);
  void set_string_array(std::string_view key, std::span<const std::string> values);
  void set_uint8_array(std::string_view key, std::span<const std::uint8_t> values);
  void set_int32_array(std::string_view key, std::span<const std::int32_t> values);
  void set_float32_array(std::string_view key, std::span<const float> values);
  // Copies one entry of `file` as it is. REQUIRES: the file has `key`.
  void copy_value(const GgufFile& file, std::string_view key);
  // A key set twice keeps its place and takes the last value.

  // Adds a tensor with bytes that must live until write() returns. `shape` is slowest first.
  // REQUIRES: a new name of at most 64 bytes, 1 to 4 dimensions, all positive, rows of whole
  // blocks.
  void add_tensor(std::string_view name, DType type, std::span<const std::int64_t> shape,
                  std::span<const std::byte> data);
  // Adds a tensor whose bytes are made when it is its turn to be written (so that quantizing a
  // large file never holds more than one tensor): `fill` gets a buffer of the right size.
  void add_tensor(std::string_view name, DType type, std::span<const std::int64_t> shape,
                  std::function<void(std::span<std::byte>)> fill);

  // Writes the file. Throws Error kFailure naming the path and the system's reason (no such
  // folder, disk full); the temporary file is removed then.
  void write(const std::string& path) const;
  // The same bytes in memory (tests, fuzzing).
  std::vector<std::byte> to_bytes() const;

 private:
  using Sink = std::function<void(std::span<const std::byte>)>;
  struct Entry {
    std::string key;
    GgufType type;
    std::vector<std::byte> bytes;  // the value, encoded
  };
  struct TensorEntry {
    std::string name;
    DType type = DType::kF32;
    std::vector<std::int64_t> shape;
    std::int64_t n_bytes = 0;
    std::span<const std::byte> data;                 // either these bytes
    std::function<void(std::span<std::byte>)> fill;  // or this function
  };

  void set(std::string_view key, GgufType type, std::vector<std::byte> value);
  std::uint64_t alignment() const;  // general.alignment if set, else 32
  // Everything before the padding that precedes the tensor data.
  std::vector<std::byte> header() const;
  // Gives the bytes of the file to `sink`, in order.
  void emit(const Sink& sink) const;

  std::vector<Entry> entries_;
  std::vector<TensorEntry> tensors_;
};

}  // namespace galley
