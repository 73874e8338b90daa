// One table of the kinds of op: what each computes, why it is there, and what it costs.
//
// Where it sits: the debugger's `why` and `cost`, `galley bench --ops` and the docs all read it, so
// that they can never disagree with one another.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "model/graph.h"

namespace galley {

struct OpKindInfo {
  OpKind kind;
  std::string_view name;     // "matmul"
  std::string_view formula;  // "y[t, r] = sum_c W[r, c] x[t, c]"
  std::string_view shape;    // "[T, cols] -> [T, rows]"
  std::string_view purpose;  // what a transformer needs it for, a sentence or two
  std::string_view lesson;   // the page of docs/ that explains it
};

// The entry of `kind`; every kind has one.
const OpKindInfo& op_kind_info(OpKind kind);
// All of them, in the order of the enumeration.
std::span<const OpKindInfo> all_op_kinds();

// What running an op takes.
struct OpCost {
  std::int64_t macs = 0;              // multiply-adds
  std::int64_t weight_bytes = 0;      // weights read, once per batch
  std::int64_t cache_bytes = 0;       // of the KV cache, read or written
  std::int64_t activation_bytes = 0;  // values read and written

  std::int64_t bytes() const { return weight_bytes + cache_bytes + activation_bytes; }
};

// The cost of `op` for a batch of n_tokens tokens of one sequence, n_outputs of which want logits,
// when the cache holds n_cached positions before it and has elements of `kv_type`.
// Experts are counted as if each token's experts were all different, up to their number.
OpCost op_cost(const Graph& graph, const Op& op, std::int64_t n_tokens, std::int64_t n_outputs,
               std::int64_t n_cached, DType kv_type);

}  // namespace galley
