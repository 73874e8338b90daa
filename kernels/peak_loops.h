// Loops that do nothing but read, or multiply and add, as fast as an instruction set can.
//
// Where it sits: limits.cpp times them to learn what the machine can do at best; real kernels are
// measured against that. The folder of each instruction set has a peak_loops.cpp. Declarations
// only, so that instruction-set files may include it.
//
// The operands of products stay in registers: no kernel can be faster, as a real one must also
// load.
#pragma once

#include <cstddef>
#include <cstdint>

namespace galley::kernels {

// A loop over numbers in registers, and how many multiply-adds one round of it makes.
struct PeakLoop {
  // Runs `n_rounds` rounds, at least one. nullptr: this instruction set has no such loop.
  void (*run)(std::int64_t n_rounds) = nullptr;
  double macs_per_round = 0;
};

struct PeakLoops {
  // Reads n_bytes (a multiple of 4096) from `data` (aligned to 64) in order; the result depends on
  // all of them.
  std::uint64_t (*read)(const std::byte* data, std::int64_t n_bytes) = nullptr;
  PeakLoop f32 = {};   // fused multiply-adds of floats
  PeakLoop bf16 = {};  // dot products of two BF16
  PeakLoop int8 = {};  // sums of products of bytes in int32
  PeakLoop int4 =
      {};  // the same of bytes times codes of 0 to 15, which may first be summed in int16
};

namespace scalar {
PeakLoops peak_loops();
}
namespace avx2 {
PeakLoops peak_loops();
}
namespace avxvnni {
PeakLoops peak_loops();
}
namespace avx512 {
PeakLoops peak_loops();
}
namespace avx512bf16 {
PeakLoops peak_loops();
}

}  // namespace galley::kernels
