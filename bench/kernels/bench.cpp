#include "bench/kernels/bench.h"

#include <algorithm>
#include <fstream>
#include <map>
#include <set>
#include <utility>

#include "model/session.h"
#include "tensor/error.h"

namespace galley::bench {
namespace {

std::set<std::string>& kernels_with_benchmarks() {
  static std::set<std::string> names;
  return names;
}

const kernels::Limits& limits_of(Isa isa, int n_threads) {
  static std::map<std::pair<Isa, int>, kernels::Limits> known;
  const auto [at, is_new] = known.try_emplace({isa, n_threads});
  if (is_new) {
    kernels::LimitsOptions options;
    options.n_threads = n_threads;
    at->second = kernels::measure_limits(isa, options);
  }
  return at->second;
}

std::string cpu_name() {
  std::ifstream in("/proc/cpuinfo");
  for (std::string line; std::getline(in, line);)
    if (line.starts_with("model name"))
      return line.substr(std::min(line.find(": ") + 2, line.size()));
  return "unknown";
}

std::string names_of_isas() {
  std::string names;
  for (const Isa isa : kernels::available_isas())
    names.append(names.empty() ? "" : ", ").append(isa_name(isa));
  return names;
}

// Every kernel has a benchmark, or this program is not finished.
void check_all_kernels() {
#define GALLEY_CHECK_BENCHMARK(name, Args) \
  GALLEY_CHECK(kernels_with_benchmarks().contains(#name), "no benchmark of " #name);
  GALLEY_KERNELS(GALLEY_CHECK_BENCHMARK)
#undef GALLEY_CHECK_BENCHMARK
}

}  // namespace

Buffer make_buffer(std::size_t n_bytes) {
  const std::size_t size = (n_bytes + 64) / 64 * 64;
  Buffer buffer(static_cast<std::byte*>(std::aligned_alloc(64, size)));
  GALLEY_CHECK(buffer != nullptr, "no memory for " + std::to_string(size) + " bytes");
  std::fill_n(buffer.get(), size, std::byte{0});
  return buffer;
}

std::vector<float> random_floats(std::int64_t n) {
  static std::mt19937 engine(1);
  std::normal_distribution<float> normal;
  std::vector<float> values(static_cast<std::size_t>(n));
  for (float& value : values) value = normal(engine);
  return values;
}

std::span<const int> thread_counts() {
  static const std::vector<int> counts =
      usable_cpus() > 1 ? std::vector<int>{1, usable_cpus()} : std::vector<int>{1};
  return counts;
}

void set_rates(benchmark::State& state, Isa isa, int n_threads, const Work& work,
               const kernels::LoadMeter& meter) {
  using benchmark::Counter;
  const double other_cpus = meter.other_cpus();
  if (other_cpus > 0.2) {
    state.SetLabel("other programs kept " + std::to_string(other_cpus).substr(0, 3) + " CPUs busy");
  }
  const kernels::Limits& limits = limits_of(isa, n_threads);
  const auto n = static_cast<double>(state.iterations());
  const double least = kernels::least_seconds(limits, work.arithmetic, work.macs, work.bytes);
  state.counters["GB/s"] = Counter(n * work.bytes * 1e-9, Counter::kIsRate);
  if (work.macs > 0) state.counters["GMAC/s"] = Counter(n * work.macs * 1e-9, Counter::kIsRate);
  state.counters["%limit"] = Counter(n * least * 100, Counter::kIsRate);
}

void add(const std::string& name, const std::function<void(benchmark::State&)>& run) {
  kernels_with_benchmarks().insert(name.substr(0, name.find('/')));
  benchmark::RegisterBenchmark(name.c_str(), run)->UseRealTime()->Unit(benchmark::kMicrosecond);
}

std::string case_name(const std::string& kernel, std::int64_t tokens, const std::string& type,
                      const std::string& isa, const std::string& shape, int n_threads) {
  return kernel + (tokens > 1 ? "/prefill/" : "/decode/") + type + "/" + isa + "/" + shape +
         "/threads:" + std::to_string(n_threads);
}

}  // namespace galley::bench

int main(int argc, char** argv) {
  using namespace galley::bench;
  add_matmuls();
  add_rows();
  add_attention();
  check_all_kernels();
  // Half a second per benchmark would make hours of them; the user's own flag comes later and wins.
  std::string min_time = "--benchmark_min_time=0.2";
  std::vector<char*> arguments(argv, argv + argc);
  arguments.insert(arguments.begin() + 1, min_time.data());
  int n = static_cast<int>(arguments.size());
  arguments.push_back(nullptr);
  benchmark::Initialize(&n, arguments.data());
  if (benchmark::ReportUnrecognizedArguments(n, arguments.data())) return 2;
  benchmark::AddCustomContext("cpu", cpu_name());
  benchmark::AddCustomContext("isas", names_of_isas());
  benchmark::AddCustomContext("compiler", __VERSION__);
  benchmark::AddCustomContext("commit", GALLEY_COMMIT);
  benchmark::RunSpecifiedBenchmarks();
}
