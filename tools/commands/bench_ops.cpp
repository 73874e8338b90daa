// galley bench --ops: how the time of a forward pass is spread over its ops.
#include <map>
#include <nlohmann/json.hpp>

#include "model/observer.h"
#include "tools/commands/bench.h"
#include "tools/output.h"
#include "tools/progress.h"

namespace galley::tools {
namespace {

// "blk.3.ffn_up" as "blk.*.ffn_up": the layers together.
std::string without_layer(const std::string& name) {
  if (!name.starts_with("blk.")) return name;
  const std::size_t dot = name.find('.', 4);
  return dot == std::string::npos ? name : "blk.*" + name.substr(dot);
}

struct OpTime {
  std::string name;
  std::int64_t n_calls = 0;
  double seconds = 0;
  BenchWork work;  // of all calls
};

// A stopwatch between before_op and after_op.
class OpClock : public Observer {
 public:
  explicit OpClock(const BenchSetup& setup) : setup_(setup) {}

  void before_op(RunView&, int) override { watch_ = Stopwatch(); }

  void after_op(RunView& run, int op_index) override {
    const double seconds = watch_.seconds();
    const Op& op = run.graph().ops[static_cast<std::size_t>(op_index)];
    OpTime& time = find(without_layer(op.name));
    ++time.n_calls;
    time.seconds += seconds;
    time.work.add_op(setup_, op, run.n_tokens(), run.n_outputs(), run.positions().front());
  }

  const std::vector<OpTime>& times() const { return times_; }
  void reset() { times_.clear(), index_.clear(); }

 private:
  OpTime& find(const std::string& name) {
    const auto [at, is_new] = index_.emplace(name, times_.size());
    if (is_new) times_.push_back({name, 0, 0, {}});
    return times_[at->second];
  }

  const BenchSetup& setup_;
  Stopwatch watch_;
  std::vector<OpTime> times_;  // in the order of the graph
  std::map<std::string, std::size_t> index_;
};

struct OpTimes {
  std::vector<OpTime> ops;
  double total_seconds = 0;  // of the whole test
  double other_load = 0;

  double seconds_in_ops() const {
    double sum = 0;
    for (const OpTime& op : ops) sum += op.seconds;
    return sum;
  }
};

// Runs `test` twice, the first time to warm up.
OpTimes measure(const BenchSetup& setup, const BenchTest& test) {
  Session session(setup.model, setup.session);
  OpClock clock(setup);
  session.set_observer(&clock);
  bench_fill(session, test.n_depth);
  bench_run(session, test);
  bench_fill(session, test.n_depth);
  clock.reset();
  const kernels::LoadMeter meter;
  const Stopwatch watch;
  bench_run(session, test);
  OpTimes times;
  times.total_seconds = watch.seconds();
  times.other_load = meter.other_cpus();
  times.ops = clock.times();
  return times;
}

double rate(double amount, double seconds) { return seconds > 0 ? amount / seconds * 1e-9 : 0; }

// Only ops that multiply, or read weights or the cache, have a limit worth naming: the values of
// the others may never leave the CPU's caches.
std::string share_text(const OpTime& op) {
  const double least = op.work.total_least_seconds();
  if (op.work.macs == 0 || least == 0 || op.seconds == 0) return "";
  return format("%.0f %% ", 100 * least / op.seconds) + std::string(op.work.bound());
}

// A line of the table. All numbers are per token, but for the calls and the rates.
void print_line(const OpTime& op, double n_tokens, double seconds_in_ops) {
  const double bytes = op.work.memory_bytes + op.work.activation_bytes;
  write_out(format("%-28s %7lld %11.2f %6.1f%% %11.3f %9.3f %8.1f %7.1f %11s\n", op.name.c_str(),
                   static_cast<long long>(op.n_calls), op.seconds / n_tokens * 1e6,
                   100 * op.seconds / seconds_in_ops, op.work.macs / n_tokens * 1e-6,
                   bytes / n_tokens * 1e-6, rate(op.work.macs, op.seconds), rate(bytes, op.seconds),
                   share_text(op).c_str()));
}

void print_table(const BenchSetup& setup, const BenchTest& test, const OpTimes& times) {
  const auto n_tokens = static_cast<double>(test.n_tokens());
  const double in_ops = times.seconds_in_ops();
  write_out(format("%s, %d threads, %s: %.3f ms per token, stopping before and after every op\n",
                   test.name().c_str(), setup.n_threads,
                   std::string(isa_name(kernels::table().isa)).c_str(),
                   times.total_seconds / n_tokens * 1e3));
  write_out(format("%-28s %7s %11s %7s %11s %9s %8s %7s %11s\n", "op", "calls", "us/token", "share",
                   "MMAC/token", "MB/token", "GMAC/s", "GB/s", "of limit"));
  for (const OpTime& op : times.ops) print_line(op, n_tokens, in_ops);
  write_out(format("%-28s %7s %11.2f\n", "all ops", "", in_ops / n_tokens * 1e6));
  write_out(format("%-28s %7s %11.2f\n", "between ops", "",
                   (times.total_seconds - in_ops) / n_tokens * 1e6));
  write_out(format("%-28s %7s %11.2f\n", "all", "", times.total_seconds / n_tokens * 1e6));
}

nlohmann::ordered_json as_json(const BenchSetup& setup, const BenchTest& test,
                               const OpTimes& times) {
  nlohmann::ordered_json json = {{"model_filename", setup.model_path},
                                 {"test", test.name()},
                                 {"n_prompt", test.n_prompt},
                                 {"n_gen", test.n_gen},
                                 {"n_depth", test.n_depth},
                                 {"n_threads", setup.n_threads},
                                 {"isa", isa_name(kernels::table().isa)},
                                 {"total_seconds", times.total_seconds},
                                 {"seconds_in_ops", times.seconds_in_ops()},
                                 {"other_load", times.other_load}};
  if (setup.limits) {
    json["limit_read_gb_per_s"] = setup.limits->read_gb_per_s;
    for (int i = 0; i < kernels::kArithmetics; ++i) {
      const std::string name(arithmetic_name(static_cast<kernels::Arithmetic>(i)));
      json["limit_" + name + "_gmac_per_s"] = setup.limits->gmac_per_s[i];
    }
  }
  for (const OpTime& op : times.ops)
    json["ops"].push_back({{"name", op.name},
                           {"calls", op.n_calls},
                           {"seconds", op.seconds},
                           {"macs", op.work.macs},
                           {"memory_bytes", op.work.memory_bytes},
                           {"activation_bytes", op.work.activation_bytes},
                           {"limit", op.work.bound()},
                           {"least_seconds", op.work.total_least_seconds()}});
  return json;
}

}  // namespace

void print_op_times(const BenchSetup& setup, const BenchTest& test, bool in_json) {
  const OpTimes times = measure(setup, test);
  warn_of_load(test.name(), times.other_load);
  if (in_json) return write_json(as_json(setup, test, times));
  print_table(setup, test, times);
}

}  // namespace galley::tools
