// GGUF bytes put together field by field, so that any field can be wrong.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/gguf.h"

namespace galley::test {

class RawGguf {
 public:
  RawGguf& text(std::string_view characters) {
    bytes_ += characters;
    return *this;
  }
  template <typename T>
  RawGguf& number(T value) {
    return text({reinterpret_cast<const char*>(&value), sizeof(value)});
  }
  RawGguf& u32(std::uint32_t value) { return number(value); }
  RawGguf& u64(std::uint64_t value) { return number(value); }
  RawGguf& string(std::string_view characters) { return u64(characters.size()).text(characters); }
  RawGguf& header(std::uint64_t n_tensors, std::uint64_t n_keys, std::uint32_t version = 3) {
    return text("GGUF").u32(version).u64(n_tensors).u64(n_keys);
  }
  RawGguf& key(std::string_view name, GgufType type) {
    return string(name).u32(static_cast<std::uint32_t>(type));
  }
  // A tensor record; `dims` fastest first, as in the file.
  RawGguf& tensor(std::string_view name, std::span<const std::uint64_t> dims, std::uint32_t type,
                  std::uint64_t offset) {
    string(name).u32(static_cast<std::uint32_t>(dims.size()));
    for (const std::uint64_t dim : dims) u64(dim);
    return u32(type).u64(offset);
  }
  // `n_bytes` of data, after the padding that leads to it.
  RawGguf& data(std::size_t n_bytes, std::size_t alignment = 32) {
    bytes_.resize((bytes_.size() + alignment - 1) / alignment * alignment);
    bytes_.resize(bytes_.size() + n_bytes, '\1');
    return *this;
  }

  std::vector<std::byte> bytes() const {
    const auto span = std::as_bytes(std::span(bytes_));
    return {span.begin(), span.end()};
  }

 private:
  std::string bytes_;
};

}  // namespace galley::test
