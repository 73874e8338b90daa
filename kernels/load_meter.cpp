#include "kernels/load_meter.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <string>

namespace galley::kernels {
namespace {

// Seconds that all CPUs of the machine were busy since it started, stolen time included; 0 if
// unknown.
double busy_seconds() {
  std::ifstream in("/proc/stat");
  std::string name;
  double user = 0, nice = 0, system = 0, idle = 0, iowait = 0, irq = 0, softirq = 0, steal = 0;
  if (!(in >> name >> user >> nice >> system >> idle >> iowait >> irq >> softirq >> steal))
    return 0;
  return (user + nice + system + irq + softirq + steal) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

// Seconds of CPU time that this process has used.
double own_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

}  // namespace

LoadMeter::LoadMeter()
    : start_(std::chrono::steady_clock::now()), busy_s_(busy_seconds()), own_s_(own_seconds()) {}

double LoadMeter::other_cpus() const {
  const double elapsed =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  if (busy_s_ == 0 || elapsed < 0.05) return 0;  // the system counts in steps of 0.01 s
  const double others = busy_seconds() - busy_s_ - (own_seconds() - own_s_);
  return std::max(0.0, others / elapsed);
}

}  // namespace galley::kernels
