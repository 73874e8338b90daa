// What this machine can do at best, measured: bytes read from memory per second, and multiply-adds
// per second. The share of these limits that a kernel reaches says how much is left to gain.
//
// Where it sits: beside the kernels; `galley bench`, the cost table and the programs in bench/ ask
// it. Decoding is bound by the first limit, prefill by the second (docs/performance.md).
#pragma once

#include <cstdint>
#include <string_view>

#include "kernels/kernels.h"
#include "tensor/dtype.h"

namespace galley::kernels {

// The arithmetic that products are made with.
enum class Arithmetic {
  kF32,   // fused multiply-adds of floats: F32, F16 and BF16 weights; attention
  kBf16,  // dot products of two BF16, where there is an instruction for them: BF16 weights
  kInt8,  // bytes times bytes: 8-bit codes; with AVX-512 (VNNI) codes of any size
  kInt4,  // bytes times small codes, some summed in 16 bits first: AVX2, codes below 8 bits
};
inline constexpr int kArithmetics = 4;

// "f32", "bf16", "int8", "int4".
std::string_view arithmetic_name(Arithmetic arithmetic);

// The arithmetic that the matmul of `isa` uses for weights of this type (BF16: with many tokens).
// kInt4 is the bound for AVX2 and codes of 2 to 6 bits; 5 and 6 bits have to leave the 16 bits more
// often, so for them it is out of reach.
Arithmetic arithmetic_of(DType weight_type, Isa isa);

// What to measure, and how long. The defaults take about a second.
struct LimitsOptions {
  int n_threads = 1;
  // Read in order, each thread its own part. Must be much more than the last-level cache holds.
  std::int64_t read_bytes = std::int64_t{1} << 30;
  double read_seconds = 0.4;
  double multiply_seconds = 0.06;  // for each arithmetic
};

struct Limits {
  Isa isa{};
  int n_threads = 1;
  std::int64_t read_bytes = 0;      // size of the buffer that was read
  double read_gb_per_s = 0;         // 1e9 bytes
  double gmac_per_s[kArithmetics];  // 1e9 multiply-adds; 0: not measured, there is no loop
  double other_cpus = 0;            // that other programs kept busy meanwhile

  double peak(Arithmetic arithmetic) const { return gmac_per_s[static_cast<int>(arithmetic)]; }
};

// Measures the peaks of `isa` and the speed of reading (with the widest loads of the CPU, whatever
// `isa` is) on options.n_threads threads, all at work at the same time. Each figure is the best of
// several short runs, since what disturbs a run can only make it slower; and if other programs
// keep a fifth of a CPU busy meanwhile, everything is measured once more (unless it took seconds).
// A buffer of less than read_bytes is used if the system has not got as much to spare: a quarter
// of what is free. Throws Error kUsage if the CPU lacks `isa`, kOutOfMemory.
Limits measure_limits(Isa isa, const LimitsOptions& options);

// The shortest time in which `macs` multiply-adds and `n_bytes` bytes from memory are possible:
// whichever of the two takes longer. A limit that was not measured counts for nothing.
double least_seconds(const Limits& limits, Arithmetic arithmetic, double macs, double n_bytes);

}  // namespace galley::kernels
