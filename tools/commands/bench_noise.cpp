// What disturbs a measurement, said honestly: other programs, the CPU's frequency, too many
// threads.
#include <sys/resource.h>
#include <unistd.h>

#include <fstream>
#include <string>

#include "tools/commands/bench.h"
#include "tools/output.h"

namespace galley::tools {
namespace {

// Seconds that all CPUs of the machine were busy since it started, stolen time included; 0 if
// unknown. Source: proc(5), /proc/stat.
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

void warn_of_load(const std::string& what, double other_cpus) {
  if (other_cpus < 0.1) return;
  warn(format("%s: other programs kept %.1f CPUs busy meanwhile; on a quiet machine it is faster",
              what.c_str(), other_cpus));
}

void warn_of_setting() {
  std::ifstream in("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor");
  std::string governor;
  if (in >> governor && governor != "performance")
    warn("the CPU's frequency is set by '" + governor + "', not 'performance': timings may vary");
#ifndef NDEBUG
  warn("this is a debug build: it is slow");
#endif
}

void warn_of_setup(const BenchSetup& setup) {
  if (setup.n_threads > usable_cpus())
    warn(
        format("%d threads on %d CPUs: they wait for one another", setup.n_threads, usable_cpus()));
  const std::int64_t read = setup.model->weight_bytes_per_token();
  const std::int64_t cache = sysconf(_SC_LEVEL3_CACHE_SIZE);
  if (setup.limits && read < cache)
    note(setup.model_path + ": a token reads " + human_bytes(read) +
         " of weights, the CPU's cache " + "holds " + human_bytes(cache) +
         ": decoding can exceed the limit of reading memory");
}

}  // namespace galley::tools
