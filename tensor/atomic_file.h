// An output file that appears whole or not at all.
//
// Used for everything Galley writes: models, logits, saved chats. The bytes go to a temporary
// file in the same folder, which takes the target's name only when all of them are on the
// disk; a failure or an exception on the way removes it and leaves the old file as it was.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace galley {

class AtomicFile {
 public:
  // Creates the temporary file. A `path` that exists and is no regular file (/dev/null, a
  // pipe) is written directly; a symbolic link is followed. Throws Error kFailure, naming the
  // path and the system's reason, as all functions here do.
  explicit AtomicFile(const std::string& path);
  // Removes the temporary file, unless commit() was called.
  ~AtomicFile();

  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(std::span<const std::byte> bytes);
  void write(std::string_view text);
  // Bytes written so far.
  std::uint64_t n_bytes() const { return n_bytes_; }

  // Waits until the bytes are on the disk and gives the file its name. Nothing can be written
  // afterwards.
  void commit();

 private:
  void flush();
  void write_through(std::span<const std::byte> bytes);
  void close_and_remove() noexcept;
  [[noreturn]] void fail(const char* what) const;

  std::string path_;       // as given, for messages
  std::string target_;     // path_ with links followed
  std::string temporary_;  // empty when the target is written directly
  int fd_ = -1;
  std::uint64_t n_bytes_ = 0;
  std::vector<std::byte> buffer_;
};

}  // namespace galley
