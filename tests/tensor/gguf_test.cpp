// The GGUF reader on good files: values, look-ups, tensors, truncation and corruption.
#include "tensor/gguf.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "tests/tensor/raw_gguf.h"
#include "tests/tensor/sample_gguf.h"
#include "tests/tensor/walk_gguf.h"

namespace galley {
namespace {

using test::RawGguf;
using test::small_file;

// What `action` throws; fails the test if it throws nothing.
template <typename Action>
std::string message_of(Action action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  ADD_FAILURE() << "no error";
  return {};
}

TEST(Gguf, ReadsWhatTheWriterWrote) {
  const std::vector<std::byte> bytes = small_file();
  const GgufFile file = GgufFile::from_memory(bytes, "small.gguf");
  EXPECT_EQ(file.version(), 3u);
  EXPECT_EQ(file.alignment(), 32u);
  EXPECT_EQ(file.file_bytes(), static_cast<std::int64_t>(bytes.size()));
  EXPECT_EQ(file.keys().size(), 9u);
  EXPECT_EQ(file.keys()[1], "a.uint32");
  EXPECT_EQ(file.get_string("general.architecture"), "test");
  EXPECT_EQ(file.get_int("a.uint32"), 4'000'000'000);
  EXPECT_EQ(file.get_int("a.int32"), -5);
  EXPECT_EQ(file.get_float("a.int32"), -5.0);
  EXPECT_EQ(file.get_float("a.float32"), 1.5);
  EXPECT_EQ(file.get_bool("a.bool"), true);
  EXPECT_TRUE(file.find("a.uint64")->is_big_uint64());
  EXPECT_EQ(file.get_float("a.uint64"), 0x1p64);

  const GgufArray* words = file.get_array("a.words");
  ASSERT_EQ(words->count, 3u);
  EXPECT_FALSE(words->has_numbers());
  EXPECT_EQ(words->strings, (std::vector<std::string_view>{"one", "", "three"}));
  const GgufArray* ints = file.get_array("a.ints");
  ASSERT_EQ(ints->count, 3u);
  EXPECT_EQ(ints->as_int(1), -2);
  EXPECT_EQ(ints->as_double(1), -2.0);
  EXPECT_EQ(file.get_array("a.floats")->as_double(1), -2.5);
}

TEST(Gguf, TensorsLieInTheFile) {
  const std::vector<std::byte> bytes = small_file();
  const GgufFile file = GgufFile::from_memory(bytes, "small.gguf");
  ASSERT_EQ(file.tensors().size(), 3u);
  const Tensor& matrix = file.tensors()[0];
  EXPECT_EQ(matrix.name, "matrix");
  EXPECT_EQ(matrix.shape_string(), "[2, 3]");
  EXPECT_EQ(matrix.rows(), 2);
  EXPECT_EQ(matrix.cols(), 3);
  EXPECT_EQ(matrix.data, bytes.data() + file.data_offset());
  EXPECT_EQ(dequantize(matrix), (std::vector<float>{1, 2, 3, 4, 5, 6}));
  const Tensor* blocks = file.find_tensor("blocks");
  ASSERT_NE(blocks, nullptr);
  EXPECT_EQ(blocks->rows(), 2);
  EXPECT_EQ(blocks->n_elements(), 64);
  EXPECT_EQ(blocks->row(1), blocks->data + 34);
  EXPECT_EQ(file.find_tensor("nobody"), nullptr);
}

TEST(Gguf, LookupsOfAbsentKeysGiveNothing) {
  const std::vector<std::byte> bytes = small_file();
  const GgufFile file = GgufFile::from_memory(bytes, "small.gguf");
  EXPECT_EQ(file.find("no"), nullptr);
  EXPECT_EQ(file.get_int("no"), std::nullopt);
  EXPECT_EQ(file.get_float("no"), std::nullopt);
  EXPECT_EQ(file.get_bool("no"), std::nullopt);
  EXPECT_EQ(file.get_string("no"), std::nullopt);
  EXPECT_EQ(file.get_array("no"), nullptr);
}

TEST(Gguf, LookupsOfTheWrongTypeSayWhatIsThere) {
  const std::vector<std::byte> bytes = small_file();
  const GgufFile file = GgufFile::from_memory(bytes, "small.gguf");
  EXPECT_NE(message_of([&] { file.get_int("a.bool"); }).find("'a.bool'"), std::string::npos);
  EXPECT_NE(message_of([&] { file.get_int("a.words"); }).find("arr"), std::string::npos);
  EXPECT_NE(message_of([&] { file.get_int("a.uint64"); }).find("2^63"), std::string::npos);
  EXPECT_NE(message_of([&] { file.get_float("a.bool"); }).find("bool"), std::string::npos);
  EXPECT_NE(message_of([&] { file.get_bool("a.int32"); }).find("i32"), std::string::npos);
  EXPECT_NE(message_of([&] { file.get_string("a.int32"); }).find("i32"), std::string::npos);
  EXPECT_NE(message_of([&] { file.get_array("a.int32"); }).find("i32"), std::string::npos);
  // The byte offset leads to the value: the four bytes of -5.
  const std::string line = file.bad_value("a.int32", "makes no sense").what();
  const std::byte* value = file.find("a.int32")->bytes.data();
  EXPECT_EQ(line, "small.gguf: key 'a.int32' (byte " + std::to_string(value - bytes.data()) +
                      "): makes no sense");
  EXPECT_EQ(static_cast<unsigned>(*value), 0xfbu);
}

TEST(Gguf, EveryScalarTypeIsRead) {
  const std::vector<std::byte> bytes = RawGguf()
                                           .header(0, 11)
                                           .key("u8", GgufType::kUint8)
                                           .number(std::uint8_t{200})
                                           .key("i8", GgufType::kInt8)
                                           .number(std::int8_t{-100})
                                           .key("u16", GgufType::kUint16)
                                           .number(std::uint16_t{60000})
                                           .key("i16", GgufType::kInt16)
                                           .number(std::int16_t{-30000})
                                           .key("u32", GgufType::kUint32)
                                           .number(std::uint32_t{4000000000})
                                           .key("i32", GgufType::kInt32)
                                           .number(std::int32_t{-2000000000})
                                           .key("u64", GgufType::kUint64)
                                           .number(std::uint64_t{1} << 62)
                                           .key("i64", GgufType::kInt64)
                                           .number(-(std::int64_t{1} << 62))
                                           .key("f32", GgufType::kFloat32)
                                           .number(0.25f)
                                           .key("f64", GgufType::kFloat64)
                                           .number(0.1)
                                           .key("bool", GgufType::kBool)
                                           .number(std::uint8_t{0})
                                           .bytes();
  const GgufFile file = GgufFile::from_memory(bytes, "scalars.gguf");
  EXPECT_EQ(file.get_int("u8"), 200);
  EXPECT_EQ(file.get_int("i8"), -100);
  EXPECT_EQ(file.get_int("u16"), 60000);
  EXPECT_EQ(file.get_int("i16"), -30000);
  EXPECT_EQ(file.get_int("u32"), 4000000000);
  EXPECT_EQ(file.get_int("i32"), -2000000000);
  EXPECT_EQ(file.get_int("u64"), std::int64_t{1} << 62);
  EXPECT_EQ(file.get_int("i64"), -(std::int64_t{1} << 62));
  EXPECT_EQ(file.get_float("f32"), 0.25);
  EXPECT_EQ(file.get_float("f64"), 0.1);
  EXPECT_EQ(file.get_bool("bool"), false);
  for (const std::string& key : file.keys()) {
    EXPECT_EQ(gguf_type_name(file.find(key)->type), key);
  }
}

TEST(Gguf, ArraysOfEveryScalarTypeGiveTheirElements) {
  RawGguf raw;
  raw.header(0, 4);
  raw.key("i8", GgufType::kArray).u32(1).u64(2).number(std::int8_t{-1}).number(std::int8_t{7});
  raw.key("u64", GgufType::kArray).u32(10).u64(1).u64(~std::uint64_t{0});
  raw.key("f64", GgufType::kArray).u32(12).u64(1).number(0.1);
  raw.key("bool", GgufType::kArray).u32(7).u64(3).text(std::string_view("\0\1\1", 3));
  const std::vector<std::byte> bytes = raw.bytes();
  const GgufFile file = GgufFile::from_memory(bytes, "arrays.gguf");
  EXPECT_TRUE(file.get_array("i8")->has_integers());
  EXPECT_FALSE(file.get_array("f64")->has_integers());
  EXPECT_TRUE(file.get_array("f64")->has_numbers());
  EXPECT_EQ(file.get_array("i8")->as_int(0), -1);
  EXPECT_EQ(file.get_array("i8")->as_double(1), 7.0);
  EXPECT_EQ(file.get_array("u64")->as_int(0), -1);  // the bit pattern
  EXPECT_EQ(file.get_array("u64")->as_double(0), 0x1p64);
  EXPECT_EQ(file.get_array("f64")->as_double(0), 0.1);
  EXPECT_EQ(file.get_array("bool")->as_int(2), 1);
}

TEST(Gguf, VersionTwoAndOtherAlignmentsAreRead) {
  RawGguf raw;
  const std::uint64_t dims[] = {4};
  raw.header(2, 1, 2).key("general.alignment", GgufType::kUint32).u32(64);
  raw.tensor("a", dims, 0, 0).tensor("b", dims, 0, 64).data(64 + 16, 64);
  const std::vector<std::byte> bytes = raw.bytes();
  const GgufFile file = GgufFile::from_memory(bytes, "v2.gguf");
  EXPECT_EQ(file.version(), 2u);
  EXPECT_EQ(file.alignment(), 64u);
  EXPECT_EQ(file.data_offset() % 64, 0);
  EXPECT_EQ(file.find_tensor("b")->data - file.find_tensor("a")->data, 64);
}

TEST(Gguf, TensorsMayLieInAnyOrderWithGaps) {
  RawGguf raw;
  const std::uint64_t dims[] = {4};
  raw.header(2, 0).tensor("second", dims, 0, 96).tensor("first", dims, 0, 0).data(200);
  const std::vector<std::byte> bytes = raw.bytes();
  EXPECT_EQ(GgufFile::from_memory(bytes, "gaps.gguf").tensors().size(), 2u);
}

TEST(Gguf, AFileWithoutTensorsMayEndAfterItsMetadata) {
  const std::vector<std::byte> bytes = RawGguf().header(0, 0).bytes();
  EXPECT_TRUE(GgufFile::from_memory(bytes, "none.gguf").tensors().empty());
}

TEST(Gguf, TypesWithoutDequantizationAreListedAllTheSame) {
  RawGguf raw;
  const std::uint64_t dims[] = {256};
  raw.header(1, 0).tensor("t", dims, 24, 0).data(256);
  const std::vector<std::byte> bytes = raw.bytes();
  const GgufFile file = GgufFile::from_memory(bytes, "i8.gguf");
  EXPECT_EQ(dtype_info(file.tensors()[0].type).name, "I8");
  EXPECT_FALSE(dtype_info(file.tensors()[0].type).is_supported);
}

TEST(Gguf, EveryTruncationIsAnError) {
  const std::vector<std::byte> whole = small_file();
  for (std::size_t n = 0; n < whole.size(); ++n) {
    // A copy of its own size, so that a sanitizer sees a read behind its end.
    const std::vector<std::byte> cut(whole.begin(), whole.begin() + static_cast<long>(n));
    const std::string line = message_of([&] { GgufFile::from_memory(cut, "cut.gguf"); });
    ASSERT_TRUE(line.starts_with("cut.gguf: ")) << n << ": " << line;
  }
}

TEST(Gguf, EveryCorruptedByteGivesAnErrorOrASoundFile) {
  std::vector<std::byte> bytes = small_file();
  int n_errors = 0;
  int n_accepted = 0;
  for (std::byte& byte : bytes) {
    const std::byte original = byte;
    for (const unsigned flip : {0x01u, 0x02u, 0x04u, 0x08u, 0x10u, 0x20u, 0x40u, 0x80u, 0xffu}) {
      byte = original ^ static_cast<std::byte>(flip);
      try {
        test::walk(GgufFile::from_memory(bytes, "corrupt.gguf"));
        ++n_accepted;
      } catch (const Error& error) {
        ASSERT_EQ(std::string(error.what()).find('\n'), std::string::npos);
        ++n_errors;
      }
    }
    byte = original;
  }
  EXPECT_GT(n_errors, 1000);
  EXPECT_GT(n_accepted, 1000);
}

TEST(Gguf, OnlyRegularFilesAreOpened) {
  const auto folder =
      std::filesystem::temp_directory_path() / ("galley_gguf_test_" + std::to_string(::getpid()));
  std::filesystem::create_directory(folder);
  const auto open = [&](const std::string& name) {
    return message_of([&] { GgufFile::open(folder / name); });
  };
  EXPECT_NE(open("missing").find("No such file"), std::string::npos);
  EXPECT_NE(open("").find("a folder"), std::string::npos);
  ASSERT_EQ(::mkfifo((folder / "pipe").c_str(), 0600), 0);
  EXPECT_NE(open("pipe").find("a pipe"), std::string::npos);
  EXPECT_NE(message_of([] { GgufFile::open("/dev/zero"); }).find("a device"), std::string::npos);
  std::ofstream(folder / "empty").close();
  EXPECT_NE(open("empty").find("empty"), std::string::npos);

  // A mapped file serves until it is closed, whatever becomes of its name.
  const std::vector<std::byte> bytes = small_file();
  std::ofstream(folder / "good", std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()), static_cast<long>(bytes.size()));
  GgufFile file = GgufFile::open(folder / "good");
  std::filesystem::remove_all(folder);
  const GgufFile moved = std::move(file);
  EXPECT_EQ(test::walk(moved), test::walk(GgufFile::from_memory(bytes, "good")));
}

}  // namespace
}  // namespace galley
