// Fewer cases under the sanitizers, where everything takes ten times as long: they look for misuse
// of memory, which the first cases show; what the many prove, the plain build's run proves.
#pragma once

namespace galley::test {

inline constexpr bool kSanitized = GALLEY_SANITIZED;

// How many of `n` random cases to try.
constexpr int rounds(int n) { return kSanitized ? (n + 3) / 4 : n; }

}  // namespace galley::test
