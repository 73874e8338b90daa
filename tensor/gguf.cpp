#include "tensor/gguf.h"

#include <cmath>
#include <cstring>
#include <utility>

#include "tensor/gguf_parser.h"
#include "tensor/mapped_file.h"
#include "tensor/message.h"

namespace galley {
namespace {

template <typename T>
T load(const GgufArray& array, std::uint64_t i) {
  T value;
  std::memcpy(&value, array.bytes.data() + i * sizeof(T), sizeof(T));
  return value;
}

}  // namespace

std::string_view gguf_type_name(GgufType type) {
  constexpr std::string_view kNames[] = {"u8",   "i8",  "u16", "i16", "u32", "i32", "f32",
                                         "bool", "str", "arr", "u64", "i64", "f64"};
  const auto number = static_cast<std::uint32_t>(type);
  GALLEY_CHECK(number < std::size(kNames), "no value type " + std::to_string(number));
  return kNames[number];
}

bool GgufArray::has_integers() const {
  return has_numbers() && element_type != GgufType::kFloat32 && element_type != GgufType::kFloat64;
}

bool GgufArray::has_numbers() const {
  return element_type != GgufType::kString && element_type != GgufType::kArray;
}

std::int64_t GgufArray::as_int(std::uint64_t i) const {
  GALLEY_CHECK(i < count, "element " + std::to_string(i) + " of " + std::to_string(count));
  switch (element_type) {
    case GgufType::kUint8:
    case GgufType::kBool:
      return load<std::uint8_t>(*this, i);
    case GgufType::kInt8:
      return load<std::int8_t>(*this, i);
    case GgufType::kUint16:
      return load<std::uint16_t>(*this, i);
    case GgufType::kInt16:
      return load<std::int16_t>(*this, i);
    case GgufType::kUint32:
      return load<std::uint32_t>(*this, i);
    case GgufType::kInt32:
      return load<std::int32_t>(*this, i);
    case GgufType::kUint64:
    case GgufType::kInt64:
      return load<std::int64_t>(*this, i);
    default:
      break;
  }
  GALLEY_CHECK(false, "as_int on an array of " + std::string(gguf_type_name(element_type)));
  return 0;
}

double GgufArray::as_double(std::uint64_t i) const {
  GALLEY_CHECK(i < count, "element " + std::to_string(i) + " of " + std::to_string(count));
  if (element_type == GgufType::kFloat32) return load<float>(*this, i);
  if (element_type == GgufType::kFloat64) return load<double>(*this, i);
  if (element_type == GgufType::kUint64) return static_cast<double>(load<std::uint64_t>(*this, i));
  return static_cast<double>(as_int(i));
}

bool GgufValue::is_big_uint64() const {
  return type == GgufType::kUint64 && std::get<std::int64_t>(value) < 0;
}

GgufFile::GgufFile() = default;
GgufFile::GgufFile(GgufFile&&) noexcept = default;
GgufFile& GgufFile::operator=(GgufFile&&) noexcept = default;
GgufFile::~GgufFile() = default;

GgufFile GgufFile::open(const std::string& path) {
  GgufFile file = open_one(path);
  file.join_parts();
  return file;
}

GgufFile GgufFile::open_one(const std::string& path) {
  auto mapping = std::make_shared<MappedFile>(MappedFile::open(path));
  GgufFile file = from_memory(mapping->bytes(), path);
  file.mapping_ = std::move(mapping);
  return file;
}

GgufFile GgufFile::from_memory(std::span<const std::byte> bytes, const std::string& name) {
  GALLEY_CHECK(reinterpret_cast<std::uintptr_t>(bytes.data()) % 8 == 0,
               "the bytes of '" + name + "' are not aligned to 8");
  GgufFile file;
  file.path_ = name;
  file.bytes_ = bytes;
  GgufParser(file).parse();
  return file;
}

std::int64_t GgufFile::file_bytes() const {
  auto n_bytes = static_cast<std::int64_t>(bytes_.size());
  for (const GgufFile& part : other_parts_) n_bytes += part.file_bytes();
  return n_bytes;
}

const GgufValue* GgufFile::find(std::string_view key) const {
  const auto found = values_.find(key);
  return found == values_.end() ? nullptr : &found->second;
}

const Tensor* GgufFile::find_tensor(std::string_view name) const {
  const auto found = tensor_index_.find(name);
  return found == tensor_index_.end() ? nullptr : &tensors_[found->second];
}

Error GgufFile::bad_value(std::string_view key, const std::string& detail) const {
  std::string where = "key " + in_quotes(key);
  if (const GgufValue* value = find(key)) {
    const auto offset = static_cast<std::uint64_t>(value->bytes.data() - bytes_.data());
    where += " (byte " + with_commas(offset) + ")";
  }
  return bad_model(path_, where + ": " + detail);
}

std::optional<std::int64_t> GgufFile::get_int(std::string_view key) const {
  const GgufValue* value = find(key);
  if (value == nullptr) return std::nullopt;
  const auto* number = std::get_if<std::int64_t>(&value->value);
  if (number == nullptr || value->type == GgufType::kBool) {
    throw bad_value(key, "expected an integer, got a value of type " +
                             std::string(gguf_type_name(value->type)));
  }
  if (value->is_big_uint64()) {
    throw bad_value(key, "expected an integer below 2^63, got " +
                             with_commas(static_cast<std::uint64_t>(*number)));
  }
  return *number;
}

std::optional<double> GgufFile::get_float(std::string_view key) const {
  const GgufValue* value = find(key);
  if (value == nullptr) return std::nullopt;
  if (const auto* number = std::get_if<double>(&value->value)) return *number;
  const auto* number = std::get_if<std::int64_t>(&value->value);
  if (number == nullptr || value->type == GgufType::kBool) {
    throw bad_value(
        key, "expected a number, got a value of type " + std::string(gguf_type_name(value->type)));
  }
  return value->is_big_uint64() ? static_cast<double>(static_cast<std::uint64_t>(*number))
                                : static_cast<double>(*number);
}

std::optional<bool> GgufFile::get_bool(std::string_view key) const {
  const GgufValue* value = find(key);
  if (value == nullptr) return std::nullopt;
  if (value->type != GgufType::kBool) {
    throw bad_value(
        key, "expected a bool, got a value of type " + std::string(gguf_type_name(value->type)));
  }
  return std::get<std::int64_t>(value->value) != 0;
}

std::optional<std::string_view> GgufFile::get_string(std::string_view key) const {
  const GgufValue* value = find(key);
  if (value == nullptr) return std::nullopt;
  const auto* text = std::get_if<std::string_view>(&value->value);
  if (text == nullptr) {
    throw bad_value(
        key, "expected a string, got a value of type " + std::string(gguf_type_name(value->type)));
  }
  return *text;
}

const GgufArray* GgufFile::get_array(std::string_view key) const {
  const GgufValue* value = find(key);
  if (value == nullptr) return nullptr;
  const auto* array = std::get_if<GgufArray>(&value->value);
  if (array == nullptr) {
    throw bad_value(
        key, "expected an array, got a value of type " + std::string(gguf_type_name(value->type)));
  }
  return array;
}

}  // namespace galley
