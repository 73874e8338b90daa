// Files made to break a reader: each fault alone, each refused by name.
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "tensor/gguf.h"
#include "tests/tensor/raw_gguf.h"

namespace galley {
namespace {

using test::RawGguf;

constexpr std::uint64_t kOnes = ~std::uint64_t{0};
using Dims = std::vector<std::uint64_t>;

struct Case {
  std::string fault;
  RawGguf raw;
  std::string expected;  // part of the message
};

RawGguf one_tensor(const Dims& dims, std::uint32_t type, std::uint64_t offset = 0,
                   std::size_t data_bytes = 64) {
  return RawGguf().header(1, 0).tensor("t", dims, type, offset).data(data_bytes);
}

RawGguf one_key(GgufType type) { return RawGguf().header(0, 1).key("k", type); }

RawGguf one_array(std::uint32_t element_type, std::uint64_t count) {
  return one_key(GgufType::kArray).u32(element_type).u64(count);
}

RawGguf nested_arrays(int depth) {
  RawGguf raw = one_key(GgufType::kArray);
  for (int i = 1; i < depth; ++i) raw.u32(9).u64(1);
  return raw.u32(0).u64(0);
}

std::vector<Case> header_cases() {
  return {
      {"old format", RawGguf().text("tjgg").u32(1).data(64), "before GGUF"},
      {"web page", RawGguf().text("<!DOCTYPE html><html>"), "web page"},
      {"git lfs", RawGguf().text("version https://git-lfs.github.com/spec/v1\n"), "git lfs pull"},
      {"safetensors", RawGguf().u64(1000).text("{\"__metadata__\":{}}"), "safetensors"},
      {"checkpoint", RawGguf().text("PK\3\4").data(64), "PyTorch"},
      {"control characters", RawGguf().text("\x1b[2J\n"), "'\\x1b[2J'"},
      {"one byte", RawGguf().text("G"), "truncated"},
      {"version 0", RawGguf().header(0, 0, 0), "version 0"},
      {"version 1", RawGguf().header(0, 0, 1), "version 1"},
      {"version 4", RawGguf().header(0, 0, 4), "version 4"},
      {"big endian", RawGguf().header(0, 0, 0x03000000), "big endian"},
      {"all ones tensors", RawGguf().header(kOnes, 0), "number of tensors"},
      {"all ones keys", RawGguf().header(0, kOnes), "number of metadata entries"},
      {"more keys than bytes", RawGguf().header(0, 3).data(32), "number of metadata entries"},
      {"more tensors than bytes", RawGguf().header(9, 0).data(96), "number of tensors"},
  };
}

std::vector<Case> metadata_cases() {
  return {
      {"empty key", RawGguf().header(0, 1).key("", GgufType::kUint8).u64(0), "key is empty"},
      {"long key", RawGguf().header(0, 1).key(std::string(65536, 'k'), GgufType::kUint8).u64(0),
       "65,536 bytes"},
      {"key length", RawGguf().header(0, 1).u64(kOnes).u64(0), "truncated"},
      {"duplicate key",
       RawGguf()
           .header(0, 2)
           .key("k", GgufType::kUint8)
           .text("1")
           .key("k", GgufType::kBool)
           .text(std::string_view("\1\0\0\0", 4)),
       "second time"},
      {"unknown type", one_key(static_cast<GgufType>(13)).u64(0), "known are 0 to 12"},
      {"no value", one_key(GgufType::kFloat64).u32(0), "takes 8 bytes"},
      {"bool of 2", one_key(GgufType::kBool).text("\2"), "expected 0 or 1"},
      {"string length", one_key(GgufType::kString).u64(kOnes - 7), "truncated"},
      {"string one too long", one_key(GgufType::kString).u64(4).text("abc"), "takes 4 bytes"},
      {"unknown element type", one_array(99, 0), "known are 0 to 12"},
      {"all ones strings", one_array(8, kOnes), "number of strings"},
      {"all ones arrays", one_array(9, kOnes), "number of arrays"},
      {"all ones elements", one_array(0, kOnes), "number of array elements"},
      {"product overflows", one_array(10, (std::uint64_t{1} << 61) + 1).u64(0), "elements"},
      {"one element short", one_array(4, 2).u32(1).text("abc"), "elements"},
      {"one string short", one_array(8, 2).string("a long enough string"), "truncated"},
      {"bool element of 255", one_array(7, 2).text("\1\xff"), "expected 0 or 1"},
      {"nested too deep", nested_arrays(5), "nested"},
      {"alignment 0", RawGguf().header(0, 1).key("general.alignment", GgufType::kUint32).u32(0),
       "power of two"},
      {"alignment 24", RawGguf().header(0, 1).key("general.alignment", GgufType::kUint32).u32(24),
       "power of two"},
      {"alignment 4", RawGguf().header(0, 1).key("general.alignment", GgufType::kUint32).u32(4),
       "from 8 up"},
      {"alignment text",
       RawGguf().header(0, 1).key("general.alignment", GgufType::kString).string("32"), "u32"},
      {"alignment u64", RawGguf().header(0, 1).key("general.alignment", GgufType::kUint64).u64(32),
       "u32"},
  };
}

std::vector<Case> tensor_cases() {
  return {
      {"no name", RawGguf().header(1, 0).tensor("", Dims{4}, 0, 0).data(64), "1 to 64"},
      {"long name", RawGguf().header(1, 0).tensor(std::string(65, 'n'), Dims{4}, 0, 0).data(64),
       "65 bytes"},
      {"name length", RawGguf().header(1, 0).u64(kOnes).data(64), "truncated"},
      {"no dimensions", one_tensor({}, 0).u64(0), "0 dimensions"},
      {"five dimensions", one_tensor({1, 1, 1, 1, 1}, 0), "5 dimensions"},
      {"all ones dimensions", RawGguf().header(1, 0).string("t").u32(~0u).data(64), "dimensions"},
      {"zero dimension", one_tensor({4, 0}, 0), "dimension is 0"},
      {"negative dimension", one_tensor({kOnes}, 0), "2^63"},
      {"product overflows to 0", one_tensor({std::uint64_t{1} << 33, std::uint64_t{1} << 31}, 0),
       "larger than any file"},
      {"bytes overflow", one_tensor({std::uint64_t{1} << 62}, 0), "larger than any file"},
      {"elements overflow",  // 2^63 elements in 0.2 * 2^63 bytes
       one_tensor({256, std::uint64_t{1} << 55}, 34), "larger than any file"},
      {"unknown type", one_tensor({4}, 4), "type number is 4"},
      {"largest type", one_tensor({4}, ~0u), "type number is 4294967295"},
      {"half a block", one_tensor({48}, 8), "32 in a block of Q8_0"},
      {"unaligned offset", one_tensor({4}, 0, 16), "not a multiple"},
      {"offset behind the end", one_tensor({4}, 0, 96), "truncated"},
      {"offset overflows", one_tensor({4}, 0, kOnes - 31), "truncated"},
      {"one byte short", one_tensor({16}, 0, 0, 63), "needs 64 bytes"},
      {"no data", RawGguf().header(1, 0).tensor("t", Dims{4}, 0, 0), "truncated"},
      {"duplicate",
       RawGguf().header(2, 0).tensor("t", Dims{4}, 0, 0).tensor("t", Dims{4}, 0, 32).data(64),
       "second time"},
      {"same place",
       RawGguf().header(2, 0).tensor("a", Dims{4}, 0, 32).tensor("b", Dims{4}, 0, 32).data(64),
       "share bytes"},
      {"overlap",
       RawGguf().header(2, 0).tensor("a", Dims{4}, 0, 32).tensor("b", Dims{9}, 0, 0).data(64),
       "share bytes"},
      {"control characters in a name",
       RawGguf().header(1, 0).tensor("\x1b[31m\n", Dims{4}, 99, 0).data(64), "'\\x1b[31m\\x0a'"},
  };
}

void expect_refused(const std::vector<Case>& cases) {
  for (const Case& c : cases) {
    const std::vector<std::byte> bytes = c.raw.bytes();
    try {
      GgufFile::from_memory(bytes, "hostile.gguf");
      ADD_FAILURE() << c.fault << ": accepted";
    } catch (const Error& error) {
      const std::string line = error.what();
      EXPECT_EQ(error.kind(), ErrorKind::kBadModel) << c.fault;
      EXPECT_TRUE(line.starts_with("hostile.gguf: ")) << line;
      EXPECT_NE(line.find(c.expected), std::string::npos) << c.fault << ": " << line;
      EXPECT_EQ(line.find_first_of("\n\x1b"), std::string::npos) << line;
    }
  }
}

TEST(HostileGguf, FaultsOfTheHeader) { expect_refused(header_cases()); }
TEST(HostileGguf, FaultsOfTheMetadata) { expect_refused(metadata_cases()); }
TEST(HostileGguf, FaultsOfTheTensors) { expect_refused(tensor_cases()); }

// The faults above are not refused for another reason: without them the file is good.
TEST(HostileGguf, TheSameFilesWithoutTheFaultAreAccepted) {
  const std::vector<RawGguf> good = {
      one_tensor({4}, 0),
      one_tensor({32}, 8),
      one_tensor({16}, 0, 0, 64),
      one_tensor({1, 1, 1, 1}, 0),
      one_array(4, 2).u32(1).u32(2),
      one_array(8, 2).string("a long enough string").string(""),
      one_array(7, 2).text("\1\1"),
      nested_arrays(4),
      one_key(GgufType::kString).u64(3).text("\xff\xfe\xfd"),  // bytes, not always UTF-8
      RawGguf().header(0, 1).key(std::string(65535, 'k'), GgufType::kUint8).text("1"),
      RawGguf().header(1, 0).tensor(std::string(64, 'n'), Dims{4}, 0, 0).data(64),
      RawGguf().header(2, 0).tensor("a", Dims{4}, 0, 32).tensor("b", Dims{8}, 0, 0).data(64),
  };
  for (const RawGguf& raw : good) {
    const std::vector<std::byte> bytes = raw.bytes();
    EXPECT_NO_THROW(GgufFile::from_memory(bytes, "good.gguf"));
  }
}

}  // namespace
}  // namespace galley
