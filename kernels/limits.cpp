#include "kernels/limits.h"

#include <omp.h>
#include <sys/mman.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <fstream>
#include <string>

#include "kernels/load_meter.h"
#include "kernels/peak_loops.h"
#include "kernels/share.h"
#include "tensor/error.h"

namespace galley::kernels {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// Memory of its own pages, large ones where the system gives them.
class Pages {
 public:
  explicit Pages(std::int64_t n_bytes) : size_(static_cast<std::size_t>(n_bytes)) {
    void* at = mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) {
      throw Error(ErrorKind::kOutOfMemory,
                  "measuring the speed of memory needs " + std::to_string(n_bytes) + " bytes");
    }
    data_ = static_cast<std::byte*>(at);
    madvise(at, size_, MADV_HUGEPAGE);
  }
  ~Pages() { munmap(data_, size_); }
  Pages(const Pages&) = delete;
  Pages& operator=(const Pages&) = delete;

  std::byte* data() const { return data_; }

 private:
  std::byte* data_ = nullptr;
  std::size_t size_;
};

PeakLoops loops_of(Isa isa) {
  table(isa);  // throws if the CPU lacks it
  switch (isa) {
    case Isa::kAvx512Bf16:
      return avx512bf16::peak_loops();
    case Isa::kAvx512:
      return avx512::peak_loops();
    case Isa::kAvxVnni:
      return avxvnni::peak_loops();
    case Isa::kAvx2:
      return avx2::peak_loops();
    default:
      return scalar::peak_loops();
  }
}

// Calls work(part) on all threads again and again, for `seconds`; returns the time of the
// fastest call, from the common start to when the last thread is done.
template <class Work>
double best_seconds(int n_threads, double seconds, const Work& work) {
  double best = 0;
  bool is_done = false;
  const Clock::time_point begin = Clock::now();
  Clock::time_point start;
#pragma omp parallel num_threads(n_threads)
  {
    const Part part{omp_get_thread_num(), omp_get_num_threads()};
    work(part);  // wakes everything up
    while (!is_done) {
#pragma omp barrier
#pragma omp single
      start = Clock::now();
      work(part);
#pragma omp barrier
#pragma omp single
      {
        const double elapsed = seconds_since(start);
        best = best == 0 ? elapsed : std::min(best, elapsed);
        is_done = seconds_since(begin) > seconds;
      }
    }
  }
  return best;
}

// What was read goes here, so that no compiler can leave reading out.
void keep(std::uint64_t value) { __asm__ volatile("" : : "r"(value) : "memory"); }

double measure_read(const PeakLoops& loops, const LimitsOptions& options, std::int64_t n_bytes) {
  constexpr std::int64_t kPage = 4096;
  const std::int64_t n_pages = n_bytes / kPage;
  const Pages pages(n_pages * kPage);
#pragma omp parallel num_threads(options.n_threads)
  {
    const Range mine = share(n_pages, {omp_get_thread_num(), omp_get_num_threads()});
    // Written once: until then all pages are one and the same page of zeros.
    std::fill(pages.data() + mine.begin * kPage, pages.data() + mine.end * kPage, std::byte{1});
  }
  const double seconds = best_seconds(options.n_threads, options.read_seconds, [&](Part part) {
    const Range mine = share(n_pages, part);
    keep(loops.read(pages.data() + mine.begin * kPage, (mine.end - mine.begin) * kPage));
  });
  return static_cast<double>(n_pages * kPage) / seconds * 1e-9;
}

double measure_multiply(const PeakLoop& loop, const LimitsOptions& options) {
  if (loop.run == nullptr) return 0;
  // As many rounds as take about two milliseconds: long beside a barrier, short beside a time
  // slice.
  std::int64_t n_rounds = 256;
  double seconds = 0;
  while (seconds < 2e-3) {
    n_rounds *= 2;
    const Clock::time_point start = Clock::now();
    loop.run(n_rounds);
    seconds = seconds_since(start);
  }
  seconds =
      best_seconds(options.n_threads, options.multiply_seconds, [&](Part) { loop.run(n_rounds); });
  return static_cast<double>(n_rounds) * loop.macs_per_round * options.n_threads / seconds * 1e-9;
}

