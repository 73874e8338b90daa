// The ways to run a model that must not make a difference.
#pragma once

#include <cstdint>

#include "tests/sanitized.h"

namespace galley::test {

struct Way {
  int n_threads;
  std::int64_t n_batch;
};
#if GALLEY_SANITIZED
inline constexpr Way kWays[] = {{1, 512}, {3, 7}};
#else
inline constexpr Way kWays[] = {{1, 512}, {2, 7}, {3, 1}, {8, 512}};
#endif

}  // namespace galley::test
