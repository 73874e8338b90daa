#include "tensor/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "tensor/error.h"

namespace galley {
namespace {

// Closes the descriptor when it goes out of scope; the mapping outlives it.
struct Descriptor {
  int fd;
  ~Descriptor() { ::close(fd); }
};

const char* what_it_is(mode_t mode) {
  if (S_ISDIR(mode)) return "a folder";
  if (S_ISFIFO(mode)) return "a pipe";
  if (S_ISSOCK(mode)) return "a socket";
  return "a device";
}

}  // namespace

MappedFile MappedFile::open(const std::string& path) {
  // O_NONBLOCK: opening a pipe without a writer would wait for ever.
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) {
    throw Error(ErrorKind::kFailure, path + ": cannot be opened: " + std::strerror(errno));
  }
  const Descriptor guard{fd};
  struct stat status {};
  if (::fstat(fd, &status) != 0) {
    throw Error(ErrorKind::kFailure, path + ": cannot be read: " + std::strerror(errno));
  }
  if (!S_ISREG(status.st_mode)) {
    throw Error(ErrorKind::kFailure, path + ": is " + what_it_is(status.st_mode) +
                                         ", not a file; give the path of a file");
  }
  if (status.st_size == 0) return MappedFile({});
  const auto n_bytes = static_cast<std::size_t>(status.st_size);
  void* start = ::mmap(nullptr, n_bytes, PROT_READ, MAP_SHARED, fd, 0);
  if (start == MAP_FAILED) {
    throw Error(ErrorKind::kFailure, path + ": cannot be mapped: " + std::strerror(errno));
  }
  // Where the kernel can, pages that are not in memory yet come in as large ones (2 MB), whose
  // addresses are found faster. It may refuse: then pages are small.
  ::madvise(start, n_bytes, MADV_HUGEPAGE);
  return MappedFile({static_cast<const std::byte*>(start), n_bytes});
}

MappedFile::MappedFile(MappedFile&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(bytes_, other.bytes_);
  return *this;
}

MappedFile::~MappedFile() {
  // munmap takes a pointer to non-const; it changes no byte.
  if (!bytes_.empty()) ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

}  // namespace galley
