// What this machine can do at best: the speed of reading memory, and the peaks of multiplying, for
// each instruction set, on one thread and on all.
//
//   bench_limits [--json] [--threads N,...] [--read-mib N]
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "kernels/limits.h"
#include "model/session.h"
#include "tensor/error.h"

namespace galley {
namespace {

using kernels::Arithmetic;
using kernels::Isa;
using kernels::Limits;

struct Arguments {
  bool json = false;
  std::vector<int> n_threads;
  std::int64_t read_bytes = kernels::LimitsOptions{}.read_bytes;
};

[[noreturn]] void usage() {
  std::fputs("usage: bench_limits [--json] [--threads N,...] [--read-mib N]\n", stderr);
  std::exit(2);
}

// A number from 1 to `most`, up to `end` or a comma; moves `text` behind it.
std::int64_t number(const char*& text, std::int64_t most) {
  char* end = nullptr;
  const long long n = std::strtoll(text, &end, 10);
  if (end == text || n < 1 || n > most || (*end != '\0' && *end != ',')) usage();
  text = *end == ',' ? end + 1 : end;
  return n;
}

Arguments parse(int argc, char** argv) {
  Arguments arguments;
  for (int i = 1; i < argc; ++i) {
    const std::string flag = argv[i];
    if (flag == "--json") {
      arguments.json = true;
      continue;
    }
    const char* value = i + 1 < argc ? argv[++i] : nullptr;
    if (value == nullptr) usage();
    if (flag == "--threads") {
      while (*value != '\0') arguments.n_threads.push_back(static_cast<int>(number(value, 1024)));
    } else if (flag == "--read-mib") {
      arguments.read_bytes = number(value, 1 << 20) << 20;
    } else {
      usage();
    }
  }
  if (arguments.n_threads.empty()) {
    arguments.n_threads = {1};
    if (usable_cpus() > 1) arguments.n_threads.push_back(usable_cpus());
  }
  return arguments;
}

void print_row(const Limits& limits) {
  std::printf("| %-10s | %7d | %9.1f |", std::string(isa_name(limits.isa)).c_str(),
              limits.n_threads, limits.read_gb_per_s);
  for (const double peak : limits.gmac_per_s) {
    if (peak > 0) {
      std::printf(" %11.1f |", peak);
    } else {
      std::printf(" %11s |", "");
    }
  }
  std::printf("\n");
  std::fflush(stdout);
}

nlohmann::ordered_json as_json(const Limits& limits) {
  nlohmann::ordered_json json = {{"isa", isa_name(limits.isa)},
                                 {"n_threads", limits.n_threads},
                                 {"read_bytes", limits.read_bytes},
                                 {"read_gb_per_s", limits.read_gb_per_s},
                                 {"other_load", limits.other_cpus}};
  for (const Arithmetic a :
       {Arithmetic::kF32, Arithmetic::kBf16, Arithmetic::kInt8, Arithmetic::kInt4}) {
    if (limits.peak(a) > 0) json[std::string(arithmetic_name(a)) + "_gmac_per_s"] = limits.peak(a);
  }
  return json;
}

void run(const Arguments& arguments) {
  nlohmann::ordered_json all = nlohmann::ordered_json::array();
  if (!arguments.json) {
    std::puts(
        "| isa        | threads | read GB/s |  f32 GMAC/s | bf16 GMAC/s | int8 GMAC/s | int4 "
        "GMAC/s |");
    std::puts(
        "| ---------- | ------: | --------: | ----------: | ----------: | ----------: | "
        "----------: |");
  }
  std::int64_t read_bytes = 0;
  for (const Isa isa : kernels::available_isas()) {
    for (const int n_threads : arguments.n_threads) {
      kernels::LimitsOptions options;
      options.n_threads = n_threads;
      options.read_bytes = arguments.read_bytes;
      const Limits limits = kernels::measure_limits(isa, options);
      read_bytes = limits.read_bytes;
      if (limits.other_cpus > 0.2) {
        std::fprintf(stderr, "bench_limits: other programs kept %.1f CPUs busy meanwhile\n",
                     limits.other_cpus);
      }
      if (arguments.json) {
        all.push_back(as_json(limits));
      } else {
        print_row(limits);
      }
    }
  }
  if (arguments.json) {
    std::puts(all.dump(2).c_str());
  } else {
    std::printf("\nRead: %.0f MiB in order, each thread its part; the best of several passes.\n",
                static_cast<double>(read_bytes) / (1 << 20));
  }
}

}  // namespace
}  // namespace galley

int main(int argc, char** argv) {
  try {
    galley::run(galley::parse(argc, argv));
  } catch (const galley::Error& error) {
    std::fprintf(stderr, "bench_limits: %s\n", error.what());
    return static_cast<int>(error.kind());
  }
}
