// Checks and times the steps of the ladder (ladder.h).
//
//   bench_ladder [--size 4096] [--tokens 64] [--threads N] [--quick] [--json]
//
// --quick runs every step once.
//
// Every step is compared with step 1 before its time counts: bit for bit is not to be expected,
// since sums are made in different orders and, from step 4 on, activations are rounded to int8.
#include <omp.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <vector>

#include "bench/ladder/ladder.h"
#include "kernels/limits.h"
#include "model/session.h"
#include "tensor/error.h"
#include "tensor/half.h"

namespace galley::ladder {
namespace {

using kernels::Arithmetic;
using kernels::Isa;

struct Arguments {
  std::int64_t size = 4096;
  std::int64_t tokens = 64;
  int n_threads = usable_cpus();
  double seconds = 0.5;  // for each step
  bool json = false;
};

Arguments parse(int argc, char** argv) {
  Arguments arguments;
  for (int i = 1; i < argc; ++i) {
    const std::string flag = argv[i];
    const auto value = [&](std::int64_t most) {
      const std::int64_t n = i + 1 < argc ? std::atoll(argv[++i]) : 0;
      if (n < 1 || n > most)
        throw Error(ErrorKind::kUsage,
                    flag + ": expected a number from 1 to " + std::to_string(most));
      return n;
    };
    if (flag == "--size") {
      arguments.size = value(1 << 15) / 32 * 32;
      if (arguments.size == 0) throw Error(ErrorKind::kUsage, "--size: expected 32 or more");
    } else if (flag == "--tokens") {
      arguments.tokens = value(4096);
    } else if (flag == "--threads") {
      arguments.n_threads = static_cast<int>(value(1024));
    } else if (flag == "--quick") {
      arguments.seconds = 0;
    } else if (flag == "--json") {
      arguments.json = true;
    } else {
      throw Error(ErrorKind::kUsage,
                  "unknown argument '" + flag +
                      "'; there are --size, --tokens, --threads, --quick and --json");
    }
  }
  return arguments;
}

struct Free {
  void operator()(std::byte* data) const { std::free(data); }
};
using Buffer = std::unique_ptr<std::byte, Free>;
Buffer aligned_buffer(std::size_t n_bytes) {
  return Buffer(static_cast<std::byte*>(std::aligned_alloc(64, (n_bytes + 63) / 64 * 64)));
}

// A product with random weights and activations, and all memory the steps need.
struct Problem {
  std::vector<BlockQ4_0> w;
  std::vector<float> x, y, row;
  std::vector<XBlock> xq;
  Buffer panel;

  Problem(std::int64_t size, std::int64_t tokens)
      : w(static_cast<std::size_t>(size * size / 32)),
        x(static_cast<std::size_t>(size * tokens)),
        y(x.size()),
        row(static_cast<std::size_t>(size)),
        xq(x.size() / 32),
        panel(aligned_buffer(static_cast<std::size_t>(size / 32 * kPanelBlockBytes))) {
    std::mt19937 engine(1);
    std::normal_distribution<float> normal;
    for (float& value : x) value = normal(engine);
    for (BlockQ4_0& block : w) {
      block.d = float_to_half(0.01f * normal(engine));
      for (std::uint8_t& byte : block.qs) byte = static_cast<std::uint8_t>(engine());
    }
    product = {.w = w.data(),
               .x = x.data(),
               .y = y.data(),
               .rows = size,
               .cols = size,
               .tokens = tokens,
               .xq = xq.data(),
               .row = row.data(),
               .panel = panel.get()};
  }

  Product product;
};

// The engine's kernel, as the executor calls it.
class Engine {
 public:
  Engine(const Product& p, int n_threads)
      : quantized_(aligned_buffer(kernels::quantized_rows_bytes(p.tokens, p.cols))) {
    const std::size_t n_bytes =
        kernels::matmul_scratch_bytes(DType::kQ4_0, p.rows, p.cols, p.tokens);
    for (int i = 0; i < n_threads; ++i) scratch_.push_back(aligned_buffer(n_bytes));
  }

