// A small random generator of our own, so that a seed means the same on every machine.
#pragma once

#include <cstdint>

namespace galley {

// PCG-XSH-RR with 64 bits of state and 32 bits per number.
// Source: M. O'Neill, "PCG: A Family of Simple Fast Space-Efficient Statistically Good
// Algorithms for Random Number Generation", 2014, section 6.3.1.
class Random {
 public:
  explicit Random(std::uint64_t seed) {
    next();
    state_ += seed;
    next();
  }

  // A number from 0 to 2^32 - 1.
  std::uint32_t next() {
    const std::uint64_t old = state_;
    state_ = old * 6364136223846793005u + kIncrement;
    const auto mixed = static_cast<std::uint32_t>(((old >> 18) ^ old) >> 27);
    const auto turn = static_cast<std::uint32_t>(old >> 59);
    return (mixed >> turn) | (mixed << ((32u - turn) & 31u));
  }

  // A number in [0, 1): a multiple of 2^-32.
  double next_unit() { return static_cast<double>(next()) * 0x1p-32; }

 private:
  static constexpr std::uint64_t kIncrement = 1442695040888963407u;
  std::uint64_t state_ = 0;
};

}  // namespace galley
