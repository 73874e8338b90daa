// The one error type of the project, and the checks for bugs.
//
// Bad input (a broken file, a wrong flag) is a galley::Error: thrown by whoever notices it,
// caught once, in main, and printed as one line. A bug in Galley itself is a GALLEY_CHECK.
#pragma once

#include <stdexcept>
#include <string>

namespace galley {

// What went wrong, as the exit code of the program (docs/README.md lists them).
enum class ErrorKind {
  kFailure = 1,          // anything not named below: I/O, a full disk
  kUsage = 2,            // a flag or an argument
  kBadModel = 3,         // a model file that cannot be used
  kOutOfMemory = 4,      // memory for the cache or buffers
  kContextExceeded = 5,  // more tokens than the context holds
};

// Bad input. `what()` is one line for the user: the file, the place in it (byte offset, key
// or tensor), what was expected, what was there, and what to do about it.
class Error : public std::runtime_error {
 public:
  // `message` is the whole line, without a newline at its end.
  Error(ErrorKind kind, const std::string& message) : std::runtime_error(message), kind_(kind) {}

  ErrorKind kind() const { return kind_; }
  int exit_code() const { return static_cast<int>(kind_); }

 private:
  ErrorKind kind_;
};

// The common case: a model file at `path` is bad; `detail` says where, what was expected and
// got, and the remedy. Gives "path: detail".
inline Error bad_model(const std::string& path, const std::string& detail) {
  return Error(ErrorKind::kBadModel, path + ": " + detail);
}

// Prints the failed condition, file, line and `message` to stderr and aborts.
[[noreturn]] void check_failed(const char* condition, const char* file, int line,
                               const std::string& message);

}  // namespace galley

// A bug if false; always compiled in. MESSAGE (a std::string expression, built only on
// failure) names the op and the shapes.
#define GALLEY_CHECK(condition, message)                                 \
  do {                                                                   \
    if (!(condition)) [[unlikely]]                                       \
      ::galley::check_failed(#condition, __FILE__, __LINE__, (message)); \
  } while (false)

// The same for hot loops: only in builds without NDEBUG.
#ifdef NDEBUG
#define GALLEY_DCHECK(condition, message) \
  do {                                    \
  } while (false)
#else
#define GALLEY_DCHECK(condition, message) GALLEY_CHECK(condition, message)
#endif
