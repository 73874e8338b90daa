// docs/gguf.md is true: its tables against the code, its file against the writer and reader.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "tensor/dequantize.h"
#include "tensor/gguf.h"
#include "tensor/gguf_writer.h"

namespace galley {
namespace {

using Row = std::vector<std::string>;

// `cell` without the spaces and code marks around it.
std::string trimmed(const std::string& cell) {
  constexpr const char* kAround = " `";
  const std::size_t first = cell.find_first_not_of(kAround);
  if (first == std::string::npos) return {};
  return cell.substr(first, cell.find_last_not_of(kAround) + 1 - first);
}

// The cells of the rows of the table whose first heading is `heading`.
std::vector<Row> table(const std::string& heading) {
  std::ifstream in(std::filesystem::path(GALLEY_SOURCE_DIR) / "docs" / "gguf.md");
  std::string line;
  while (std::getline(in, line) && !line.starts_with("| " + heading + " |")) {
  }
  std::getline(in, line);  // the line of dashes
  std::vector<Row> rows;
  while (std::getline(in, line) && line.starts_with("|")) {
    Row row;
    std::istringstream cells(line.substr(1));
    for (std::string cell; std::getline(cells, cell, '|');) row.push_back(trimmed(cell));
    rows.push_back(row);
  }
  return rows;
}

// The bytes of the file drawn in the document.
std::vector<std::byte> drawn_file() {
  std::vector<std::byte> bytes;
  for (const Row& row : table("offset")) {
    EXPECT_EQ(row.at(0), std::to_string(bytes.size())) << row.at(2);
    std::istringstream hex(row.at(1));
    for (std::string byte; hex >> byte;) {
      bytes.push_back(static_cast<std::byte>(std::stoi(byte, nullptr, 16)));
    }
  }
  return bytes;
}

TEST(GgufDoc, TheFileIsWhatTheWriterWrites) {
  const std::vector<std::byte> drawn = drawn_file();
  ASSERT_GT(drawn.size(), 300u);
  GgufWriter writer;
  writer.set_string("general.architecture", "tiny");
  writer.set_uint32("tiny.block_count", 2);
  const std::vector<std::string> words = {"a", "bc"};
  writer.set_string_array("tiny.words", words);
  const std::vector<float> norm = {1.0f, -2.0f, 0.5f};
  const std::int64_t norm_shape[] = {3};
  writer.add_tensor("norm", DType::kF32, norm_shape, std::as_bytes(std::span(norm)));
  const std::int64_t matrix_shape[] = {1, 32};
  const auto block = std::span(drawn).subspan(288, 18);
  writer.add_tensor("matrix", DType::kQ4_0, matrix_shape, block);
  EXPECT_EQ(writer.to_bytes(), drawn);
}

TEST(GgufDoc, TheFileHoldsTheWeightsThatTheDocumentSays) {
  const std::vector<std::byte> drawn = drawn_file();
  const GgufFile file = GgufFile::from_memory(drawn, "docs/gguf.md");
  EXPECT_EQ(file.data_offset(), 256);
  EXPECT_EQ(dequantize(*file.find_tensor("norm")), (std::vector<float>{1.0f, -2.0f, 0.5f}));
  const std::vector<float> weights = dequantize(*file.find_tensor("matrix"));
  const std::vector<Row> rows = table("weight");
  EXPECT_EQ(rows.size(), 7u);
  for (const Row& row : rows) {
    EXPECT_EQ(weights.at(std::stoul(row.at(0))), std::stof(row.at(2)));
    EXPECT_EQ(0.5f * (std::stof(row.at(1)) - 8.0f), std::stof(row.at(2)));
  }
}

TEST(GgufDoc, TheTypesAreThoseOfTheCode) {
  const std::vector<Row> rows = table("type");
  ASSERT_EQ(rows.size(), all_dtypes().size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const DTypeInfo& info = all_dtypes()[i];
    const Row& row = rows[i];
    EXPECT_EQ(row.at(0), info.name);
    EXPECT_EQ(row.at(1), std::to_string(static_cast<std::uint32_t>(info.type)));
    EXPECT_EQ(row.at(2), std::to_string(info.block_elements));
    EXPECT_EQ(row.at(3), std::to_string(info.block_bytes));
    EXPECT_EQ(std::stod(row.at(4)) * static_cast<double>(info.block_elements),
              8.0 * static_cast<double>(info.block_bytes));
    EXPECT_EQ(row.at(5), info.is_supported ? "yes" : "no");
  }
}

TEST(GgufDoc, TheValueTypesAreThoseOfTheCode) {
  const std::vector<Row> rows = table("value type");
  ASSERT_EQ(rows.size(), 13u);
  for (std::uint32_t i = 0; i < rows.size(); ++i) {
    EXPECT_EQ(rows[i].at(0), std::to_string(i));
    EXPECT_EQ(rows[i].at(1), gguf_type_name(static_cast<GgufType>(i)));
  }
}

}  // namespace
}  // namespace galley
