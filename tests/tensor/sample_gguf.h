// Small valid files that several tests use; also the seeds of the fuzz target.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "tensor/gguf_writer.h"
#include "tests/tensor/raw_gguf.h"

namespace galley::test {

// A small file with one of everything; its last tensor ends without padding.
inline std::vector<std::byte> small_file() {
  GgufWriter writer;
  writer.set_string("general.architecture", "test");
  writer.set_uint32("a.uint32", 4'000'000'000u);
  writer.set_int32("a.int32", -5);
  writer.set_uint64("a.uint64", ~std::uint64_t{0});
  writer.set_float32("a.float32", 1.5f);
  writer.set_bool("a.bool", true);
  const std::vector<std::string> words = {"one", "", "three"};
  writer.set_string_array("a.words", words);
  const std::vector<std::int32_t> ints = {1, -2, 3};
  writer.set_int32_array("a.ints", ints);
  const std::vector<float> floats = {0.5f, -2.5f};
  writer.set_float32_array("a.floats", floats);

  static const std::vector<float> matrix = {1, 2, 3, 4, 5, 6};
  static const std::vector<std::byte> blocks(2 * 34, std::byte{1});
  static const std::vector<float> last(8, 7.0f);
  const std::int64_t matrix_shape[] = {2, 3};
  const std::int64_t blocks_shape[] = {2, 1, 32};
  const std::int64_t last_shape[] = {8};
  writer.add_tensor("matrix", DType::kF32, matrix_shape, std::as_bytes(std::span(matrix)));
  writer.add_tensor("blocks", DType::kQ8_0, blocks_shape, blocks);
  writer.add_tensor("last", DType::kF32, last_shape, std::as_bytes(std::span(last)));
  return writer.to_bytes();
}

// A file whose metadata has every scalar type, each also as an array, and nested arrays.
inline std::vector<std::byte> metadata_file() {
  constexpr std::uint32_t kBytes[13] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
  RawGguf raw;
  raw.header(0, 23);
  for (std::uint32_t type = 0; type < 13; ++type) {
    if (kBytes[type] == 0) continue;
    const std::string value(kBytes[type], type == 7 ? '\1' : '\x2a');
    const std::string number = std::to_string(type);
    raw.key(number + " scalar", static_cast<GgufType>(type)).text(value);
    raw.key(number + " array", GgufType::kArray).u32(type).u64(2);
    raw.text(value).text(value);
  }
  return raw.key("nested", GgufType::kArray).u32(9).u64(1).u32(8).u64(1).string("x").bytes();
}

// A tensor of every type, one block each; version 2, alignment 8.
inline std::vector<std::byte> all_types_file() {
  RawGguf raw;
  raw.header(all_dtypes().size(), 1, 2).key("general.alignment", GgufType::kUint32).u32(8);
  std::uint64_t offset = 0;
  for (const DTypeInfo& info : all_dtypes()) {
    const std::vector<std::uint64_t> dims = {static_cast<std::uint64_t>(info.block_elements)};
    raw.tensor(std::string(info.name), dims, static_cast<std::uint32_t>(info.type), offset);
    offset += (static_cast<std::uint64_t>(info.block_bytes) + 7) / 8 * 8;
  }
  return raw.data(offset, 8).bytes();
}

// Name -> bytes of the files in tests/data/fuzz_gguf.
inline std::map<std::string, std::vector<std::byte>> fuzz_seeds() {
  const std::vector<std::uint64_t> dims = {4, 2, 1, 1};
  return {
      {"small.gguf", small_file()},
      {"metadata.gguf", metadata_file()},
      {"all_types.gguf", all_types_file()},
      {"no_tensors.gguf", RawGguf().header(0, 0).bytes()},
      {"four_dims.gguf", RawGguf().header(1, 0).tensor("t", dims, 0, 0).data(32).bytes()},
      {"big_endian.gguf", RawGguf().header(0, 0, 0x03000000).bytes()},
  };
}

}  // namespace galley::test
