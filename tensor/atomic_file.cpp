#include "tensor/atomic_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "tensor/error.h"

namespace galley {
namespace {

namespace fs = std::filesystem;

// Small writes are collected up to this size.
constexpr std::size_t kBufferBytes = 1 << 16;

}  // namespace

AtomicFile::AtomicFile(const std::string& path) : path_(path), target_(path) {
  std::error_code code;
  const fs::file_status status = fs::status(path, code);
  if (fs::is_directory(status)) {
    errno = EISDIR;
    fail("cannot be written");
  }
  if (fs::exists(status)) {
    const fs::path real = fs::canonical(path, code);
    if (!code) target_ = real;
  }
  if (fs::exists(status) && !fs::is_regular_file(status)) {
    fd_ = ::open(target_.c_str(), O_WRONLY | O_CLOEXEC);
  } else {
    temporary_ = target_ + ".tmp" + std::to_string(::getpid());
    // Left over by a process of the same number that was killed.
    ::unlink(temporary_.c_str());
    fd_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  }
  if (fd_ < 0) fail("cannot be written");
}

AtomicFile::~AtomicFile() { close_and_remove(); }

void AtomicFile::close_and_remove() noexcept {
  if (fd_ < 0) return;
  ::close(fd_);
  fd_ = -1;
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

void AtomicFile::fail(const char* what) const {
  throw Error(ErrorKind::kFailure, path_ + ": " + what + ": " + std::strerror(errno));
}

void AtomicFile::write(std::span<const std::byte> bytes) {
  n_bytes_ += bytes.size();
  if (buffer_.size() + bytes.size() > kBufferBytes) flush();
  if (bytes.size() > kBufferBytes) {
    write_through(bytes);
  } else {
    buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
  }
}

void AtomicFile::write(std::string_view text) { write(std::as_bytes(std::span(text))); }

void AtomicFile::flush() {
  write_through(buffer_);
  buffer_.clear();
}

void AtomicFile::write_through(std::span<const std::byte> bytes) {
  GALLEY_CHECK(fd_ >= 0, "write after commit: " + path_);
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd_, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail("cannot be written");
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
}

void AtomicFile::commit() {
  flush();
  if (!temporary_.empty()) {
    if (::fsync(fd_) != 0) fail("cannot be written");
    if (std::rename(temporary_.c_str(), target_.c_str()) != 0) fail("cannot be replaced");
  }
  // From here on there is nothing to remove.
  const int fd = fd_;
  fd_ = -1;
  if (::close(fd) != 0) fail("cannot be written");
}

}  // namespace galley
