#include "model/planner.h"

#include <algorithm>

#include "kernels/kernels.h"

namespace galley {
namespace {

// Offsets are multiples of this many floats: a cache line.
constexpr std::int64_t kAlignment = 16;

// Weights of the largest matrix that counts as small: it fits the second-level cache.
constexpr std::int64_t kSmallMatrix = std::int64_t{1} << 18;

// Whether `weight`, or each expert's part of it, is a small matrix.
bool is_small(const Tensor& weight) {
  const std::int64_t n_experts = weight.shape.size() == 3 ? weight.shape[0] : 1;
  return weight.n_elements() / n_experts <= kSmallMatrix;
}

std::int64_t aligned(std::int64_t n) { return (n + kAlignment - 1) / kAlignment * kAlignment; }

struct Placed {
  std::int64_t begin, end;  // floats
  int first, last;          // ops between which the value lives
};

// The lowest offset at which `size` floats fit beside all of `placed` that live at the same time.
std::int64_t first_fit(const std::vector<Placed>& placed, std::int64_t size, int first, int last) {
  std::vector<Placed> alive;
  for (const Placed& p : placed)
    if (p.first <= last && first <= p.last) alive.push_back(p);
  std::sort(alive.begin(), alive.end(),
            [](const Placed& a, const Placed& b) { return a.begin < b.begin; });
  std::int64_t offset = 0;
  for (const Placed& p : alive) {
    if (offset + size <= p.begin) break;
    offset = std::max(offset, p.end);
  }
  return offset;
}

// For each value, the last op that reads it (or a slice of it).
std::vector<int> last_uses(const Graph& graph) {
  std::vector<int> last(graph.values.size(), -1);
  for (std::size_t i = 0; i < graph.ops.size(); ++i) {
    for (Value input : graph.ops[i].inputs)
      last[static_cast<std::size_t>(root_value(graph, input))] = static_cast<int>(i);
    int& own = last[static_cast<std::size_t>(root_value(graph, graph.ops[i].output))];
    own = std::max(own, static_cast<int>(i));
  }
  return last;
}

// What a step reads or writes: a range of the float buffer, or one of the buffers beside it.
struct Access {
  enum class Where {
    kFloats,
    kLogits,
    kCache,
    kQuantized,
    kRemainder,
    kRoutes,
    kGathered,
    kExpertRows
  };
  Where where;
  bool writes = false;
  std::int64_t begin = 0;
  std::int64_t end = 1;

  bool conflicts(const Access& other) const {
    return where == other.where && (writes || other.writes) && begin < other.end &&
           other.begin < end;
  }
};

class StepPlanner {
 public:
  StepPlanner(const Graph& graph, const MemoryPlan& memory, bool watched)
      : graph_(graph), memory_(memory), watched_(watched) {}

  std::vector<Step> plan() {
    for (std::size_t i = 0; i < graph_.ops.size(); ++i) add_op(static_cast<int>(i));
    note_next_products();
    return std::move(steps_);
  }

 private:
  using Where = Access::Where;

  Access value(Value v, bool writes) const {
    const int root = root_value(graph_, v);
    const auto i = static_cast<std::size_t>(root);
    if (root == graph_.logits.id) return {Where::kLogits, writes};
    if (graph_.values[i].cache_layer >= 0) return {Where::kCache, writes};
    return {Where::kFloats, writes, memory_.offsets[i], memory_.offsets[i] + memory_.sizes[i]};
  }

  void add(StepKind kind, int op, const std::vector<Access>& accesses) {
    Step step{kind, op, false};
    for (const Access& a : accesses)
      for (const Access& b : since_barrier_) step.barrier_before |= a.conflicts(b);
    if (step.barrier_before) since_barrier_.clear();
    since_barrier_.insert(since_barrier_.end(), accesses.begin(), accesses.end());
    if (kind == StepKind::kQuantizeInput) last_quantize_ = steps_.size();
    steps_.push_back(step);
  }

  void note_next_products() {
    int next = -1;
    for (auto step = steps_.rbegin(); step != steps_.rend(); ++step) {
      step->next_product = next;
      const OpKind kind = graph_.ops[static_cast<std::size_t>(step->op)].kind;
      if (step->kind == StepKind::kRun && kind == OpKind::kMatmul) next = step->op;
    }
  }

  void add_expert_matmul(int index);
  void add_op(int index);

