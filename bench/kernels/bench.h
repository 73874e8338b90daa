// What the benchmarks of the kernels share: memory, threads, the check against the scalar twin, and
// the rates beside the machine's limits.
//
// A benchmark's name is KERNEL/PHASE/TYPE/ISA/SHAPE/threads:N, so that --benchmark_filter takes
// 'matmul/decode/Q4_0' or 'matmul/.*/avx2/.*threads:1'.
#pragma once

#include <benchmark/benchmark.h>

#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "kernels/limits.h"
#include "kernels/load_meter.h"

namespace galley::bench {

using kernels::Arithmetic;
using kernels::Isa;
using kernels::Part;

struct Free {
  void operator()(std::byte* data) const { std::free(data); }
};
// Zeroed memory aligned to 64 bytes.
using Buffer = std::unique_ptr<std::byte, Free>;
Buffer make_buffer(std::size_t n_bytes);

// Normally distributed.
std::vector<float> random_floats(std::int64_t n);

// 1, and all CPUs if there are more.
std::span<const int> thread_counts();

// Calls kernel(args, part) for all parts at once. `scratch[i]` becomes args.scratch of part i,
// where a kernel has such.
template <class Args>
void run_parts(void (*kernel)(const Args&, Part), const Args& args, int n_threads,
               const std::vector<Buffer>& scratch = {}) {
  const auto run = [&](int index) {
    if constexpr (requires { args.scratch; }) {
      Args mine = args;
      mine.scratch = scratch[static_cast<std::size_t>(index)].get();
      kernel(mine, Part{index, n_threads});
    } else {
      kernel(args, Part{index, n_threads});
    }
  };
  if (n_threads == 1) return run(0);
#pragma omp parallel for num_threads(n_threads) schedule(static, 1)
  for (int index = 0; index < n_threads; ++index) run(index);
}

// What one iteration asks of the machine.
struct Work {
  double macs = 0;
  double bytes = 0;  // read and written
  Arithmetic arithmetic = Arithmetic::kF32;
};

// Sets the counters GB/s, GMAC/s and %limit: the shortest time that the limits of this machine
// allow, as a share of the measured one. Limits are measured once for each isa and number of
// threads. Data that stays in the CPU's caches can be read faster than that limit. `meter`, made
// before the loop, gives a label to a benchmark that other programs have disturbed.
void set_rates(benchmark::State& state, Isa isa, int n_threads, const Work& work,
               const kernels::LoadMeter& meter);

// Registers a benchmark; `name` begins with that of the kernel.
void add(const std::string& name, const std::function<void(benchmark::State&)>& run);

// KERNEL/PHASE/TYPE/ISA/SHAPE/threads:N
std::string case_name(const std::string& kernel, std::int64_t tokens, const std::string& type,
                      const std::string& isa, const std::string& shape, int n_threads);

// Each adds the benchmarks of its kernels.
void add_matmuls();
void add_rows();
void add_attention();

// y[tokens, rows] = x[tokens, cols] times the transposed w[rows, cols], with Eigen and AVX2
// (eigen.cpp): what a well-made library does with F32. On one thread.
void eigen_matmul(const float* w, const float* x, float* y, std::int64_t rows, std::int64_t cols,
                  std::int64_t tokens);

}  // namespace galley::bench
