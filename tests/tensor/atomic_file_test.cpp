// Output files appear whole or not at all.
#include "tensor/atomic_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "tensor/error.h"
#include "tests/tensor/temp_folder.h"

namespace galley {
namespace {

namespace fs = std::filesystem;

std::string content(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::string message_of_writing(const std::string& path, std::string_view text) {
  try {
    AtomicFile file(path);
    file.write(text);
    file.commit();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kFailure);
    return error.what();
  }
  return {};
}

TEST(AtomicFile, TheFileAppearsAtCommit) {
  const test::TempFolder folder;
  const fs::path path = folder / "out";
  const std::string large(300'000, 'x');
  AtomicFile file(path);
  file.write("small ");
  file.write(large);
  file.write(" end");
  EXPECT_EQ(file.n_bytes(), large.size() + 10);
  EXPECT_FALSE(fs::exists(path));
  file.commit();
  EXPECT_EQ(content(path), "small " + large + " end");
  EXPECT_EQ(folder.n_files(), 1u);
}

TEST(AtomicFile, WithoutCommitTheOldFileStaysAndNothingIsLeft) {
  const test::TempFolder folder;
  std::ofstream(folder / "out") << "old";
  {
    AtomicFile file(folder / "out");
    file.write("new");
  }
  EXPECT_EQ(content(folder / "out"), "old");
  EXPECT_EQ(folder.n_files(), 1u);
  EXPECT_EQ(message_of_writing(folder / "out", "new"), "");
  EXPECT_EQ(content(folder / "out"), "new");
}

TEST(AtomicFile, ThePermissionsAreThoseOfAnyNewFile) {
  const test::TempFolder folder;
  std::ofstream(folder / "usual").close();
  EXPECT_EQ(message_of_writing(folder / "ours", "x"), "");
  EXPECT_EQ(fs::status(folder / "ours").permissions(), fs::status(folder / "usual").permissions());
}

TEST(AtomicFile, LinksAreFollowed) {
  const test::TempFolder folder;
  std::ofstream(folder / "real") << "old";
  fs::create_symlink("real", folder / "link");
  EXPECT_EQ(message_of_writing(folder / "link", "new"), "");
  EXPECT_TRUE(fs::is_symlink(folder / "link"));
  EXPECT_EQ(content(folder / "real"), "new");
}

TEST(AtomicFile, ErrorsNameThePathAndTheReason) {
  const test::TempFolder folder;
  EXPECT_EQ(message_of_writing(folder / "no/such/file", "x"),
            (folder / "no/such/file").string() + ": cannot be written: No such file or directory");
  EXPECT_NE(message_of_writing(folder.path(), "x").find("Is a directory"), std::string::npos);
}

TEST(AtomicFile, DevicesAreWrittenDirectly) {
  EXPECT_EQ(message_of_writing("/dev/null", "x"), "");
  EXPECT_TRUE(fs::is_character_file("/dev/null"));
  EXPECT_EQ(message_of_writing("/dev/full", "x"),
            "/dev/full: cannot be written: No space left on device");
}

}  // namespace
}  // namespace galley