  void run(const Product& p) const {
    const auto n_threads = static_cast<int>(scratch_.size());
    const kernels::KernelTable& table = kernels::table();
    kernels::MatmulArgs args;
    args.type = DType::kQ4_0;
    args.weights = reinterpret_cast<const std::byte*>(p.w);
    args.rows = p.rows;
    args.cols = p.cols;
    args.tokens = p.tokens;
    args.xq = {quantized_.get(), p.tokens};
    args.y = p.y;
    args.y_stride = p.rows;
    const kernels::QuantizeRowsArgs quantize = {p.x, p.cols, p.tokens, p.cols, args.xq};
#pragma omp parallel num_threads(n_threads) firstprivate(args)
    {
      const kernels::Part part{omp_get_thread_num(), n_threads};
      args.scratch = scratch_[static_cast<std::size_t>(part.index)].get();
      table.quantize_rows(quantize, part);
#pragma omp barrier
      table.matmul(args, part);
    }
  }

 private:
  Buffer quantized_;
  std::vector<Buffer> scratch_;
};

struct Step {
  std::string number, name;
  Isa isa;               // what it needs
  double largest_error;  // of ||y - y of step 1|| / ||y of step 1||
  int n_threads;
  Arithmetic arithmetic;  // of the peak it is compared with
  std::function<void(const Product&)> run;
};

// Rounding in another order alone, and together with rounding activations to int8.
constexpr double kFloatError = 1e-5;
constexpr double kInt8Error = 0.02;

std::vector<Step> all_steps(const Product& p, int n_threads) {
  const Isa isa = kernels::table().isa;
  const Arithmetic arithmetic = kernels::arithmetic_of(DType::kQ4_0, isa);
  const auto engine = [&](int n) {
    auto shared = std::make_shared<Engine>(p, n);
    return [shared](const Product& product) { shared->run(product); };
  };
  std::vector<Step> steps = {
      {"1", "triple loop", Isa::kScalar, 0, 1, Arithmetic::kF32, triple_loop},
      {"2", "a row dequantized once", Isa::kScalar, kFloatError, 1, Arithmetic::kF32, row_once},
      {"3", "eight sums", Isa::kScalar, kFloatError, 1, Arithmetic::kF32, eight_sums},
      {"4", "int8 activations", Isa::kScalar, kInt8Error, 1, Arithmetic::kInt8, int8_blocks},
      {"5", "AVX2 dot product", Isa::kAvx2, kInt8Error, 1, Arithmetic::kInt8, avx2_dot},
      {"6", "AVX2, a panel and a tile", Isa::kAvx2, kInt8Error, 1, Arithmetic::kInt4, avx2_panel},
      {"7", "AVX-512 VNNI", Isa::kAvx512, kInt8Error, 1, Arithmetic::kInt8, avx512_panel},
      {"8", "the engine's kernel", isa, kInt8Error, 1, arithmetic, engine(1)}};
  if (n_threads > 1) {
    steps.push_back({"8", "the same, " + std::to_string(n_threads) + " threads", isa, kInt8Error,
                     n_threads, arithmetic, engine(n_threads)});
  }
  return steps;
}

// ||a - b|| / ||b||
double relative_error(const std::vector<float>& a, const std::vector<float>& b) {
  double difference = 0, size = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    difference += std::pow(double{a[i]} - double{b[i]}, 2);
    size += std::pow(double{b[i]}, 2);
  }
  return std::sqrt(difference / size);
}

double seconds_of(const Step& step, const Product& p) {
  const auto start = std::chrono::steady_clock::now();
  step.run(p);
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// The machine's peak for the arithmetic of a step, or 0 if plain C++ has none.
double peak_of(const Step& step) {
  if (step.isa == Isa::kScalar) return 0;
  kernels::LimitsOptions options;
  options.n_threads = step.n_threads;
  options.read_bytes = 1 << 24;  // not wanted here
  options.read_seconds = 0;
  return kernels::measure_limits(step.isa, options).peak(step.arithmetic);
}

struct Timing {
  double seconds = 0;
  double error = 0;  // relative to step 1
  double peak_gmac_per_s = 0;
};

// Runs a step, compares with `expected` (or makes it, if it is empty), and only then looks for the
// fastest of several runs that take `seconds` together. Throws Error if the step is wrong.
Timing measure(const Step& step, Problem& problem, std::vector<float>& expected, double seconds) {
  std::fill(problem.y.begin(), problem.y.end(), std::nanf(""));
  Timing timing;
  double sum = seconds_of(step, problem.product);
  if (expected.empty()) expected = problem.y;
  timing.error = relative_error(problem.y, expected);
  if (!(timing.error <= step.largest_error)) {
    throw Error(ErrorKind::kFailure, "step " + step.number + " is wrong: its result is off by " +
                                         std::to_string(timing.error));
  }
  timing.seconds = sum;
  while (sum < seconds) {
    const double elapsed = seconds_of(step, problem.product);
    timing.seconds = std::min(timing.seconds, elapsed);
    sum += elapsed;
  }
  timing.peak_gmac_per_s = peak_of(step);
  return timing;
}

void print_header(const Product& p) {
  std::printf("Q4_0, %lld x %lld, %lld tokens\n\n", static_cast<long long>(p.rows),
              static_cast<long long>(p.cols), static_cast<long long>(p.tokens));
  std::puts(
      "| step |                          |       ms |  GMAC/s | times the last | times step 1 | of "
      "the peak |");
  std::puts(
      "| ---- | ------------------------ | -------: | ------: | -------------: | -----------: | "
      "----------: |");
}

void print_row(const Step& step, const Timing& timing, double gmac, double last, double first) {
  const double rate = gmac / timing.seconds;
  const long percent = std::lrint(100 * rate / std::max(timing.peak_gmac_per_s, 1e-9));
  const std::string share = timing.peak_gmac_per_s > 0 ? std::to_string(percent) + " %" : "";
  std::printf("| %-4s | %-24s | %8.1f | %7.2f | %14.1f | %12.1f | %11s |\n", step.number.c_str(),
              step.name.c_str(), timing.seconds * 1e3, rate, last / timing.seconds,
              first / timing.seconds, share.c_str());
  std::fflush(stdout);
}

void run(const Arguments& arguments) {
  Problem problem(arguments.size, arguments.tokens);
  const Product& p = problem.product;
  const double gmac = static_cast<double>(p.rows * p.cols * p.tokens) * 1e-9;
  nlohmann::ordered_json all = nlohmann::ordered_json::array();
  if (!arguments.json) print_header(p);
  std::vector<float> expected;
  double first = 0, last = 0;
  for (const Step& step : all_steps(p, arguments.n_threads)) {
    const auto available = kernels::available_isas();
    if (std::find(available.begin(), available.end(), step.isa) == available.end()) {
      std::fprintf(stderr, "bench_ladder: this CPU cannot run step %s\n", step.number.c_str());
      continue;
    }
    const Timing timing = measure(step, problem, expected, arguments.seconds);
    if (first == 0) first = last = timing.seconds;
    if (arguments.json) {
      all.push_back({{"step", step.number},
                     {"name", step.name},
                     {"n_threads", step.n_threads},
                     {"seconds", timing.seconds},
                     {"gmac_per_s", gmac / timing.seconds},
                     {"times_step_1", first / timing.seconds},
                     {"peak_gmac_per_s", timing.peak_gmac_per_s},
                     {"relative_error", timing.error}});
    } else {
      print_row(step, timing, gmac, last, first);
    }
    last = timing.seconds;
  }
  if (arguments.json) std::puts(all.dump(2).c_str());
}

}  // namespace
}  // namespace galley::ladder

int main(int argc, char** argv) {
  try {
    galley::ladder::run(galley::ladder::parse(argc, argv));
  } catch (const galley::Error& error) {
    std::fprintf(stderr, "bench_ladder: %s\n", error.what());
    return error.exit_code();
  }
}
