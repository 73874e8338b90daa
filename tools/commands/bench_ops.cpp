// galley bench --ops: how the time of a forward pass is spread over its ops.
#include <algorithm>
#include <map>

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
  double weight_bytes = 0;  // read, summed over the calls
};

// A stopwatch between before_op and after_op.
class OpClock : public Observer {
 public:
  void before_op(RunView&, int) override { watch_ = Stopwatch(); }

  void after_op(RunView& run, int op_index) override {
    const double seconds = watch_.seconds();
    const Op& op = run.graph().ops[static_cast<std::size_t>(op_index)];
    OpTime& time = find(without_layer(op.name));
    ++time.n_calls;
    time.seconds += seconds;
    if (op.kind == OpKind::kMatmul) time.weight_bytes += static_cast<double>(op.weight->n_bytes);
  }

  const std::vector<OpTime>& times() const { return times_; }
  void reset() { times_.clear(), index_.clear(); }

 private:
  OpTime& find(const std::string& name) {
    const auto [at, is_new] = index_.emplace(name, times_.size());
    if (is_new) times_.push_back({name, 0, 0, 0});
    return times_[at->second];
  }

  Stopwatch watch_;
  std::vector<OpTime> times_;  // in the order of the graph
  std::map<std::string, std::size_t> index_;
};

}  // namespace

void print_op_times(const BenchSetup& setup, const BenchTest& test) {
  Session session(setup.model, setup.session);
  OpClock clock;
  session.set_observer(&clock);
  bench_fill(session, test.n_depth);
  bench_run(session, test);
  clock.reset();
  bench_fill(session, test.n_depth);
  clock.reset();  // of what filling took
  const Stopwatch watch;
  bench_run(session, test);
  const double total = watch.seconds();

  const auto n_tokens = static_cast<double>(test.n_tokens());
  double in_ops = 0;
  for (const OpTime& op : clock.times()) in_ops += op.seconds;
  write_out(format("%s, %d threads: %.3f ms per token, stopping before and after every op\n",
                   test.name().c_str(), session.n_threads(), total / n_tokens * 1e3));
  write_out(format("%-32s %8s %12s %7s %9s\n", "op", "calls", "us/token", "share", "GB/s"));
  for (const OpTime& op : clock.times())
    write_out(format(
        "%-32s %8lld %12.2f %6.1f%% %9s\n", op.name.c_str(), static_cast<long long>(op.n_calls),
        op.seconds / n_tokens * 1e6, 100 * op.seconds / in_ops,
        op.weight_bytes > 0 ? format("%.2f", op.weight_bytes / op.seconds * 1e-9).c_str() : ""));
  write_out(format("%-32s %8s %12.2f\n", "between ops", "", (total - in_ops) / n_tokens * 1e6));
}

}  // namespace galley::tools
