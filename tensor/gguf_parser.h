// The parser behind GgufFile: one pass over the header of a GGUF file, trusting nothing.
//
// Layout, in order: magic, version, counts; the metadata; the tensor records; padding; the
// tensor data (docs/gguf.md). Internal to tensor/.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>

#include "tensor/gguf.h"

namespace galley {

class GgufParser {
 public:
  // Fills `file`, whose path and bytes are set. Both must outlive the parser.
  explicit GgufParser(GgufFile& file) : file_(file) {}

  // Throws Error kBadModel, with the byte offset, for anything malformed.
  void parse();

 private:
  // The next bytes, read at pos_. `what` names the field in messages.
  void need(std::uint64_t n_bytes, std::string_view what) const;
  template <typename T>
  T read(std::string_view what);
  std::string_view read_string(std::string_view what);
  // A count of things that take at least `min_bytes` each, checked against what is left.
  std::uint64_t read_count(std::uint64_t min_bytes, std::string_view what);

  void read_header();
  void read_key_value();
  GgufValue read_value(GgufType type);
  GgufType read_value_type(std::string_view what);
  bool read_bool();
  GgufArray read_array(int depth);
  void read_string_array(GgufArray& array);
  void read_alignment();

  // gguf_parser_tensors.cpp
  void read_tensor(std::uint64_t index);
  std::vector<std::int64_t> read_shape();
  DType read_dtype();
  std::int64_t tensor_bytes(const Tensor& tensor, std::uint64_t at) const;
  void place_tensors();
  void check_overlaps() const;

  // "path: at byte N, in CONTEXT: DETAIL", where context_ is the key or tensor being read.
  Error bad(std::uint64_t at, const std::string& detail) const;
  std::uint64_t left() const { return file_.bytes_.size() - pos_; }

  GgufFile& file_;
  std::uint64_t pos_ = 0;
  std::uint64_t n_tensors_ = 0;
  std::uint64_t n_keys_ = 0;
  // What is being read, for messages: "key" or "tensor" and its name.
  std::string_view context_kind_;
  std::string_view context_name_;
  std::vector<std::uint64_t> offsets_;  // of each tensor, from data_offset_
};

template <typename T>
T GgufParser::read(std::string_view what) {
  static_assert(std::is_trivially_copyable_v<T>);
  need(sizeof(T), what);
  T value;
  std::memcpy(&value, file_.bytes_.data() + pos_, sizeof(T));
  pos_ += sizeof(T);
  return value;
}

}  // namespace galley
