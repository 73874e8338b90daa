// cost: the products, bytes and time of the ops of this pass.
#include <algorithm>
#include <optional>

#include "kernels/kernels.h"
#include "kernels/limits.h"
#include "model/op_table.h"
#include "tensor/error.h"
#include "tools/glass/value_ref.h"
#include "tools/output.h"
#include "tools/step/command_functions.h"
#include "tools/step/show.h"

namespace galley::step {
namespace {

using tools::format;

struct Line {
  explicit Line(std::string line_name) : name(std::move(line_name)) {}

  std::string name;
  std::int64_t n_ops = 0;
  OpCost cost;
  std::int64_t ns = 0;
  double least_ns = 0;  // of the ops that have run, by the limits of the machine

  // `least_seconds`: 0 if the limits are not known.
  void add(const OpCost& c, std::int64_t op_ns, double least_seconds) {
    ++n_ops;
    cost.macs += c.macs;
    cost.weight_bytes += c.weight_bytes;
    cost.cache_bytes += c.cache_bytes;
    cost.activation_bytes += c.activation_bytes;
    ns += op_ns;
    if (op_ns > 0) least_ns += least_seconds * 1e9;
  }
};

// The least time an op can take on this machine. Only weights and the cache have to come from
// memory; values may stay in the CPU's caches.
double least_seconds(const kernels::Limits& limits, const Op& op, const OpCost& cost) {
  const bool is_product = op.kind == OpKind::kMatmul || op.kind == OpKind::kExpertMatmul;
  const kernels::Arithmetic arithmetic =
      is_product ? kernels::arithmetic_of(op.weight->type, limits.isa) : kernels::Arithmetic::kF32;
  return kernels::least_seconds(limits, arithmetic, static_cast<double>(cost.macs),
                                static_cast<double>(cost.weight_bytes + cost.cache_bytes));
}

// "blk.3.ffn_up" as "blk.*.ffn_up": the layers together.
std::string without_layer(const Op& op) {
  const std::string prefix = "blk." + std::to_string(op.layer) + ".";
  return op.name.starts_with(prefix) ? "blk.*." + op.name.substr(prefix.size()) : op.name;
}

std::string cost_line(const Line& line) {
  std::string text = format("%-24s %4lld %12lld %11lld %9lld %10lld", line.name.c_str(),
                            as_ll(line.n_ops), as_ll(line.cost.macs), as_ll(line.cost.weight_bytes),
                            as_ll(line.cost.cache_bytes), as_ll(line.cost.activation_bytes));
  if (line.ns > 0) {
    const auto ns = static_cast<double>(line.ns);
    text += format(" %9.1f us %7.2f GB/s", ns * 1e-3,
                   static_cast<double>(line.cost.weight_bytes + line.cost.cache_bytes) / ns);
    if (line.least_ns > 0) text += format(" %7.0f %%", 100 * line.least_ns / ns);
  }
  return text + "\n";
}

Json cost_json(const Line& line) {
  return {{"name", line.name},
          {"ops", line.n_ops},
          {"macs", line.cost.macs},
          {"weight_bytes", line.cost.weight_bytes},
          {"cache_bytes", line.cost.cache_bytes},
          {"activation_bytes", line.cost.activation_bytes},
          {"ns", line.ns},
          {"least_ns", line.least_ns}};
}

}  // namespace

namespace {

// `cost [all | VALUE] [limit]`.
struct CostAsked {
  bool each_op = false;  // else layers together
  bool limit = false;
  std::vector<bool> ops;
};

CostAsked read_arguments(Debugger& d, const Arguments& a) {
  a.need(0, 2, "cost [all | VALUE] [limit]");
  const Graph& graph = d.run().graph();
  CostAsked asked;
  asked.limit = a.size() > 0 && a[a.size() - 1] == "limit";
  const std::size_t n_words = a.size() - (asked.limit ? 1 : 0);
  if (n_words == 2)
    throw Error(ErrorKind::kUsage, "cost: behind the value stands nothing but 'limit'");
  asked.each_op = n_words > 0;
  asked.ops.assign(graph.ops.size(), n_words == 0 || a.is(0, "all"));
  if (n_words > 0 && !a.is(0, "all"))
    for (const glass::NamedValue& v : glass::find_values(graph, a[0], d.layer()))
      asked.ops[static_cast<std::size_t>(v.op)] = true;
  return asked;
}

std::optional<kernels::Limits> measure(const DebugRun& run, int n_threads, Reply& reply) {
  kernels::LimitsOptions options;
  options.n_threads = n_threads;
  const kernels::Limits limits = kernels::measure_limits(kernels::table().isa, options);
  reply.text += format("limits of %d threads, %s: %.1f GB/s, %.1f GMAC/s in int8\n", n_threads,
                       std::string(kernels::isa_name(limits.isa)).c_str(), limits.read_gb_per_s,
                       limits.peak(kernels::Arithmetic::kInt8));
  if (run.model().weight_bytes() < (std::int64_t{64} << 20))
    reply.text += "  (a small model stays in the CPU's caches, which are faster than memory)\n";
  return limits;
}

}  // namespace

void cost(Debugger& d, const Arguments& a, Reply& reply) {
  const CostAsked asked = read_arguments(d, a);
  DebugRun& run = d.run();
  const Graph& graph = run.graph();
  std::optional<kernels::Limits> limits;
  if (asked.limit) limits = measure(run, run.session().n_threads(), reply);
  std::vector<Line> lines;
  Line total("together");
  for (std::size_t i = 0; i < graph.ops.size(); ++i) {
    const Op& op = graph.ops[i];
    if (!asked.ops[i] || op.kind == OpKind::kSlice) continue;
    const OpCost cost = op_cost(graph, op, run.pass_end() - run.pass_begin(),
                                run.view().n_outputs(), run.pass_begin(), run.view().kv_type());
    const double least = limits ? least_seconds(*limits, op, cost) : 0;
    const std::string name = asked.each_op ? op.name : without_layer(op);
    auto line =
        std::find_if(lines.begin(), lines.end(), [&](const Line& l) { return l.name == name; });
    if (line == lines.end()) line = lines.insert(lines.end(), Line(name));
    line->add(cost, run.op_ns()[i], least);
    total.add(cost, run.op_ns()[i], least);
  }
  reply.text +=
      format("%-24s %4s %12s %11s %9s %10s %12s %12s%s\n", "op", "ops", "MACs", "weights B",
             "cache B", "values B", "time", "memory", limits ? "  of limit" : "");
  reply.data = {{"lines", Json::array()}};
  for (const Line& line : lines) {
    reply.text += cost_line(line);
    reply.data["lines"].push_back(cost_json(line));
  }
  if (lines.size() > 1) reply.text += cost_line(total);
  reply.data["total"] = cost_json(total);
  reply.text += "Times are of the ops that have run in this pass, each watched by itself.\n";
}

}  // namespace galley::step
