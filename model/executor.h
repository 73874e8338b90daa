// Runs a graph: the ops in order, by one team of threads.
//
// Where it sits: Session::forward hands it one batch at a time. For each step of the plan every
// thread computes its part of the op by one kernel; where the plan says so, they meet first. With
// an observer they stop before and after every op.
#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "kernels/kernels.h"
#include "kernels/team.h"
#include "model/graph.h"
#include "model/kv_cache.h"
#include "model/observer.h"
#include "model/planner.h"

namespace galley {

// Memory aligned to cache lines, not initialized.
class AlignedBuffer {
 public:
  // Throws Error kOutOfMemory.
  explicit AlignedBuffer(std::size_t n_bytes = 0);
  std::byte* data() const { return data_.get(); }
  float* floats() const { return reinterpret_cast<float*>(data_.get()); }
  std::size_t size() const { return n_bytes_; }

 private:
  std::unique_ptr<std::byte, void (*)(void*)> data_;
  std::size_t n_bytes_;
};

// One batch: T tokens, of which the logits of O are wanted.
struct Batch {
  std::span<const std::int32_t> ids;        // [T]
  std::span<const std::int32_t> positions;  // [T]
  std::span<const std::int32_t> sequences;  // [T]
  std::span<const std::int32_t> outputs;    // [O], indices of tokens
  float* logits = nullptr;                  // [O, n_vocab]
};

class Executor {
 public:
  // Buffers for up to max_tokens tokens. `context` chooses between the short and long angles of
  // long-rope. The graph and the cache must outlive it.
  Executor(const Graph& graph, const KvCache& cache, std::int64_t max_tokens, std::int64_t context,
           int n_threads, const std::atomic<bool>* cancel);

  // Runs `batch`. Throws Cancelled, or what the observer threw.
  void run(const Batch& batch);
  // The same in parts: begin() runs nothing, then run_ops() runs the ops from next_op() up to, not
  // including, `end`, and may be called again to go on. REQUIRES an observer, so that every value
  // is kept, and that the spans of `batch` live until the last op. If it throws, next_op() is the
  // op that was not finished; it can be run again.
  void begin(const Batch& batch);
  void run_ops(int end);
  int next_op() const { return next_op_; }
  void set_observer(Observer* observer);
  std::int64_t buffer_bytes() const;
  int n_threads() const { return n_threads_; }

 private:
  friend class ExecutorView;
  using Part = kernels::Part;

  void make_buffers();
  void reserve_outputs(std::int64_t n);
  void run_part(Part part, kernels::Barrier& barrier);
  // The weights that `part` of the product of an op (-1: none) reads first.
  kernels::Bytes first_weights(int product, Part part) const;
  // Calls `work` on every thread of the team. Rethrows what the observer threw.
  void run_team(const std::function<void(Part, kernels::Barrier&)>& work);
  void run_observed(Part part, kernels::Barrier& barrier, int end);
  void notify(int op, bool before, RunView& view);
  // `soon` are the weights that `part` reads after this step.
  void run_step(const Step& step, kernels::Bytes soon, Part part);
  void run_op(const Op& op, Part part);
  void run_positions(Part part);

  // Ops that need more than to fill in a kernel's arguments (executor_ops.cpp).
  void embed(const Op& op, Part part);
  void add_positions(const Op& op, Part part);
  void scale_rows(const Op& op, Part part);
  void scale_by_position(const Op& op, Part part);
  void matmul(const Op& op, kernels::Bytes soon, Part part);
  void quantize_input(const Op& op, bool with_remainder, Part part);
  // Writes one row as row t of `out`, and what rounding took away as row t of `remainders`.
  void quantize_row(const float* x, std::int64_t cols, std::int64_t t,
                    const kernels::QuantizedRows& out, const kernels::QuantizedRows* remainders,
                    Part part);
  void add_remainder(const Op& op, Part part);
  // The set of `n` quantized rows that begins after `begin` others in the buffer.
  kernels::QuantizedRows quantized_rows(std::int64_t begin, std::int64_t n,
                                        std::int64_t cols) const;
  void select_outputs(const Op& op, Part part);
  void store(const Op& op, Part part);
  void attention(const Op& op, Part part);

  // Experts (executor_experts.cpp).
  void route_experts(const Op& op, Part part);
  void sort_routes(const Op& op, Part part);
  void gather_experts(const Op& op, Part part);
  void expert_matmul(const Op& op, Part part);
  void scatter_experts(const Op& op, Part part);
  void combine_experts(const Op& op, Part part);

  // Where a value is in this run: its first float, and the floats from row to row.
  struct Rowset {
    float* data;
    std::int64_t stride;
    std::int64_t rows;
    std::int64_t width;
    float* row(std::int64_t r) const { return data + r * stride; }
  };
  Rowset at(Value v) const;
  std::int64_t tokens() const { return static_cast<std::int64_t>(batch_.ids.size()); }
  std::byte* scratch(Part part) const;

  const Graph& graph_;
  const KvCache& cache_;
  const kernels::KernelTable& kernels_;
  const std::int64_t max_tokens_;
  const std::int64_t context_;
  const int n_threads_;
  const std::atomic<bool>* cancel_;
  Observer* observer_ = nullptr;
  std::int64_t macs_per_token_ = 0;

  std::int64_t max_outputs_ = 1;
  MemoryPlan memory_;
  std::vector<Step> steps_;
  AlignedBuffer values_;
  // int8 rows of the input of a product, [2 T, cols]: the input's, then the remainders'.
  AlignedBuffer quantized_;
  AlignedBuffer remainder_rows_;  // one float row per thread, while rounding
  AlignedBuffer remainders_;      // products of the remainders
  std::int64_t max_cols_ = 0;
  AlignedBuffer scratch_;  // of the kernels, one slice per thread
  std::size_t scratch_per_thread_ = 0;
  std::vector<AlignedBuffer> rope_tables_;  // per RopeSpec: [T, n_rotated]

  // The experts' share of the batch: pairs (token, place among the token's chosen experts),
  // sorted by expert.
  std::vector<std::int32_t> expert_begin_;  // [experts + 1] into expert_pairs_
  std::vector<std::int32_t> expert_pairs_;  // token * n_used + place
  AlignedBuffer gathered_;                  // float rows in that order
  AlignedBuffer expert_rows_;               // the product's rows in that order

  Batch batch_;
  int next_op_ = 0;              // with an observer: the first op that has not run
  std::atomic<int> stop_at_{0};  // no thread runs this step or later ones
  std::exception_ptr failure_;
};

}  // namespace galley
