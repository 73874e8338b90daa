#include "tensor/gguf_parser.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>

#include "tensor/message.h"

namespace galley {

static_assert(std::endian::native == std::endian::little, "GGUF is read in place, little endian");

namespace {

constexpr std::string_view kMagic = "GGUF";
constexpr int kMaxArrayDepth = 4;
// Limits of the format's specification.
constexpr std::uint64_t kMaxKeyBytes = 65535;
constexpr std::uint64_t kMinAlignment = 8;
constexpr std::string_view kAlignmentKey = "general.alignment";

// The least bytes a thing can take, to check counts before anything is allocated.
constexpr std::uint64_t kMinStringBytes = 8;                      // its length
constexpr std::uint64_t kMinArrayBytes = 4 + 8;                   // element type, count
constexpr std::uint64_t kMinKeyValueBytes = 8 + 1 + 4 + 1;        // key, value type, value
constexpr std::uint64_t kMinTensorBytes = 8 + 1 + 4 + 8 + 4 + 8;  // name, dims, type, offset

// Reserving more than this up front is not worth the risk of a lying count.
constexpr std::uint64_t kMaxReserve = 1 << 20;

std::uint64_t scalar_bytes(GgufType type) {
  switch (type) {
    case GgufType::kUint8:
    case GgufType::kInt8:
    case GgufType::kBool:
      return 1;
    case GgufType::kUint16:
    case GgufType::kInt16:
      return 2;
    case GgufType::kUint32:
    case GgufType::kInt32:
    case GgufType::kFloat32:
      return 4;
    case GgufType::kUint64:
    case GgufType::kInt64:
    case GgufType::kFloat64:
      return 8;
    case GgufType::kString:
    case GgufType::kArray:
      break;
  }
  return 0;
}

// What a file without GGUF's magic is, if that can be told, and what to do about it.
std::string guess_other_format(std::string_view head) {
  struct Known {
    std::string_view prefix;
    std::string_view meaning;
  };
  static constexpr Known kKnown[] = {
      {"version https://git-lfs", "it is a Git LFS pointer, not the model: run 'git lfs pull'"},
      {"<", "it looks like a web page: the download went wrong; download the file itself"},
      {"PK", "it looks like a PyTorch checkpoint: convert it to GGUF first"},
      {"lmgg", "it is a GGML file from before GGUF: convert the model again"},
      {"tjgg", "it is a GGJT file from before GGUF: convert the model again"},
      {"fmgg", "it is a GGMF file from before GGUF: convert the model again"},
  };
  for (const Known& known : kKnown) {
    if (head.starts_with(known.prefix)) return std::string(known.meaning);
  }
  if (head.size() > 9 && head.substr(8).starts_with("{\"")) {
    return "it looks like a safetensors file: convert it to GGUF first";
  }
  return "it is not a GGUF file";
}

}  // namespace

// ---- The smallest pieces ------------------------------------------------------------------

Error GgufParser::bad(std::uint64_t at, const std::string& detail) const {
  std::string where = "at byte " + with_commas(at);
  if (!context_kind_.empty()) {
    where += ", " + std::string(context_kind_) + " " + in_quotes(context_name_);
  }
  return bad_model(file_.path_, where + ": " + detail);
}

void GgufParser::need(std::uint64_t n_bytes, std::string_view what) const {
  if (n_bytes <= left()) return;
  throw bad(pos_, std::string(what) + " takes " + with_commas(n_bytes) + " bytes, the file ends " +
                      "after " + with_commas(left()) +
                      ": it is truncated or damaged; download it again");
}

std::string_view GgufParser::read_string(std::string_view what) {
  const auto n_bytes = read<std::uint64_t>(what);
  need(n_bytes, what);
  const std::string_view text(reinterpret_cast<const char*>(file_.bytes_.data()) + pos_, n_bytes);
  pos_ += n_bytes;
  return text;
}

std::uint64_t GgufParser::read_count(std::uint64_t min_bytes, std::string_view what) {
  const std::uint64_t at = pos_;
  const auto count = read<std::uint64_t>(what);
  if (count > left() / min_bytes) {
    throw bad(at, std::string(what) + " is " + with_commas(count) + ", for which the remaining " +
                      with_commas(left()) + " bytes of the file cannot be enough: it is " +
                      "truncated or damaged; download it again");
  }
  return count;
}

// ---- Header and metadata --------------------------------------------------------------------

void GgufParser::parse() {
  read_header();
  for (std::uint64_t i = 0; i < n_keys_; ++i) read_key_value();
  context_kind_ = {};
  read_alignment();
  for (std::uint64_t i = 0; i < n_tensors_; ++i) read_tensor(i);
  context_kind_ = {};
  place_tensors();
}

void GgufParser::read_header() {
  if (file_.bytes_.empty()) throw bad_model(file_.path_, "the file is empty; download it again");
  const std::string_view head(reinterpret_cast<const char*>(file_.bytes_.data()),
                              std::min<std::size_t>(file_.bytes_.size(), 64));
  if (!head.starts_with(kMagic.substr(0, std::min(head.size(), kMagic.size())))) {
    throw bad(0, "the magic is " + in_quotes(head.substr(0, kMagic.size())) +
                     ", expected 'GGUF': " + guess_other_format(head));
  }
  need(kMagic.size(), "the magic 'GGUF'");
  pos_ = kMagic.size();
  const auto version = read<std::uint32_t>("the version");
  if (version == 1) {
    throw bad(4, "GGUF version 1 was never in wide use and is not read; convert the model again");
  }
  if (version != 2 && version != 3) {
    // Versions are small numbers: the bytes the other way round tell the byte order.
    if (version != 0 && (version & 0xffffu) == 0) {
      throw bad(4,
                "the file is big endian, for another kind of computer; "
                "download or convert to the little-endian file");
    }
    throw bad(4, "GGUF version " + std::to_string(version) +
                     " is unknown (2 and 3 are known); convert the model to version 3");
  }
  file_.version_ = version;
  n_tensors_ = read_count(kMinTensorBytes, "the number of tensors");
  n_keys_ = read_count(kMinKeyValueBytes, "the number of metadata entries");
}

void GgufParser::read_key_value() {
  context_kind_ = {};
  const std::uint64_t at = pos_;
  const std::string_view key = read_string("the key of a metadata entry");
  if (key.empty()) throw bad(at, "a metadata key is empty; the file is damaged");
  if (key.size() > kMaxKeyBytes) {
    throw bad(at, "a metadata key has " + with_commas(key.size()) + " bytes, allowed are " +
                      with_commas(kMaxKeyBytes) + "; the file is damaged");
  }
  context_kind_ = "key";
  context_name_ = key;
  const GgufType type = read_value_type("the type of the value");
  const std::uint64_t value_at = pos_;
  GgufValue value = read_value(type);
  value.bytes = file_.bytes_.subspan(value_at, pos_ - value_at);
  if (!file_.values_.try_emplace(key, std::move(value)).second) {
    throw bad(at, "the key occurs a second time; convert the model again");
  }
  file_.keys_.emplace_back(key);
}

GgufType GgufParser::read_value_type(std::string_view what) {
  const std::uint64_t at = pos_;
  const auto number = read<std::uint32_t>(what);
  if (number > static_cast<std::uint32_t>(GgufType::kFloat64)) {
    throw bad(at, std::string(what) + " is " + std::to_string(number) +
                      ", known are 0 to 12; the file is damaged or too new");
  }
  return static_cast<GgufType>(number);
}

GgufValue GgufParser::read_value(GgufType type) {
  constexpr std::string_view kWhat = "the value";
  GgufValue value;
  value.type = type;
  switch (type) {
    case GgufType::kUint8:
      value.value = std::int64_t{read<std::uint8_t>(kWhat)};
      break;
    case GgufType::kInt8:
      value.value = std::int64_t{read<std::int8_t>(kWhat)};
      break;
    case GgufType::kUint16:
      value.value = std::int64_t{read<std::uint16_t>(kWhat)};
      break;
    case GgufType::kInt16:
      value.value = std::int64_t{read<std::int16_t>(kWhat)};
      break;
    case GgufType::kUint32:
      value.value = std::int64_t{read<std::uint32_t>(kWhat)};
      break;
    case GgufType::kInt32:
      value.value = std::int64_t{read<std::int32_t>(kWhat)};
      break;
    case GgufType::kUint64:
      value.value = static_cast<std::int64_t>(read<std::uint64_t>(kWhat));
      break;
    case GgufType::kInt64:
      value.value = read<std::int64_t>(kWhat);
      break;
    case GgufType::kFloat32:
      value.value = double{read<float>(kWhat)};
      break;
    case GgufType::kFloat64:
      value.value = read<double>(kWhat);
      break;
    case GgufType::kBool:
      value.value = std::int64_t{read_bool()};
      break;
    case GgufType::kString:
      value.value = read_string(kWhat);
      break;
    case GgufType::kArray:
      value.value = read_array(1);
      break;
  }
  return value;
}

bool GgufParser::read_bool() {
  const std::uint64_t at = pos_;
  const auto byte = read<std::uint8_t>("the value");
  if (byte > 1) {
    throw bad(at, "a bool is " + std::to_string(byte) + ", expected 0 or 1; the file is damaged");
  }
  return byte == 1;
}

GgufArray GgufParser::read_array(int depth) {
  GgufArray array;
  array.element_type = read_value_type("the element type of an array");
  const std::uint64_t element_bytes = scalar_bytes(array.element_type);
  if (array.element_type == GgufType::kString) {
    array.count = read_count(kMinStringBytes, "the number of strings");
    read_string_array(array);
  } else if (array.element_type == GgufType::kArray) {
    const std::uint64_t at = pos_;
    array.count = read_count(kMinArrayBytes, "the number of arrays");
    if (depth == kMaxArrayDepth) {
      throw bad(at, "arrays are nested more than " + std::to_string(kMaxArrayDepth) +
                        " deep; the file is damaged");
    }
    for (std::uint64_t i = 0; i < array.count; ++i) read_array(depth + 1);
  } else {
    array.count = read_count(element_bytes, "the number of array elements");
    array.bytes = file_.bytes_.subspan(pos_, array.count * element_bytes);
    if (array.element_type == GgufType::kBool) {
      for (std::uint64_t i = 0; i < array.count; ++i) read_bool();
    } else {
      pos_ += array.bytes.size();
    }
  }
  return array;
}

void GgufParser::read_string_array(GgufArray& array) {
  array.strings.reserve(std::min(array.count, kMaxReserve));
  for (std::uint64_t i = 0; i < array.count; ++i) {
    array.strings.push_back(read_string("a string of the array"));
  }
}

void GgufParser::read_alignment() {
  const GgufValue* value = file_.find(kAlignmentKey);
  if (value == nullptr) return;
  if (value->type != GgufType::kUint32) {
    throw file_.bad_value(kAlignmentKey, "expected a value of type u32, got " +
                                             std::string(gguf_type_name(value->type)) +
                                             "; the file is damaged");
  }
  const auto alignment = static_cast<std::uint64_t>(std::get<std::int64_t>(value->value));
  if (!std::has_single_bit(alignment) || alignment < kMinAlignment) {
    throw file_.bad_value(kAlignmentKey, "the alignment is " + with_commas(alignment) +
                                             ", expected a power of two from 8 up; the file " +
                                             "is damaged");
  }
  file_.alignment_ = alignment;
}

}  // namespace galley