  const Graph& graph_;
  const MemoryPlan& memory_;
  bool watched_;
  std::vector<Step> steps_;
  std::vector<Access> since_barrier_;
  Value quantized_;                // whose rows the quantized buffer holds
  std::size_t last_quantize_ = 0;  // the step that put them there
};

void StepPlanner::add_expert_matmul(int index) {
  const Op& op = graph_.ops[static_cast<std::size_t>(index)];
  add(StepKind::kGatherExperts, index,
      {value(op.inputs[0], false),
       {Where::kRoutes, false},
       {Where::kGathered, true},
       {Where::kQuantized, true}});
  quantized_ = Value{};
  add(StepKind::kRun, index,
      {{Where::kRoutes, false},
       {Where::kGathered, false},
       {Where::kQuantized, false},
       {Where::kRemainder, true},
       {Where::kExpertRows, true}});
  add(StepKind::kScatterExperts, index,
      {{Where::kRoutes, false},
       {Where::kRemainder, false},
       {Where::kExpertRows, false},
       value(op.output, true)});
}

void StepPlanner::add_op(int index) {
  const Op& op = graph_.ops[static_cast<std::size_t>(index)];
  if (op.kind == OpKind::kSlice) return;
  if (op.kind == OpKind::kExpertMatmul) return add_expert_matmul(index);
  std::vector<Access> accesses;
  for (Value input : op.inputs) accesses.push_back(value(input, false));
  accesses.push_back(value(op.output, true));
  if (op.kind == OpKind::kMatmul && kernels::uses_quantized_rows(op.weight->type)) {
    if (watched_ || quantized_.id != op.inputs[0].id)
      add(StepKind::kQuantizeInput, index, {value(op.inputs[0], false), {Where::kQuantized, true}});
    quantized_ = op.inputs[0];
    accesses.push_back({Where::kQuantized, false});
  }
  const bool twice = op.kind == OpKind::kMatmul && rounds_input_twice(*op.weight);
  if (twice) {
    steps_[last_quantize_].with_remainder = true;
    accesses.push_back({Where::kRemainder, true});
  }
  add(StepKind::kRun, index, accesses);
  if (twice)
    add(StepKind::kAddRemainder, index, {value(op.output, true), {Where::kRemainder, false}});
  if (op.kind == OpKind::kRouteExperts)
    add(StepKind::kSortRoutes, index, {value(op.output, false), {Where::kRoutes, true}});
}

}  // namespace

int root_value(const Graph& graph, Value v) {
  int id = v.id;
  while (graph.values[static_cast<std::size_t>(id)].parent >= 0)
    id = graph.values[static_cast<std::size_t>(id)].parent;
  return id;
}

MemoryPlan plan_memory(const Graph& graph, std::int64_t max_tokens, std::int64_t max_outputs,
                       bool keep_all) {
  MemoryPlan plan;
  plan.offsets.assign(graph.values.size(), -1);
  plan.sizes.assign(graph.values.size(), 0);
  const std::vector<int> last = last_uses(graph);
  const int end = static_cast<int>(graph.ops.size());
  std::vector<Placed> placed;
  for (std::size_t i = 0; i < graph.values.size(); ++i) {
    const ValueInfo& info = graph.values[i];
    const bool elsewhere =
        info.parent >= 0 || info.cache_layer >= 0 || static_cast<int>(i) == graph.logits.id;
    if (elsewhere) continue;
    const std::int64_t rows = info.rows == Rows::kTokens ? max_tokens : max_outputs;
    const std::int64_t size = aligned(rows * info.width);
    const int first = keep_all ? 0 : info.writer;
    const int until = keep_all ? end : last[i];
    const std::int64_t offset = first_fit(placed, size, first, until);
    placed.push_back({offset, offset + size, first, until});
    plan.offsets[i] = offset;
    plan.sizes[i] = size;
    plan.n_floats = std::max(plan.n_floats, offset + size);
  }
  return plan;
}

bool rounds_input_twice(const Tensor& weight) {
  return kernels::uses_quantized_rows(weight.type) && is_small(weight);
}

bool rounds_input_to_bf16(const Tensor& weight) {
  return weight.type == DType::kBF16 && !is_small(weight);
}

std::vector<Step> plan_steps(const Graph& graph, const MemoryPlan& memory, bool watched) {
  return StepPlanner(graph, memory, watched).plan();
}

}  // namespace galley
