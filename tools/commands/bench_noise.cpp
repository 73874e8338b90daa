// What disturbs a measurement, said honestly: other programs, the CPU's frequency, too many
// threads.
#include <unistd.h>

#include <fstream>
#include <string>

#include "tools/commands/bench.h"
#include "tools/output.h"

namespace galley::tools {
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
