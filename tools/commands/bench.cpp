// galley bench: tokens per second, in llama-bench's notation: pp512 is the prefill of a prompt of
// 512 tokens, tg128 the decoding of 128 tokens one by one, "@ d4096" after 4096 tokens.
#include "tools/commands/bench.h"

#include <cmath>
#include <map>

#include "kernels/kernels.h"
#include "model/random.h"
#include "tensor/error.h"
#include "tools/command_line.h"
#include "tools/commands/commands.h"
#include "tools/commands/options.h"
#include "tools/interrupt.h"
#include "tools/output.h"
#include "tools/progress.h"

namespace galley::tools {
namespace {

struct BenchOptions {
  std::string models;
  std::vector<std::int64_t> n_prompt = {512};
  std::vector<std::int64_t> n_gen = {128};
  std::vector<std::int64_t> n_depth = {0};
  std::vector<std::int64_t> n_threads = {0};
  std::int64_t n_batch = 512;
  std::int64_t repetitions = 5;
  std::string kv_type;
  std::string isa;
  std::string output = "md";
  bool json = false;
  bool ops = false;
  bool no_limits = false;
};

double mean(const std::vector<double>& values) {
  double sum = 0;
  for (double x : values) sum += x;
  return sum / static_cast<double>(values.size());
}

std::vector<double> rates(const BenchResult& result) {
  std::vector<double> values;
  for (double s : result.seconds) values.push_back(static_cast<double>(result.test.n_tokens()) / s);
  return values;
}

void need_at_least(const char* flag, const std::vector<std::int64_t>& values, std::int64_t low) {
  for (std::int64_t n : values)
    if (n < low || n > (1 << 30))
      throw Error(ErrorKind::kUsage, std::string(flag) + ": " + std::to_string(n) +
                                         " is out of range, expected " + std::to_string(low) +
                                         " or more");
}

std::vector<std::string> split_paths(const std::string& list) {
  std::vector<std::string> paths;
  for (std::size_t begin = 0; begin <= list.size();) {
    const std::size_t end = std::min(list.find(',', begin), list.size());
    if (end > begin) paths.push_back(list.substr(begin, end - begin));
    begin = end + 1;
  }
  return paths;
}

BenchResult measure(const BenchSetup& setup, const BenchTest& test, std::int64_t repetitions) {
  Session session(setup.model, setup.session);
  BenchResult result{setup, test, work_of(setup, test), {}};
  Progress progress(test.name(), repetitions + 1);
  // Once without a clock: pages are mapped, threads are started, caches are warm.
  bench_fill(session, test.n_depth);
  BenchTest warm_up = test;
  warm_up.n_gen = std::min<std::int64_t>(test.n_gen, 4);
  bench_run(session, warm_up);
  const kernels::LoadMeter meter;
  for (std::int64_t i = 0; i < repetitions; ++i) {
    bench_fill(session, test.n_depth);
    const Stopwatch watch;
    bench_run(session, test);
    result.seconds.push_back(watch.seconds());
    progress.update(i + 2);
  }
  result.other_load = meter.other_cpus();
  warn_of_load(test.name(), result.other_load);
  return result;
}

// The limits of this machine, said on stderr.
kernels::Limits measured_limits(int n_threads) {
  kernels::LimitsOptions options;
  options.n_threads = n_threads;
  const kernels::Limits limits = kernels::measure_limits(kernels::table().isa, options);
  warn_of_load("limits", limits.other_cpus);
  std::string text =
      format("limits of this machine, %d threads: read %.1f GB/s (%s in order)", n_threads,
             limits.read_gb_per_s, human_bytes(limits.read_bytes).c_str());
  for (int i = 0; i < kernels::kArithmetics; ++i) {
    const auto arithmetic = static_cast<kernels::Arithmetic>(i);
    if (limits.peak(arithmetic) > 0)
      text += format(", %s %.0f GMAC/s", std::string(arithmetic_name(arithmetic)).c_str(),
                     limits.peak(arithmetic));
  }
  note(text + " (" + std::string(isa_name(limits.isa)) + ")");
  return limits;
}

// What is measured once per number of threads.
using LimitsByThreads = std::map<int, kernels::Limits>;

void bench_model(const BenchOptions& options, const std::string& path, LimitsByThreads& limits,
                 BenchReport& report) {
  ContextOptions context;
  context.n_batch = options.n_batch;
  context.kv_type = options.kv_type;
  context.isa = options.isa;
  BenchSetup setup;
  setup.model_path = path;
  setup.model = ModelOptions{path}.need_model();
  for (std::int64_t n_threads : options.n_threads) {
    context.n_threads = n_threads;
    setup.session = context.session_options();
    setup.n_threads = n_threads > 0 ? static_cast<int>(n_threads) : usable_cpus();
    if (!options.no_limits) {
      if (!limits.contains(setup.n_threads))
        limits.emplace(setup.n_threads, measured_limits(setup.n_threads));
      setup.limits = limits.at(setup.n_threads);
    }
    warn_of_setup(setup);
    std::vector<BenchTest> tests;
    for (std::int64_t depth : options.n_depth) {
      for (std::int64_t n : options.n_prompt)
        if (n > 0) tests.push_back({.n_prompt = n, .n_gen = 0, .n_depth = depth});
      for (std::int64_t n : options.n_gen)
        if (n > 0) tests.push_back({.n_prompt = 0, .n_gen = n, .n_depth = depth});
    }
    for (const BenchTest& test : tests) {
      setup.session.n_context = test.n_depth + test.n_tokens();
      if (options.ops) {
        print_op_times(setup, test, options.json || options.output.starts_with("json"));
      } else {
        report.add(measure(setup, test, options.repetitions));
      }
    }
  }
}

void bench(const BenchOptions& options) {
  std::vector<std::string> paths = split_paths(options.models);
  if (paths.empty()) paths = {"demo"};
  need_at_least("--n-prompt", options.n_prompt, 0);
  need_at_least("--n-gen", options.n_gen, 0);
  need_at_least("--n-depth", options.n_depth, 0);
  need_at_least("--threads", options.n_threads, 0);
  need_at_least("--repetitions", {options.repetitions}, 1);
  warn_of_setting();
  const auto report = make_bench_report(options.json ? "json" : options.output);
  LimitsByThreads limits;
  for (const std::string& path : paths) bench_model(options, path, limits, *report);
  if (!options.ops) report->end();
}

}  // namespace

std::string BenchTest::name() const {
  std::string text = n_prompt > 0 ? "pp" + std::to_string(n_prompt) : "tg" + std::to_string(n_gen);
  if (n_depth > 0) text += " @ d" + std::to_string(n_depth);
  return text;
}

double BenchResult::mean_rate() const { return mean(rates(*this)); }

double BenchResult::rate_deviation() const {
  const std::vector<double> values = rates(*this);
  if (values.size() < 2) return 0;
  const double middle = mean(values);
  double sum = 0;
  for (double x : values) sum += (x - middle) * (x - middle);
  return std::sqrt(sum / static_cast<double>(values.size() - 1));
}

double BenchResult::mean_seconds() const {
  return static_cast<double>(test.n_tokens()) / mean_rate();
}

double BenchResult::gb_per_s() const { return work.memory_bytes / mean_seconds() * 1e-9; }

double BenchResult::gmac_per_s() const { return work.macs / mean_seconds() * 1e-9; }

double BenchResult::share_of_limit() const { return work.total_least_seconds() / mean_seconds(); }

std::vector<TokenId> bench_tokens(const Model& model, std::int64_t n) {
  Random random(1);
  const auto n_vocab = static_cast<std::uint32_t>(model.config().n_vocab);
  std::vector<TokenId> ids;
  for (std::int64_t i = 0; i < n; ++i) ids.push_back(static_cast<TokenId>(random.next() % n_vocab));
  if (n > 0 && model.tokenizer().adds_bos() && model.tokenizer().bos())
    ids.front() = *model.tokenizer().bos();
  return ids;
}

void bench_fill(Session& session, std::int64_t n_depth) {
  const std::int64_t kept = session.truncate(std::min(session.length(), n_depth));
  if (kept == n_depth) return;
  const std::vector<TokenId> ids = bench_tokens(session.model(), n_depth);
  session.forward(std::span(ids).subspan(static_cast<std::size_t>(kept)));
}

void bench_run(Session& session, const BenchTest& test) {
  const std::vector<TokenId> ids = bench_tokens(session.model(), test.n_tokens());
  if (test.n_prompt > 0) return session.forward(ids);
  for (const TokenId& id : ids) {
    check_interrupt();
    session.forward(std::span(&id, 1));
  }
}

Action set_up_bench(CommandLine& line) {
  auto o = std::make_shared<BenchOptions>();
  line.text("-m,--model", o->models, "FILE,...",
            "the models: GGUF files or\nbuilt-in ones (default: demo)");
  line.integers("-p,--n-prompt", o->n_prompt, "lengths of prompts for prefill, 0: none");
  line.integers("-n,--n-gen", o->n_gen, "numbers of tokens to decode, 0: none");
  line.integers("-d,--n-depth", o->n_depth, "tokens in the cache before");
  line.integers("-t,--threads", o->n_threads, "threads, 0: the CPUs this process may use");
  line.integer("-b,--batch-size", o->n_batch, "prompt tokens that go through the model at once");
  line.integer("-r,--repetitions", o->repetitions, "runs of each test");
  line.text("--kv-type", o->kv_type, "TYPE", "how keys and values are kept: f32, f16, q8_0");
  line.text("--isa", o->isa, "ISA", "instruction set: scalar, avx2, avxvnni, avx512, avx512bf16");
  line.text("-o,--output", o->output, "FORMAT", "md, csv, json or jsonl");
  line.flag("--json", o->json, "the same as -o json");
  line.flag("--ops", o->ops, "how the time is spread over the ops, instead of the table");
  line.flag("--no-limits", o->no_limits, "don't measure the machine's limits first (a second)");
  line.examples({"bench -m a.gguf,b.gguf -p 512 -n 64 -d 0,4096 -o json",
                 "bench -m model.gguf -p 512 -n 0 --ops"});
  return [o] { bench(*o); };
}

}  // namespace galley::tools
