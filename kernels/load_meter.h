// How many CPUs other programs take while something is measured: what makes a figure too low.
//
// Where it sits: beside the machine's limits (limits.h); `galley bench` and the programs in bench/
// say it with their results.
#pragma once

#include <chrono>

namespace galley::kernels {

class LoadMeter {
 public:
  LoadMeter();
  // CPUs that other programs, and the hypervisor, kept busy on average since the meter was made; 0
  // where the system does not tell, or in the first 0.05 s. Source: proc(5), /proc/stat.
  double other_cpus() const;

 private:
  std::chrono::steady_clock::time_point start_;
  double busy_s_, own_s_;
};

}  // namespace galley::kernels
