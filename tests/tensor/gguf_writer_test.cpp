// The GGUF writer: what it writes is read back the same.
#include "tensor/gguf_writer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include "tests/conformance.h"
#include "tests/tensor/raw_gguf.h"
#include "tests/tensor/temp_folder.h"

namespace galley {
namespace {

// A writer with all of `file`.
GgufWriter copy_of(const GgufFile& file) {
  GgufWriter writer;
  for (const std::string& key : file.keys()) writer.copy_value(file, key);
  for (const Tensor& tensor : file.tensors()) {
    writer.add_tensor(tensor.name, tensor.type, tensor.shape,
                      {tensor.data, static_cast<std::size_t>(tensor.n_bytes)});
  }
  return writer;
}

void expect_same(const GgufFile& a, const GgufFile& b) {
  EXPECT_EQ(a.keys(), b.keys());
  for (const std::string& key : a.keys()) {
    const GgufValue* va = a.find(key);
    const GgufValue* vb = b.find(key);
    ASSERT_NE(vb, nullptr) << key;
    EXPECT_EQ(va->type, vb->type) << key;
    EXPECT_TRUE(std::ranges::equal(va->bytes, vb->bytes)) << key;
  }
  ASSERT_EQ(a.tensors().size(), b.tensors().size());
  for (std::size_t i = 0; i < a.tensors().size(); ++i) {
    const Tensor& ta = a.tensors()[i];
    const Tensor& tb = b.tensors()[i];
    EXPECT_EQ(ta.name, tb.name);
    EXPECT_EQ(ta.type, tb.type) << ta.name;
    EXPECT_EQ(ta.shape, tb.shape) << ta.name;
    ASSERT_EQ(ta.n_bytes, tb.n_bytes) << ta.name;
    EXPECT_EQ(std::memcmp(ta.data, tb.data, static_cast<std::size_t>(ta.n_bytes)), 0) << ta.name;
  }
}

TEST(GgufWriter, RandomFilesAreReadBackTheSame) {
  std::mt19937 random(1);
  for (int round = 0; round < 50; ++round) {
    GgufWriter writer;
    std::vector<std::vector<std::byte>> contents;
    if (round % 2 == 1) writer.set_uint32("general.alignment", 8u << (random() % 6));
    const auto n_keys = random() % 20;
    for (std::uint32_t i = 0; i < n_keys; ++i) {
      const std::string key = "key" + std::to_string(i);
      if (random() % 2 == 0) writer.set_uint32(key, static_cast<std::uint32_t>(random()));
      if (random() % 2 == 0) writer.set_string(key, std::string(random() % 50, 'x'));
    }
    const auto n_tensors = random() % 10;
    contents.reserve(n_tensors);
    for (std::uint32_t i = 0; i < n_tensors; ++i) {
      const DTypeInfo& info = all_dtypes()[random() % all_dtypes().size()];
      std::vector<std::int64_t> shape;
      const auto n_outer = random() % 4;
      for (std::uint32_t d = 0; d < n_outer; ++d) {
        shape.push_back(static_cast<std::int64_t>(1 + random() % 3));
      }
      shape.push_back(info.block_elements * static_cast<std::int64_t>(1 + random() % 3));
      std::int64_t n_bytes = row_bytes(info.type, shape.back());
      for (std::size_t d = 0; d + 1 < shape.size(); ++d) n_bytes *= shape[d];
      contents.emplace_back(static_cast<std::size_t>(n_bytes));
      for (std::byte& byte : contents.back()) byte = static_cast<std::byte>(random());
      writer.add_tensor("tensor" + std::to_string(i), info.type, shape, contents.back());
    }
    const std::vector<std::byte> bytes = writer.to_bytes();
    const GgufFile file = GgufFile::from_memory(bytes, "first");
    EXPECT_EQ(file.tensors().size(), n_tensors);
    for (std::size_t i = 0; i < contents.size(); ++i) {
      const Tensor& tensor = file.tensors()[i];
      ASSERT_EQ(static_cast<std::size_t>(tensor.n_bytes), contents[i].size());
      EXPECT_EQ(std::memcmp(tensor.data, contents[i].data(), contents[i].size()), 0);
    }
    EXPECT_EQ(copy_of(file).to_bytes(), bytes);
  }
}

TEST(GgufWriter, EveryGoldenFileSurvivesACopy) {
  GALLEY_NEED_CONFORMANCE("models");
  int n_files = 0;
  for (const char* folder : {"models", "dequant", "tokenizer"}) {
    for (const auto& entry :
         std::filesystem::directory_iterator(test::conformance_dir() / folder)) {
      if (entry.path().extension() != ".gguf") continue;
      const GgufFile file = GgufFile::open(entry.path());
      const std::vector<std::byte> bytes = copy_of(file).to_bytes();
      expect_same(file, GgufFile::from_memory(bytes, "copy"));
      ++n_files;
    }
  }
  EXPECT_GT(n_files, 10);
}

TEST(GgufWriter, AKeySetTwiceKeepsItsPlaceAndTakesTheLastValue) {
  GgufWriter writer;
  writer.set_uint32("a", 1);
  writer.set_uint32("b", 2);
  writer.set_string("a", "new");
  const std::vector<std::byte> bytes = writer.to_bytes();
  const GgufFile file = GgufFile::from_memory(bytes, "twice");
  EXPECT_EQ(file.keys(), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(file.get_string("a"), "new");
}

TEST(GgufWriter, NestedArraysAreCopiedThoughNotKept) {
  const std::vector<std::byte> bytes = test::RawGguf()
                                           .header(0, 1)
                                           .key("nested", GgufType::kArray)
                                           .u32(9)
                                           .u64(2)
                                           .u32(8)
                                           .u64(1)
                                           .string("inner")
                                           .u32(0)
                                           .u64(3)
                                           .text("abc")
                                           .bytes();
  const GgufFile file = GgufFile::from_memory(bytes, "nested");
  EXPECT_EQ(file.get_array("nested")->count, 2u);
  const std::vector<std::byte> copy = copy_of(file).to_bytes();
  expect_same(file, GgufFile::from_memory(copy, "copy"));
}

TEST(GgufWriter, TensorsAreMadeOneAtATimeWhenTheyAreWritten) {
  const test::TempFolder folder;
  GgufWriter writer;
  int n_filled = 0;
  const std::int64_t shape[] = {5};
  for (const char* name : {"a", "b"}) {
    writer.add_tensor(name, DType::kF32, shape, [&n_filled](std::span<std::byte> out) {
      EXPECT_EQ(out.size(), 20u);
      std::fill(out.begin(), out.end(), static_cast<std::byte>(++n_filled));
    });
  }
  EXPECT_EQ(n_filled, 0);
  writer.write(folder / "made.gguf");
  EXPECT_EQ(n_filled, 2);
  const GgufFile file = GgufFile::open(folder / "made.gguf");
  EXPECT_EQ(file.find_tensor("a")->data[19], std::byte{1});
  EXPECT_EQ(file.find_tensor("b")->data[0], std::byte{2});
  EXPECT_EQ(folder.n_files(), 1u);
}

TEST(GgufWriter, AFailureLeavesNothingBehind) {
  const test::TempFolder folder;
  GgufWriter writer;
  const std::int64_t shape[] = {5};
  writer.add_tensor("a", DType::kF32, shape,
                    [](std::span<std::byte>) { throw Error(ErrorKind::kFailure, "interrupted"); });
  EXPECT_THROW(writer.write(folder / "never.gguf"), Error);
  EXPECT_EQ(folder.n_files(), 0u);
  try {
    GgufWriter().write("/dev/full");
    ADD_FAILURE() << "no error";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "/dev/full: cannot be written: No space left on device");
  }
}

// The file being quantized may be replaced by the result.
TEST(GgufWriter, AnOpenFileCanBeReplaced) {
  const test::TempFolder folder;
  const std::string path = folder / "same.gguf";
  const std::vector<float> values = {1, 2, 3};
  const std::int64_t shape[] = {3};
  GgufWriter writer;
  writer.add_tensor("v", DType::kF32, shape, std::as_bytes(std::span(values)));
  writer.write(path);
  const GgufFile before = GgufFile::open(path);
  GgufWriter copy = copy_of(before);
  copy.set_string("added", "yes");
  copy.write(path);
  const GgufFile after = GgufFile::open(path);
  EXPECT_EQ(after.get_string("added"), "yes");
  EXPECT_EQ(before.find("added"), nullptr);
  EXPECT_EQ(std::memcmp(before.tensors()[0].data, after.tensors()[0].data, 12), 0);
}

}  // namespace
}  // namespace galley
