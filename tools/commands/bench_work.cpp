// What a test asks of the machine: multiply-adds, bytes, and the time they take at the least.
#include <algorithm>
#include <numeric>

#include "tools/commands/bench.h"

namespace galley::tools {

using kernels::Arithmetic;

DType BenchSetup::kv_type() const {
  return session.kv_type.value_or(default_kv_type(model->graph()));
}

double BenchWork::total_least_seconds() const {
  return std::accumulate(std::begin(least_seconds), std::end(least_seconds), 0.0);
}

std::string_view BenchWork::bound() const {
  const auto* most = std::max_element(std::begin(least_seconds), std::end(least_seconds));
  if (*most == 0) return "";
  const auto index = most - std::begin(least_seconds);
  return index == 0 ? "read" : arithmetic_name(static_cast<Arithmetic>(index - 1));
}

void BenchWork::add_op(const BenchSetup& setup, const Op& op, std::int64_t n_tokens,
                       std::int64_t n_outputs, std::int64_t n_cached) {
  const Graph& graph = setup.model->graph();
  const OpCost cost = op_cost(graph, op, n_tokens, n_outputs, n_cached, setup.kv_type());
  const auto op_macs = static_cast<double>(cost.macs);
  const auto op_bytes = static_cast<double>(cost.weight_bytes + cost.cache_bytes);
  macs += op_macs;
  memory_bytes += op_bytes;
  activation_bytes += static_cast<double>(cost.activation_bytes);
  if (!setup.limits) return;
  const bool is_matmul = op.kind == OpKind::kMatmul || op.kind == OpKind::kExpertMatmul;
  const Arithmetic arithmetic =
      is_matmul ? arithmetic_of(op.weight->type, setup.limits->isa) : Arithmetic::kF32;
  const double to_read = kernels::least_seconds(*setup.limits, arithmetic, 0, op_bytes);
  const double both = kernels::least_seconds(*setup.limits, arithmetic, op_macs, op_bytes);
  least_seconds[both > to_read ? 1 + static_cast<int>(arithmetic) : 0] += both;
}

BenchWork work_of(const BenchSetup& setup, const BenchTest& test) {
  BenchWork work;
  std::int64_t n_cached = test.n_depth;
  const std::int64_t n_batch = test.n_prompt > 0 ? setup.session.n_batch : 1;
  for (std::int64_t done = 0; done < test.n_tokens(); done += n_batch) {
    const std::int64_t n = std::min(n_batch, test.n_tokens() - done);
    const bool is_last = done + n == test.n_tokens();
    const std::int64_t n_outputs = test.n_gen > 0 || is_last ? 1 : 0;
    for (const Op& op : setup.model->graph().ops) work.add_op(setup, op, n, n_outputs, n_cached);
    n_cached += n;
  }
  return work;
}

}  // namespace galley::tools
