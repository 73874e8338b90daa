#include "kernels/team.h"

#include <sched.h>

#include "kernels/read_ahead.h"

namespace galley::kernels {
namespace {

constexpr int kSpinsBeforeYield = 4000;

// Asks for the first line, to the second-level cache, and takes it off.
inline void ask_for_line(Bytes& bytes) {
  __builtin_prefetch(bytes.begin, 0, 2);
  bytes.begin += kLineBytes;
}

inline void pause_cpu() { __builtin_ia32_pause(); }

}  // namespace

void Barrier::wait(int n_threads) {
  Bytes nothing;
  wait(n_threads, nothing);
}

void Barrier::wait(int n_threads, Bytes& soon) {
  if (n_threads == 1) return;
  const int generation = generation_.load(std::memory_order_relaxed);
  if (arrived_.fetch_add(1, std::memory_order_acq_rel) == n_threads - 1) {
    arrived_.store(0, std::memory_order_relaxed);
    generation_.store(generation + 1, std::memory_order_release);
    return;
  }
  for (int spins = 0; generation_.load(std::memory_order_acquire) == generation; ++spins) {
    if (soon.begin < soon.end)
      ask_for_line(soon);
    else if (spins < kSpinsBeforeYield)
      pause_cpu();
    else
      sched_yield();
  }
}

}  // namespace galley::kernels
