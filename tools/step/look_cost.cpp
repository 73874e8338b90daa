// cost: the products, bytes and time of the ops of this pass.
#include <algorithm>

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

  void add(const OpCost& c, std::int64_t op_ns) {
    ++n_ops;
    cost.macs += c.macs;
    cost.weight_bytes += c.weight_bytes;
    cost.cache_bytes += c.cache_bytes;
    cost.activation_bytes += c.activation_bytes;
    ns += op_ns;
  }
};

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
          {"ns", line.ns}};
}

}  // namespace

void cost(Debugger& d, const Arguments& a, Reply& reply) {
  a.need(0, 1, "cost [all | VALUE]");
  DebugRun& run = d.run();
  const Graph& graph = run.graph();
  std::vector<bool> wanted(graph.ops.size(), a.empty() || a.is(0, "all"));
  if (!a.empty() && !a.is(0, "all"))
    for (const glass::NamedValue& v : glass::find_values(graph, a[0], d.layer()))
      wanted[static_cast<std::size_t>(v.op)] = true;
  std::vector<Line> lines;
  Line total("together");
  for (std::size_t i = 0; i < graph.ops.size(); ++i) {
    if (!wanted[i] || graph.ops[i].kind == OpKind::kSlice) continue;
    const Op& op = graph.ops[i];
    const OpCost cost = op_cost(graph, op, run.pass_end() - run.pass_begin(),
                                run.view().n_outputs(), run.pass_begin(), run.view().kv_type());
    const std::string name = a.empty() ? without_layer(op) : op.name;
    auto line =
        std::find_if(lines.begin(), lines.end(), [&](const Line& l) { return l.name == name; });
    if (line == lines.end()) line = lines.insert(lines.end(), Line(name));
    line->add(cost, run.op_ns()[i]);
    total.add(cost, run.op_ns()[i]);
  }
  reply.text = format("%-24s %4s %12s %11s %9s %10s %12s %12s\n", "op", "ops", "MACs", "weights B",
                      "cache B", "values B", "time", "memory");
  reply.data = {{"lines", Json::array()}};
  for (const Line& line : lines) {
    reply.text += cost_line(line);
    reply.data["lines"].push_back(cost_json(line));
  }
  reply.text += cost_line(total);
  reply.data["total"] = cost_json(total);
  reply.text += "Times are of the ops that have run in this pass, each watched by itself.\n";
}

}  // namespace galley::step
