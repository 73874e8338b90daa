// Where values live and when threads must wait: worked out once per graph, not per token.
//
// Where it sits: between the graph and the executor. Values share memory when their lifetimes do
// not overlap; ops share a stretch without a barrier when none needs what another writes.
#pragma once

#include <cstdint>
#include <vector>

#include "model/graph.h"

namespace galley {

// The float offset of each value in one common buffer; -1 for values without memory of their own
// (slices, results of store_k and store_v, and the logits, which the session owns).
struct MemoryPlan {
  std::vector<std::int64_t> offsets;
  std::vector<std::int64_t> sizes;  // floats, for the same values
  std::int64_t n_floats = 0;
};

// Places the values of `graph` for up to max_tokens and max_outputs rows. With keep_all no two
// values share memory, so that all can be looked at after a run.
MemoryPlan plan_memory(const Graph& graph, std::int64_t max_tokens, std::int64_t max_outputs,
                       bool keep_all);

enum class StepKind {
  kRun,            // the op itself
  kQuantizeInput,  // before a product with quantized weights: round its input to int8
  kAddRemainder,   // after a product with a small matrix: add the product of the remainder
  kSortRoutes,     // after the experts are chosen: group the tokens by expert
  kGatherExperts,  // before an expert product: its input rows in that order
  kScatterExperts  // after it: its output rows back in token order
};

// One piece of work that all threads share.
struct Step {
  StepKind kind = StepKind::kRun;
  int op = -1;
  bool barrier_before = false;
  bool with_remainder = false;  // kQuantizeInput: for a product that needs the remainder too
  int next_product = -1;        // the first op after this one that reads a whole matrix, or -1
};

// Whether the input of a product with `weight` is rounded to int8 twice: x ~ d q + d' q', where
// q' rounds the remainder x - d q. It is where the matrix is quantized and small: there the second
// pass costs next to nothing, and it makes the error of int8 activations vanish, which in a model
// of a million weights is a visible share of every logit (docs/exactness.md).
bool rounds_input_twice(const Tensor& weight);

// Whether the input of a product with `weight` is rounded to BF16: where the weights are BF16 too
// and the matrix is not small. What rounding takes away is then less than what the weights lost,
// and CPUs that multiply BF16 are twice as fast (docs/exactness.md).
bool rounds_input_to_bf16(const Tensor& weight);

// The steps of `graph` in order. A quantized input is made once and used by all products that
// follow with the same input (Q, K and V; gate and up); unless `watched`, where each product makes
// its own, so that what an observer writes between two of them is what the second one reads.
std::vector<Step> plan_steps(const Graph& graph, const MemoryPlan& memory, bool watched);

// The value that owns the memory of `v`: itself, or what it is a slice of.
int root_value(const Graph& graph, Value v);

}  // namespace galley
