// Models in several files: the parts make one model, and whatever is wrong with them is said.
#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "tensor/error.h"
#include "tensor/gguf.h"
#include "tensor/gguf_writer.h"
#include "tests/tensor/temp_folder.h"

namespace galley {
namespace {

// Part `index` (from 0) of `n_parts`: one tensor "tINDEX" of the numbers INDEX, INDEX, INDEX.
struct Part {
  std::int64_t index = 0;
  std::int64_t n_parts = 3;
  std::string tensor = std::string("t") + std::to_string(index);
  std::int64_t n_tensors = n_parts;

  void write(const std::filesystem::path& path) const {
    const std::vector<float> values(3, static_cast<float>(index));
    GgufWriter writer;
    if (index == 0) writer.set_string("general.architecture", "llama");
    writer.set_uint32("split.no", static_cast<std::uint32_t>(index));
    writer.set_uint32("split.count", static_cast<std::uint32_t>(n_parts));
    writer.set_int32("split.tensors.count", static_cast<std::int32_t>(n_tensors));
    writer.add_tensor(tensor, DType::kF32, std::vector<std::int64_t>{3},
                      std::as_bytes(std::span(values)));
    writer.write(path.string());
  }
};

class GgufParts : public testing::Test {
 protected:
  std::filesystem::path path(int number) const {
    return folder_ / (std::string("m-0000") + std::to_string(number) + "-of-00003.gguf");
  }
  void SetUp() override {
    for (int number = 1; number <= 3; ++number) Part{.index = number - 1}.write(path(number));
  }
  std::string error_of(const std::filesystem::path& file) const {
    try {
      GgufFile::open(file.string());
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kBadModel) << error.what();
      return error.what();
    }
    return "no error";
  }
  void expect_error(const std::string& words) const {
    EXPECT_NE(error_of(path(1)).find(words), std::string::npos) << error_of(path(1));
  }

  test::TempFolder folder_;
};

TEST_F(GgufParts, MakeOneModel) {
  GgufFile opened = GgufFile::open(path(1).string());
  const GgufFile file = std::move(opened);
  EXPECT_EQ(file.n_parts(), 3);
  EXPECT_EQ(file.get_string("general.architecture"), "llama");
  ASSERT_EQ(file.tensors().size(), 3U);
  std::uintmax_t n_bytes = 0;
  for (int i = 0; i < 3; ++i) {
    const Tensor* tensor = file.find_tensor(std::string("t") + std::to_string(i));
    ASSERT_NE(tensor, nullptr);
    EXPECT_EQ(tensor->name, std::string("t") + std::to_string(i));
    EXPECT_EQ(reinterpret_cast<const float*>(tensor->data)[2], static_cast<float>(i));
    n_bytes += std::filesystem::file_size(path(i + 1));
  }
  EXPECT_EQ(file.file_bytes(), static_cast<std::int64_t>(n_bytes));
}

TEST_F(GgufParts, MissingPart) {
  std::filesystem::remove(path(3));
  expect_error("m-00003-of-00003.gguf' is missing");
}

TEST_F(GgufParts, AnotherThanTheFirst) {
  EXPECT_NE(error_of(path(2)).find("it is part 2 of 3 of a model; open the first part"),
            std::string::npos)
      << error_of(path(2));
}

TEST_F(GgufParts, RenamedPart) {
  std::filesystem::rename(path(1), folder_ / "model.gguf");
  EXPECT_NE(error_of(folder_ / "model.gguf").find("'-00001-of-00003.gguf'"), std::string::npos);
}

TEST_F(GgufParts, PartOfAnotherModel) {
  Part{.index = 1}.write(path(3));
  expect_error("it is not part 3 of 3");
}

TEST_F(GgufParts, TensorTwice) {
  Part{.index = 2, .tensor = "t1"}.write(path(3));
  expect_error("'t1' is in an earlier part already");
}

TEST_F(GgufParts, WrongNumberOfTensors) {
  Part{.index = 0, .n_tensors = 4}.write(path(1));
  expect_error("split.tensors.count");
}

TEST_F(GgufParts, AbsurdCounts) {
  Part{.index = 0, .n_parts = 100000}.write(path(1));
  expect_error("split.count");
  Part{.index = 7}.write(path(1));
  expect_error("split.no");
}

}  // namespace
}  // namespace galley