// A quarter of the memory that can be had, at most.
std::int64_t affordable_bytes(std::int64_t wanted) {
  std::int64_t n_kib = 0;
  std::ifstream in("/proc/meminfo");
  for (std::string word; in >> word;) {
    if (word == "MemAvailable:" && in >> n_kib) break;
  }
  const std::int64_t quarter = n_kib > 0 ? n_kib * 1024 / 4 : wanted;
  return std::min(wanted, std::max(quarter, std::int64_t{1} << 24));
}

Limits measure_once(Isa isa, const LimitsOptions& options) {
  const LoadMeter meter;
  const PeakLoops loops = loops_of(isa);
  Limits limits{};
  limits.isa = isa;
  limits.n_threads = options.n_threads;
  limits.gmac_per_s[static_cast<int>(Arithmetic::kF32)] = measure_multiply(loops.f32, options);
  limits.gmac_per_s[static_cast<int>(Arithmetic::kBf16)] = measure_multiply(loops.bf16, options);
  limits.gmac_per_s[static_cast<int>(Arithmetic::kInt8)] = measure_multiply(loops.int8, options);
  // VNNI has one loop for both.
  limits.gmac_per_s[static_cast<int>(Arithmetic::kInt4)] =
      loops.int4.run == loops.int8.run ? limits.peak(Arithmetic::kInt8)
                                       : measure_multiply(loops.int4, options);
  limits.read_bytes = affordable_bytes(options.read_bytes);
  // Memory is as fast as it is, whatever the kernels are: read with the widest loads there are.
  const PeakLoops reading = loops_of(available_isas().front());
  limits.read_gb_per_s = measure_read(reading, options, limits.read_bytes);
  limits.other_cpus = meter.other_cpus();
  return limits;
}

}  // namespace

std::string_view arithmetic_name(Arithmetic arithmetic) {
  switch (arithmetic) {
    case Arithmetic::kF32:
      return "f32";
    case Arithmetic::kBf16:
      return "bf16";
    case Arithmetic::kInt8:
      return "int8";
    default:
      return "int4";
  }
}

Arithmetic arithmetic_of(DType weight_type, Isa isa) {
  if (weight_type == DType::kBF16 && isa == Isa::kAvx512Bf16) return Arithmetic::kBf16;
  if (!uses_quantized_rows(weight_type)) return Arithmetic::kF32;
  if (isa >= Isa::kAvx512) return Arithmetic::kInt8;
  switch (weight_type) {
    case DType::kQ8_0:
    case DType::kIQ4_NL:  // few bits that stand for values of 8
    case DType::kIQ4_XS:
    case DType::kIQ1_S:
    case DType::kIQ1_M:
    case DType::kIQ2_XXS:
    case DType::kIQ2_XS:
    case DType::kIQ2_S:
    case DType::kIQ3_XXS:
    case DType::kIQ3_S:
      return Arithmetic::kInt8;
    default:
      return Arithmetic::kInt4;
  }
}

Limits measure_limits(Isa isa, const LimitsOptions& options) {
  const Clock::time_point start = Clock::now();
  Limits limits = measure_once(isa, options);
  constexpr double kPatience_s = 3;  // so busy a machine would be no better the second time
  if (limits.other_cpus < 0.2 || seconds_since(start) > kPatience_s) return limits;
  const Limits again = measure_once(isa, options);
  limits.other_cpus = again.other_cpus;
  limits.read_gb_per_s = std::max(limits.read_gb_per_s, again.read_gb_per_s);
  for (int i = 0; i < kArithmetics; ++i) {
    limits.gmac_per_s[i] = std::max(limits.gmac_per_s[i], again.gmac_per_s[i]);
  }
  return limits;
}

double least_seconds(const Limits& limits, Arithmetic arithmetic, double macs, double n_bytes) {
  const double peak = limits.peak(arithmetic);
  const double to_read = limits.read_gb_per_s > 0 ? n_bytes / limits.read_gb_per_s * 1e-9 : 0;
  const double to_multiply = peak > 0 ? macs / peak * 1e-9 : 0;
  return std::max(to_read, to_multiply);
}

}  // namespace galley::kernels
