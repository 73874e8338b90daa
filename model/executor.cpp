#include "model/executor.h"

#include <omp.h>

#include <algorithm>
#include <climits>
#include <cstdlib>

#include "kernels/share.h"
#include "model/executor_view.h"
#include "model/session.h"
#include "tensor/error.h"

namespace galley {
namespace {

constexpr std::size_t kCacheLine = 64;

// Below this much work waking the other threads costs more than they save.
constexpr std::int64_t kMinMacsForThreads = 1 << 20;

// Asked for while waiting: what fits the second-level cache beside what is being worked on.
constexpr std::int64_t kMostReadSoon = 256 * 1024;

std::size_t rounded(std::size_t n) { return (n + kCacheLine - 1) / kCacheLine * kCacheLine; }

bool is_product(const Op& op) {
  return op.kind == OpKind::kMatmul || op.kind == OpKind::kExpertMatmul;
}

}  // namespace

AlignedBuffer::AlignedBuffer(std::size_t n_bytes) : data_(nullptr, std::free), n_bytes_(n_bytes) {
  if (n_bytes == 0) return;
  data_.reset(static_cast<std::byte*>(std::aligned_alloc(kCacheLine, rounded(n_bytes))));
  if (!data_)
    throw Error(ErrorKind::kOutOfMemory, "cannot allocate " + std::to_string(n_bytes) +
                                             " bytes for the values of a batch; use a smaller "
                                             "--batch-size");
}

Executor::Executor(const Graph& graph, const KvCache& cache, std::int64_t max_tokens,
                   std::int64_t context, int n_threads, const std::atomic<bool>* cancel)
    : graph_(graph),
      cache_(cache),
      kernels_(kernels::table()),
      max_tokens_(max_tokens),
      context_(context),
      n_threads_(n_threads),
      cancel_(cancel) {
  for (const Op& op : graph.ops)
    if (op.kind == OpKind::kMatmul)
      macs_per_token_ += op.weight->n_elements();
    else if (op.kind == OpKind::kExpertMatmul)
      macs_per_token_ += op.weight->n_elements() / op.weight->shape[0] * op.route.n_used;
  for (const RopeSpec& rope : graph.ropes)
    rope_tables_.emplace_back(static_cast<std::size_t>(max_tokens * rope.n_rotated) *
                              sizeof(float));
  make_buffers();
}

void Executor::make_buffers() {
  memory_ = plan_memory(graph_, max_tokens_, max_outputs_, observer_ != nullptr);
  steps_ = plan_steps(graph_, memory_, observer_ != nullptr);
  values_ = AlignedBuffer(static_cast<std::size_t>(memory_.n_floats) * sizeof(float));
  std::size_t quantized = 0, gathered = 0, expert_rows = 0, remainders = 0;
  scratch_per_thread_ = 0;
  for (const Op& op : graph_.ops) {
    if (is_product(op)) {
      const bool experts = op.kind == OpKind::kExpertMatmul;
      const std::int64_t rows =
          experts ? max_tokens_ * op.route.n_used : std::max(max_tokens_, max_outputs_);
      const std::int64_t cols = op.weight->cols();
      const std::int64_t out_rows = experts ? op.weight->shape[1] : op.weight->rows();
      if (kernels::uses_quantized_rows(op.weight->type))
        quantized = std::max(quantized, kernels::quantized_rows_bytes(2 * rows, cols));
      if (rounds_input_twice(*op.weight))
        remainders =
            std::max(remainders, static_cast<std::size_t>(rows * out_rows) * sizeof(float));
      max_cols_ = std::max(max_cols_, cols);
      if (experts) {
        gathered = std::max(gathered, static_cast<std::size_t>(rows * cols) * sizeof(float));
        expert_rows =
            std::max(expert_rows, static_cast<std::size_t>(rows * out_rows) * sizeof(float));
      }
      scratch_per_thread_ =
          std::max(scratch_per_thread_,
                   kernels::matmul_scratch_bytes(op.weight->type, out_rows, cols, rows));
    } else if (op.kind == OpKind::kAttention) {
      const CacheLayer& layer = graph_.cache_layers[static_cast<std::size_t>(op.cache_layer)];
      scratch_per_thread_ =
          std::max(scratch_per_thread_,
                   kernels::attention_scratch_bytes(op.heads, layer.n_kv_heads, layer.head_size_k,
                                                    layer.head_size_v, max_tokens_));
    }
  }
  scratch_per_thread_ = rounded(scratch_per_thread_);
  quantized_ = AlignedBuffer(quantized);
  remainders_ = AlignedBuffer(remainders);
  remainder_rows_ = AlignedBuffer(static_cast<std::size_t>(max_cols_ * n_threads_) * sizeof(float));
  gathered_ = AlignedBuffer(gathered);
  expert_rows_ = AlignedBuffer(expert_rows);
  scratch_ = AlignedBuffer(scratch_per_thread_ * static_cast<std::size_t>(n_threads_));
}

void Executor::reserve_outputs(std::int64_t n) {
  if (n <= max_outputs_) return;
  max_outputs_ = std::max(n, std::min(2 * max_outputs_, max_tokens_));
  make_buffers();
}

void Executor::set_observer(Observer* observer) {
  const bool changes_plan = (observer_ != nullptr) != (observer != nullptr);
  observer_ = observer;
  if (changes_plan) make_buffers();
}

std::int64_t Executor::buffer_bytes() const {
  std::size_t n =
      values_.size() + quantized_.size() + scratch_.size() + gathered_.size() + expert_rows_.size();
  for (const AlignedBuffer& table : rope_tables_) n += table.size();
  return static_cast<std::int64_t>(n);
}

std::byte* Executor::scratch(Part part) const {
  return scratch_.data() + scratch_per_thread_ * static_cast<std::size_t>(part.index);
}

Executor::Rowset Executor::at(Value v) const {
  std::int64_t offset = 0;
  const ValueInfo* info = &graph_.info(v);
  const std::int64_t width = info->width;
  int id = v.id;
  while (info->parent >= 0) {
    offset += info->offset;
    id = info->parent;
    info = &graph_.values[static_cast<std::size_t>(id)];
  }
  const std::int64_t rows =
      info->rows == Rows::kTokens ? tokens() : static_cast<std::int64_t>(batch_.outputs.size());
  if (id == graph_.logits.id) return {batch_.logits + offset, info->width, rows, width};
  float* data = values_.floats() + memory_.offsets[static_cast<std::size_t>(id)];
  return {data + offset, info->width, rows, width};
}

void Executor::run(const Batch& batch) {
  if (observer_) {
    begin(batch);
    return run_ops(static_cast<int>(graph_.ops.size()));
  }
  batch_ = batch;
  reserve_outputs(static_cast<std::int64_t>(batch.outputs.size()));
  stop_at_.store(INT_MAX, std::memory_order_relaxed);
  run_team([this](Part part, kernels::Barrier& barrier) { run_part(part, barrier); });
  if (stop_at_.load(std::memory_order_relaxed) != INT_MAX) throw Cancelled{};
}

void Executor::run_team(const std::function<void(Part, kernels::Barrier&)>& work) {
  failure_ = nullptr;
  const bool small = macs_per_token_ * tokens() < kMinMacsForThreads;
  const int n = small ? 1 : n_threads_;
  kernels::Barrier barrier;
  if (n == 1) {
    work({0, 1}, barrier);
  } else {
    // The runtime may give fewer threads than asked for.
#pragma omp parallel num_threads(n)
    work({omp_get_thread_num(), omp_get_num_threads()}, barrier);
  }
  if (failure_) std::rethrow_exception(failure_);
}

void Executor::run_part(Part part, kernels::Barrier& barrier) {
  run_positions(part);
  barrier.wait(part.count);
  const int n_steps = static_cast<int>(steps_.size());
  int next_product = -1;
  kernels::Bytes soon;  // the weights that this thread reads next
  for (int i = 0; i < n_steps; ++i) {
    const Step& step = steps_[static_cast<std::size_t>(i)];
    if (step.barrier_before) barrier.wait(part.count, soon);
    if (i >= stop_at_.load(std::memory_order_relaxed)) return;
    // No thread is more than one barrier ahead of another, and the steps of a layer have many
    // barriers between them, so all threads see the request before they get there.
    constexpr int kStepsAhead = 24;
    if (part.index == 0 && cancel_ && cancel_->load(std::memory_order_relaxed) &&
        stop_at_.load(std::memory_order_relaxed) == INT_MAX && i + kStepsAhead < n_steps)
      stop_at_.store(i + kStepsAhead, std::memory_order_relaxed);
    if (step.next_product != next_product) {
      next_product = step.next_product;
      soon = first_weights(next_product, part);
    }
    run_step(step, soon, part);
  }
}

kernels::Bytes Executor::first_weights(int product, Part part) const {
  if (product < 0) return {};
  const Tensor& weight = *graph_.ops[static_cast<std::size_t>(product)].weight;
  const kernels::Range rows = kernels::share(weight.rows(), part);
  const std::int64_t row = row_bytes(weight.type, weight.cols());
  const std::byte* begin = weight.data + rows.begin * row;
  return {begin, begin + std::min((rows.end - rows.begin) * row, kMostReadSoon)};
}

void Executor::begin(const Batch& batch) {
  batch_ = batch;
  next_op_ = 0;
  reserve_outputs(static_cast<std::int64_t>(batch.outputs.size()));
  run_positions({0, 1});
}

void Executor::run_ops(int end) {
  GALLEY_CHECK(observer_, "without an observer values are not kept between ops");
  run_team([this, end](Part part, kernels::Barrier& barrier) { run_observed(part, barrier, end); });
}

void Executor::notify(int op, bool before, RunView& view) {
  try {
    if (before && cancel_ && cancel_->load(std::memory_order_relaxed)) throw Cancelled{};
    before ? observer_->before_op(view, op) : observer_->after_op(view, op);
    if (!before) next_op_ = op + 1;
  } catch (...) {
    failure_ = std::current_exception();
  }
}

// Every thread of the team counts the ops for itself; the first one alone talks to the observer.
void Executor::run_observed(Part part, kernels::Barrier& barrier, int end) {
  ExecutorView view(*this);
  const int first = next_op_;
  std::size_t step = 0;
  while (step < steps_.size() && steps_[step].op < first) ++step;
  for (int op = first; op < end; ++op) {
    barrier.wait(part.count);
    if (part.index == 0) notify(op, true, view);
    barrier.wait(part.count);
    if (failure_) return;
    for (; step < steps_.size() && steps_[step].op == op; ++step) {
      run_step(steps_[step], {}, part);
      barrier.wait(part.count);
    }
    if (part.index == 0) notify(op, false, view);
    barrier.wait(part.count);
    if (failure_) return;
  }
}

void Executor::run_positions(Part part) {
  for (std::size_t i = 0; i < graph_.ropes.size(); ++i) {
    const RopeSpec& rope = graph_.ropes[i];
    const bool is_long = !rope.long_frequencies.empty() && context_ > rope.long_context;
    kernels::RopeTableArgs args;
    args.positions = batch_.positions.data();
    args.tokens = tokens();
    args.frequencies = is_long ? rope.long_frequencies.data() : rope.frequencies.data();
    args.n_rotated = rope.n_rotated;
    args.scale = is_long ? rope.long_scale : rope.scale;
    args.table = rope_tables_[i].floats();
    kernels_.rope_table(args, part);
  }
}

void Executor::run_step(const Step& step, kernels::Bytes soon, Part part) {
  const Op& op = graph_.ops[static_cast<std::size_t>(step.op)];
  switch (step.kind) {
    case StepKind::kRun:
      return op.kind == OpKind::kMatmul ? matmul(op, soon, part) : run_op(op, part);
    case StepKind::kQuantizeInput:
      return quantize_input(op, step.with_remainder, part);
    case StepKind::kAddRemainder:
      return add_remainder(op, part);
    case StepKind::kSortRoutes:
      return sort_routes(op, part);
    case StepKind::kGatherExperts:
      return gather_experts(op, part);
    case StepKind::kScatterExperts:
      return scatter_experts(op, part);
  }
}

}  // namespace galley
