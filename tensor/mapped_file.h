// A file mapped into memory, read-only: how model files are used without copying them.
#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace galley {

// Movable, not copyable; unmaps at its end.
class MappedFile {
 public:
  // Maps the regular file at `path`. Throws Error kFailure, with the system's reason, if it
  // cannot be opened or is not a regular file (a directory, a pipe, a device). An empty file
  // gives no bytes. If somebody else shortens the file later, the system ends this process at
  // the next access behind the new end: models are replaced by renaming, not by overwriting.
  static MappedFile open(const std::string& path);

  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();

  // The content; begins at a multiple of the page size.
  std::span<const std::byte> bytes() const { return bytes_; }

 private:
  explicit MappedFile(std::span<const std::byte> bytes) : bytes_(bytes) {}

  std::span<const std::byte> bytes_;
};

}  // namespace galley
