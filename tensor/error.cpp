#include "tensor/error.h"

#include <cstdio>
#include <cstdlib>

namespace galley {

void check_failed(const char* condition, const char* file, int line, const std::string& message) {
  std::fprintf(stderr, "galley: this is a bug in Galley, please report it: %s:%d: %s (%s)\n", file,
               line, message.c_str(), condition);
  std::abort();
}

}  // namespace galley
