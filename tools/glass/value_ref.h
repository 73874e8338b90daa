// How values are named on the command line: `blk.0.ffn_up[5, 17]`, `q[3, :8]`, `blk.*.attn`.
//
// Where it sits: the debugger's print, set, break and explain, `galley trace` and the page all
// read names with this. A reference is a name (or a pattern with `*`) and, in brackets, one
// index or range per dimension, as in Python: `5`, `:8`, `-2:`, `3:6`, `:`. What is left out at
// the end means all.
//
// Values have the dimensions [row, column], where rows are the tokens of the batch (or, after
// select_outputs, the tokens whose logits were wanted). Three more kinds can be named:
//   blk.N.cache_k, cache_v  [position, kv_head * head_size + i]: the cache, all positions
//   blk.N.attn_scores       [head, token, position]: scaled scores, -inf where hidden
//   blk.N.attn_weights      [head, token, position]: their softmax
// (attn_ stands for the name of the attention op: `blk.N.attn` gives `blk.N.attn_weights`.)
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/graph.h"

namespace galley::glass {

// One index or range of a dimension, as written. Negative numbers count from the end.
struct Slice {
  std::optional<std::int64_t> begin;
  std::optional<std::int64_t> end;
  bool is_index = false;  // one number: `begin`
};

struct ValueRef {
  std::string name;  // may hold `*`
  std::vector<Slice> slices;

  bool is_pattern() const { return name.find_first_of("*?") != std::string::npos; }
};

// Reads `text`. Throws Error kUsage, saying what is wrong and where.
ValueRef parse_value_ref(std::string_view text);

// The whole numbers [begin, end).
struct IndexRange {
  std::int64_t begin = 0;
  std::int64_t end = 0;
  std::int64_t size() const { return end - begin; }
};

// What `slice` means in a dimension of `n`: an index must exist (else Error kUsage, naming `what`,
// such as "column", and how many there are); a range is cut to what exists, as in Python.
IndexRange resolve(const Slice& slice, std::int64_t n, const std::string& what);

enum class ValueKind { kRows, kCache, kAttentionScores, kAttentionWeights };

// What a name stands for.
struct NamedValue {
  ValueKind kind = ValueKind::kRows;
  std::string name;
  int op = -1;  // that makes it; the attention op for scores and weights
  Value value;  // the op's output
};

// Every name of a graph, in the order of the ops; for lists and completion.
std::vector<NamedValue> named_values(const Graph& graph);

// The values that `name` means: one, or for a pattern all that match. Inside a layer (`layer` >= 0)
// the prefix "blk.N." may be left out. Throws Error kUsage if there is none, with the nearest name.
std::vector<NamedValue> find_values(const Graph& graph, const std::string& name, int layer = -1);
// The same where only one is meant: a pattern that fits several is an error.
NamedValue find_value(const Graph& graph, const std::string& name, int layer = -1);

// One cell: `ref` with an index for every dimension. [row, column], or [head, token, position].
struct Cell {
  NamedValue named;
  std::int64_t head = 0;    // scores and weights only
  std::int64_t row = 0;     // row, token, or for kCache position
  std::int64_t column = 0;  // column, or position looked at
};

// Sizes of a value's dimensions: of a batch of n_tokens tokens (n_outputs of them with logits),
// when n_positions are cached after it.
std::vector<std::int64_t> dimensions(const Graph& graph, const NamedValue& named,
                                     std::int64_t n_tokens, std::int64_t n_outputs,
                                     std::int64_t n_positions);

class RunData;

// Reads `text` as one cell of `run`. Throws Error kUsage, also where an index is missing or does
// not exist.
Cell parse_cell(const RunData& run, std::string_view text, int layer = -1);
// The cell's name: "blk.0.ffn_up[5, 17]".
std::string cell_name(const Cell& cell);

}  // namespace galley::glass
