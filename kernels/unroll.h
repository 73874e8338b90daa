// A loop whose index is a constant in each turn.
//
// For instruction-set files: the template is instantiated with a lambda of theirs, so no code is
// shared between files compiled with different flags.
#pragma once

// For functions and lambdas that only make sense inside the loop around them.
#define GALLEY_INLINE __attribute__((always_inline))

namespace galley::kernels {

template <int n>
struct Index {
  static constexpr int value = n;
};

// Calls body(Index<0>{}), ..., body(Index<n - 1>{}).
template <int n, int i = 0, class Body>
GALLEY_INLINE inline void unroll(Body&& body) {
  if constexpr (i < n) {
    body(Index<i>{});
    unroll<n, i + 1>(body);
  }
}

}  // namespace galley::kernels
