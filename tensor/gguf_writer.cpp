#include "tensor/gguf_writer.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include "tensor/atomic_file.h"
#include "tensor/message.h"

namespace galley {
namespace {

constexpr std::string_view kMagic = "GGUF";
constexpr std::uint32_t kVersion = 3;
constexpr std::uint64_t kDefaultAlignment = 32;
constexpr std::string_view kAlignmentKey = "general.alignment";

using Bytes = std::vector<std::byte>;

void append_bytes(Bytes& out, std::span<const std::byte> bytes) {
  if (bytes.empty()) return;
  const std::size_t at = out.size();
  out.resize(at + bytes.size());
  std::memcpy(out.data() + at, bytes.data(), bytes.size());
}

template <typename T>
void append(Bytes& out, T value) {
  append_bytes(out, std::as_bytes(std::span(&value, 1)));
}

void append_string(Bytes& out, std::string_view text) {
  append(out, std::uint64_t{text.size()});
  append_bytes(out, std::as_bytes(std::span(text)));
}

template <typename T>
Bytes encoded(T value) {
  Bytes bytes;
  append(bytes, value);
  return bytes;
}

template <typename T>
Bytes encoded_array(GgufType element_type, std::span<const T> values) {
  Bytes bytes;
  append(bytes, static_cast<std::uint32_t>(element_type));
  append(bytes, std::uint64_t{values.size()});
  append_bytes(bytes, std::as_bytes(values));
  return bytes;
}

std::uint64_t align_up(std::uint64_t n_bytes, std::uint64_t alignment) {
  return (n_bytes + alignment - 1) / alignment * alignment;
}

// Bytes of a tensor of this type and shape.
std::int64_t tensor_bytes(const std::string& name, DType type,
                          std::span<const std::int64_t> shape) {
  GALLEY_CHECK(!name.empty() && name.size() <= 64,
               "a name of 1 to 64 bytes, got " + in_quotes(name));
  GALLEY_CHECK(!shape.empty() && shape.size() <= 4, name);
  GALLEY_CHECK(*std::min_element(shape.begin(), shape.end()) > 0, name);
  GALLEY_CHECK(shape.back() % dtype_info(type).block_elements == 0, name);
  std::int64_t n_bytes = row_bytes(type, shape.back());
  for (const std::int64_t dim : shape.first(shape.size() - 1)) n_bytes *= dim;
  return n_bytes;
}

}  // namespace

// ---- Metadata -------------------------------------------------------------------------------

void GgufWriter::set(std::string_view key, GgufType type, Bytes value) {
  GALLEY_CHECK(!key.empty() && key.size() <= 65535, "a key of 1 to 65535 bytes");
  const auto same_key = [&](const Entry& entry) { return entry.key == key; };
  const auto found = std::find_if(entries_.begin(), entries_.end(), same_key);
  if (found != entries_.end()) {
    found->type = type;
    found->bytes = std::move(value);
  } else {
    entries_.push_back({std::string(key), type, std::move(value)});
  }
}

void GgufWriter::set_uint32(std::string_view key, std::uint32_t value) {
  set(key, GgufType::kUint32, encoded(value));
}

void GgufWriter::set_uint64(std::string_view key, std::uint64_t value) {
  set(key, GgufType::kUint64, encoded(value));
}

void GgufWriter::set_int32(std::string_view key, std::int32_t value) {
  set(key, GgufType::kInt32, encoded(value));
}

void GgufWriter::set_float32(std::string_view key, float value) {
  set(key, GgufType::kFloat32, encoded(value));
}

void GgufWriter::set_bool(std::string_view key, bool value) {
  set(key, GgufType::kBool, encoded(static_cast<std::uint8_t>(value)));
}

void GgufWriter::set_string(std::string_view key, std::string_view value) {
  Bytes bytes;
  append_string(bytes, value);
  set(key, GgufType::kString, std::move(bytes));
}

void GgufWriter::set_string_array(std::string_view key, std::span<const std::string> values) {
  Bytes bytes;
  append(bytes, static_cast<std::uint32_t>(GgufType::kString));
  append(bytes, std::uint64_t{values.size()});
  for (const std::string& value : values) append_string(bytes, value);
  set(key, GgufType::kArray, std::move(bytes));
}

void GgufWriter::set_uint8_array(std::string_view key, std::span<const std::uint8_t> values) {
  set(key, GgufType::kArray, encoded_array(GgufType::kUint8, values));
}

void GgufWriter::set_int32_array(std::string_view key, std::span<const std::int32_t> values) {
  set(key, GgufType::kArray, encoded_array(GgufType::kInt32, values));
}

void GgufWriter::set_float32_array(std::string_view key, std::span<const float> values) {
  set(key, GgufType::kArray, encoded_array(GgufType::kFloat32, values));
}

void GgufWriter::copy_value(const GgufFile& file, std::string_view key) {
  const GgufValue* value = file.find(key);
  GALLEY_CHECK(value != nullptr, "no key " + in_quotes(key) + " in " + file.path());
  set(key, value->type, Bytes(value->bytes.begin(), value->bytes.end()));
}

// ---- Tensors --------------------------------------------------------------------------------

void GgufWriter::add_tensor(std::string_view name, DType type, std::span<const std::int64_t> shape,
                            std::span<const std::byte> data) {
  add_tensor(name, type, shape, std::function<void(std::span<std::byte>)>());
  TensorEntry& tensor = tensors_.back();
  GALLEY_CHECK(data.size() == static_cast<std::size_t>(tensor.n_bytes), tensor.name);
  tensor.data = data;
}

void GgufWriter::add_tensor(std::string_view name, DType type, std::span<const std::int64_t> shape,
                            std::function<void(std::span<std::byte>)> fill) {
  TensorEntry tensor;
  tensor.name = name;
  tensor.type = type;
  tensor.shape.assign(shape.begin(), shape.end());
  tensor.n_bytes = tensor_bytes(tensor.name, type, shape);
  tensor.fill = std::move(fill);
  tensors_.push_back(std::move(tensor));
}

std::uint64_t GgufWriter::alignment() const {
  for (const Entry& entry : entries_) {
    if (entry.key != kAlignmentKey) continue;
    std::uint32_t alignment = 0;
    GALLEY_CHECK(entry.type == GgufType::kUint32, entry.key);
    std::memcpy(&alignment, entry.bytes.data(), sizeof(alignment));
    GALLEY_CHECK(std::has_single_bit(alignment) && alignment >= 8, entry.key);
    return alignment;
  }
  return kDefaultAlignment;
}

std::vector<std::byte> GgufWriter::header() const {
  Bytes out;
  append_bytes(out, std::as_bytes(std::span(kMagic)));
  append(out, kVersion);
  append(out, std::uint64_t{tensors_.size()});
  append(out, std::uint64_t{entries_.size()});
  for (const Entry& entry : entries_) {
    append_string(out, entry.key);
    append(out, static_cast<std::uint32_t>(entry.type));
    append_bytes(out, entry.bytes);
  }
  std::uint64_t offset = 0;
  for (const TensorEntry& tensor : tensors_) {
    append_string(out, tensor.name);
    append(out, static_cast<std::uint32_t>(tensor.shape.size()));
    for (auto dim = tensor.shape.rbegin(); dim != tensor.shape.rend(); ++dim) append(out, *dim);
    append(out, static_cast<std::uint32_t>(tensor.type));
    append(out, offset);
    offset = align_up(offset + static_cast<std::uint64_t>(tensor.n_bytes), alignment());
  }
  return out;
}

void GgufWriter::emit(const Sink& sink) const {
  // Every part is followed by zeros up to the next multiple of the alignment.
  const auto emit_padded = [&](std::span<const std::byte> part) {
    sink(part);
    sink(Bytes(align_up(part.size(), alignment()) - part.size()));
  };
  emit_padded(header());
  Bytes buffer;
  for (const TensorEntry& tensor : tensors_) {
    if (!tensor.fill) {
      emit_padded(tensor.data);
    } else {
      buffer.resize(static_cast<std::size_t>(tensor.n_bytes));
      tensor.fill(buffer);
      emit_padded(buffer);
    }
  }
}

void GgufWriter::write(const std::string& path) const {
  AtomicFile file(path);
  emit([&](std::span<const std::byte> bytes) { file.write(bytes); });
  file.commit();
}

std::vector<std::byte> GgufWriter::to_bytes() const {
  Bytes all;
  emit(
      [&](std::span<const std::byte> bytes) { all.insert(all.end(), bytes.begin(), bytes.end()); });
  return all;
}

}  // namespace galley
