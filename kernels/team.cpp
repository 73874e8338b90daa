#include "kernels/team.h"

#include <sched.h>

namespace galley::kernels {
namespace {

constexpr int kSpinsBeforeYield = 4000;

inline void pause_cpu() { __builtin_ia32_pause(); }

}  // namespace

void Barrier::wait(int n_threads) {
  if (n_threads == 1) return;
  const int generation = generation_.load(std::memory_order_relaxed);
  if (arrived_.fetch_add(1, std::memory_order_acq_rel) == n_threads - 1) {
    arrived_.store(0, std::memory_order_relaxed);
    generation_.store(generation + 1, std::memory_order_release);
    return;
  }
  for (int spins = 0; generation_.load(std::memory_order_acquire) == generation; ++spins) {
    if (spins < kSpinsBeforeYield)
      pause_cpu();
    else
      sched_yield();
  }
}

}  // namespace galley::kernels
