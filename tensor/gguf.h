// Reading GGUF files (versions 2 and 3, little endian): metadata and tensors, used in place.
//
// Where it sits: the first stop of `galley run`. The file is mapped, its header parsed and
// checked; tensors point into the mapping, so opening a 4 GB file takes milliseconds.
// The format is drawn in docs/gguf.md. A file is hostile until checked: every count, offset
// and product is tested against the file's size before it is used.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

#include "tensor/error.h"
#include "tensor/tensor.h"

namespace galley {

// The value types of GGUF metadata, with the numbers of the format.
enum class GgufType : std::uint32_t {
  kUint8 = 0,
  kInt8 = 1,
  kUint16 = 2,
  kInt16 = 3,
  kUint32 = 4,
  kInt32 = 5,
  kFloat32 = 6,
  kBool = 7,
  kString = 8,
  kArray = 9,
  kUint64 = 10,
  kInt64 = 11,
  kFloat64 = 12,
};

// The GGUF name of a value type ("u32", "str", "arr").
std::string_view gguf_type_name(GgufType type);

// An array of scalars or strings. Arrays of arrays are parsed and checked, but their elements
// are not kept (no known model uses them).
struct GgufArray {
  GgufType element_type = GgufType::kUint8;
  std::uint64_t count = 0;
  // The elements' bytes in the file, little endian, packed: only for scalar elements.
  std::span<const std::byte> bytes;
  // The elements, pointing into the file: only for string elements.
  std::vector<std::string_view> strings;

  // Whether the elements are integers (or bools), or numbers of any kind.
  bool has_integers() const;
  bool has_numbers() const;

  // Element `i` as an integer or a float, whatever scalar type the array has. REQUIRES:
  // i < count and has_numbers(); as_int REQUIRES has_integers().
  std::int64_t as_int(std::uint64_t i) const;
  double as_double(std::uint64_t i) const;
};

struct GgufValue {
  GgufType type = GgufType::kUint8;
  // The value as it is stored, without its type: for copying it, and to tell where it is.
  std::span<const std::byte> bytes;
  // Integers and bool are int64 (a uint64 above 2^63-1 is kept as its bit pattern: see
  // is_big_uint64), floats are double, strings point into the file.
  std::variant<std::int64_t, double, std::string_view, GgufArray> value;

  bool is_big_uint64() const;
};

// An open GGUF file. Movable, not copyable; the views it hands out live as long as it does.
class GgufFile {
 public:
  // Maps and checks the file at `path`. Throws Error: kFailure if it cannot be opened or is not
  // a regular file, kBadModel with the byte offset for anything malformed. Tensor data is not
  // read. A large model may come in several files, NAME-00001-of-00003.gguf and so on: the first
  // has the metadata and brings the tensors of the others with it.
  static GgufFile open(const std::string& path);
  // The same for bytes in memory (tests, fuzzing, built-in models): `bytes` must outlive the
  // result and be aligned to 8 bytes, as every allocation is; `name` stands for the path in
  // messages.
  static GgufFile from_memory(std::span<const std::byte> bytes, const std::string& name);

  GgufFile(GgufFile&&) noexcept;
  GgufFile& operator=(GgufFile&&) noexcept;
  ~GgufFile();

  const std::string& path() const { return path_; }
  std::uint32_t version() const { return version_; }
  std::uint64_t alignment() const { return alignment_; }
  // Of all parts together.
  std::int64_t file_bytes() const;
  // How many files the model comes in.
  std::int64_t n_parts() const { return 1 + static_cast<std::int64_t>(other_parts_.size()); }
  // Byte offset at which tensor data begins.
  std::int64_t data_offset() const { return data_offset_; }

  // Keys in file order.
  const std::vector<std::string>& keys() const { return keys_; }
  // The value of `key`, or nullptr.
  const GgufValue* find(std::string_view key) const;

  // Typed look-ups: nothing if the key is absent; Error kBadModel, naming the key, what was
  // expected and what is there, if it has another type or is out of range.
  std::optional<std::int64_t> get_int(std::string_view key) const;  // any integer type
  std::optional<double> get_float(std::string_view key) const;      // any float or integer type
  std::optional<bool> get_bool(std::string_view key) const;
  std::optional<std::string_view> get_string(std::string_view key) const;
  const GgufArray* get_array(std::string_view key) const;  // nullptr if absent

  // The Error for a value that is well-formed but makes no sense; gives "path: key 'KEY' (byte
  // OFFSET): DETAIL". For those who read meaning into metadata: the tokenizer, the model.
  Error bad_value(std::string_view key, const std::string& detail) const;

  // Tensors in file order.
  const std::vector<Tensor>& tensors() const { return tensors_; }
  // The tensor named `name`, or nullptr.
  const Tensor* find_tensor(std::string_view name) const;

 private:
  friend class GgufParser;
  GgufFile();
  static GgufFile open_one(const std::string& path);
  // Takes over the tensors of the other files of a model in parts (gguf_parts.cpp).
  void join_parts();
  void take_part(GgufFile part, std::int64_t number, std::int64_t n_parts);

  std::string path_;
  std::span<const std::byte> bytes_;
  std::shared_ptr<const void> mapping_;  // keeps bytes_ alive
  std::vector<GgufFile> other_parts_;    // keep the bytes of their tensors alive
  std::uint32_t version_ = 0;
  std::uint64_t alignment_ = 32;
  std::int64_t data_offset_ = 0;
  std::vector<std::string> keys_;
  std::vector<Tensor> tensors_;
  // Their keys point into bytes_.
  std::unordered_map<std::string_view, GgufValue> values_;
  std::unordered_map<std::string_view, std::size_t> tensor_index_;
};

}  // namespace galley
