// The barrier of the one OpenMP team that runs a whole graph.
//
// Where it sits: model/executor.cpp opens one parallel region per forward pass; between ops that
// depend on one another its threads meet here. A wait costs a few hundred nanoseconds, where
// ending and starting a parallel region would cost several microseconds.
#pragma once

#include <atomic>

#include "kernels/args.h"

namespace galley::kernels {

// Reusable. Waits by spinning, and gives the CPU away when the
// others take long (more threads than CPUs).
class Barrier {
 public:
  // Returns when all n_threads of the team have called it. What any wrote before, all see after.
  // While it waits it asks for what this thread will read soon, and takes that off `soon`: memory
  // would have nothing to do.
  void wait(int n_threads, Bytes& soon);
  void wait(int n_threads);

 private:
  alignas(64) std::atomic<int> arrived_{0};
  alignas(64) std::atomic<int> generation_{0};
};

}  // namespace galley::kernels
