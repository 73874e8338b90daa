// The forward pass as data: a flat list of ops in execution order, and its builder.
//
// Where it sits: the fourth stop of `galley run`. An architecture (model/architectures/) calls
// the builder in the order of the paper's diagram; the executor (model/executor.h) runs the
// list, and the debugger, the cost table and the docs read the same list. Prefill and decode
// are the same Graph with T tokens or one.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kernels/args.h"
#include "model/config.h"
#include "tensor/tensor.h"

namespace galley {

using kernels::Activation;
using kernels::RopeLayout;

// A handle to a value of the graph: an index into Graph::values.
struct Value {
  int id = -1;
};

// How many rows a value has at run time.
enum class Rows {
  kTokens,   // T: one per token of the batch
  kOutputs,  // O: one per token whose logits were asked for
};

// What is known of a value before a run. Its shape is [rows, width], float32.
struct ValueInfo {
  std::string name;  // "blk.3.q": one name, one writer
  Rows rows = Rows::kTokens;
  std::int64_t width = 0;
  int writer = -1;  // index of the op that makes it
  // A slice of another value (columns [offset, offset + width)) has no memory of its own.
  int parent = -1;
  std::int64_t offset = 0;
  // For the result of store_k or store_v: which cache it stands for (it has no rows here).
  int cache_layer = -1;
};

enum class OpKind {
  kEmbed,            // rows of the embedding table
  kAddPositions,     // learned position embeddings
  kMatmul,           // product with a weight matrix
  kAddBias,          // one row added to every token
  kAdd,              // sum of two values
  kScale,            // product with a constant
  kScaleRows,        // product of each row with a number of its own
  kScaleByPosition,  // product of each row with a factor that grows with its position
  kSoftcap,          // cap * tanh(x / cap)
  kRmsNorm,          // root mean square norm, of rows or of each head
  kLayerNorm,        // mean and variance norm
  kRope,             // rotary position embedding
  kStoreK,           // keys into the cache
  kStoreV,           // values into the cache
  kAttention,        // scores, softmax and weighted values
  kActivate,         // f(x)
  kGate,             // f(gate) * up
  kSlice,            // a range of columns, no copy
  kSelectOutputs,    // keep the rows whose logits are asked for
  kSoftmax,          // softmax of each row
  kRouteExperts,     // choose the experts of each token
  kExpertMatmul,     // product with the matrices of the chosen experts
  kCombineExperts    // weighted sum over the chosen experts
};

// Where attention looks and how scores become weights.
struct AttentionSpec {
  float scale = 0;  // usually 1 / sqrt(head_size)
  float softcap = 0;
  std::int64_t window = 0;  // 0: all earlier positions
  const Tensor* sinks = nullptr;
};

// How the angles of rotary position embedding are made; ops refer to it by index.
struct RopeSpec {
  RopeLayout layout = RopeLayout::kInterleaved;
  std::int64_t n_rotated = 0;
  std::vector<double> frequencies;  // [n_rotated / 2], radians per position
  float scale = 1;                  // of cos and sin
  // Long-rope: what is used instead when the context of the session exceeds `long_context`.
  std::vector<double> long_frequencies;
  float long_scale = 1;
  std::int64_t long_context = 0;
};

// How a router's scores choose experts.
struct RouteSpec {
  std::int64_t n_used = 0;
  bool softmax_first = true;  // weights: softmax over all experts; else over the chosen ones
  bool normalize = true;      // make the chosen weights sum to 1
  float scale = 1;
};

// The keys and values of one layer in the cache.
struct CacheLayer {
  int layer = 0;
  std::int64_t n_kv_heads = 0;
  std::int64_t head_size_k = 0;
  std::int64_t head_size_v = 0;
  std::int64_t window = 0;  // 0: full context
};

// One step of the forward pass. Which fields mean something depends on `kind`; op_table.h says.
struct Op {
  OpKind kind = OpKind::kEmbed;
  std::string name;           // of its output: "blk.3.q"
  int layer = -1;             // -1 outside the layers
  std::vector<Value> inputs;  // in the order of the builder's arguments
  Value output;
  const Tensor* weight = nullptr;
  const Tensor* bias = nullptr;
  float eps = 0;
  float factor = 0;           // kScale's factor, kSoftcap's cap, kScaleByPosition's growth
  std::int64_t interval = 0;  // kScaleByPosition: positions between two steps of growth
  Activation activation = Activation::kSilu;
  std::int64_t heads = 1;  // vectors per row for norms and RoPE
  int rope = -1;           // index into Graph::ropes
  int cache_layer = -1;    // index into Graph::cache_layers
  AttentionSpec attention;
  RouteSpec route;
};

struct Graph {
  std::vector<Op> ops;
  std::vector<ValueInfo> values;
  std::vector<RopeSpec> ropes;
  std::vector<CacheLayer> cache_layers;
  Value logits;  // [O, n_vocab]

  const ValueInfo& info(Value v) const { return values[static_cast<std::size_t>(v.id)]; }
  // The op that makes the value named `name`, or -1.
  int find_op(const std::string& name) const;
};

// Appends ops. Every method that makes a value takes its name first; inside a layer the name
// gets the prefix "blk.N.". Shapes are checked here, once: a mismatch is a GALLEY_CHECK, since
// the weights' shapes have been checked against the file before.
class GraphBuilder {
 public:
  explicit GraphBuilder(const Config& config) : config_(&config) {}

  // Names from here on belong to `layer`; leave() ends that.
  void enter(int layer) { layer_ = layer; }
  void leave() { layer_ = -1; }
  // Columns of `v`.
  std::int64_t width(Value v) const { return info(v).width; }

  // Row of `table` [n_vocab, width] for each token: [T, width].
  Value embed(const std::string& name, const Tensor& table);
  // x + row of `table` [n_context, width] for each position.
  Value add_positions(const std::string& name, Value x, const Tensor& table);
  // x W^T (+ bias): [.., rows of w]. With a bias the product alone is named NAME_product.
  Value matmul(const std::string& name, Value x, const Tensor& w, const Tensor* bias = nullptr);
  Value add(const std::string& name, Value a, Value b);
  Value scale(const std::string& name, Value x, float factor);
  // Row t of x times factors[t, 0]: [.., width] and [.., 1].
  Value scale_rows(const std::string& name, Value x, Value factors);
  // x * (1 + factor * ln(1 + floor(position / interval))): sharper scores for far positions
  // (Nakanishi 2025, "Scalable-Softmax"; Llama 4, Mistral 3).
  Value scale_by_position(const std::string& name, Value x, float factor, std::int64_t interval);
  Value softcap(const std::string& name, Value x, float cap);
  // Norms use the config's epsilon. With heads > 1 each of that many equal parts of a row is
  // normalized by itself, all with the same weight.
  Value rms_norm(const std::string& name, Value x, const Tensor* weight, std::int64_t heads = 1);
  // `weight` has the width of x, or of one head (then the heads share it).
  Value layer_norm(const std::string& name, Value x, const Tensor* weight, const Tensor* bias,
                   std::int64_t heads = 1);
  // Adds a way of making angles; returns its index for rope().
  int add_rope(RopeSpec spec);
  Value rope(const std::string& name, Value x, std::int64_t heads, int rope_index);
  Value slice(const std::string& name, Value x, std::int64_t offset, std::int64_t width);
  // Stores keys and values of this layer in the cache; the result stands for all that is cached.
  Value store_k(Value k, std::int64_t n_kv_heads);
  Value store_v(Value v, std::int64_t n_kv_heads);
  Value attention(const std::string& name, Value q, Value cached_k, Value cached_v,
                  std::int64_t n_heads, const AttentionSpec& spec);
  Value activate(const std::string& name, Activation f, Value x);
  Value gate(const std::string& name, Activation f, Value gate, Value up);
  Value softmax(const std::string& name, Value x);
  // Keeps the rows whose logits are asked for: [T, width] -> [O, width].
  Value select_outputs(const std::string& name, Value x);

  // From router scores [T, experts] to [T, 2 * n_used]: the chosen experts' numbers (as floats),
  // best first, then their weights.
  Value route_experts(const std::string& name, Value scores, const RouteSpec& spec);
  // `w` [experts, rows, cols]; x [T, cols] (each chosen expert gets the token's row) or
  // [T, n_used * cols] (each gets its own part): [T, n_used * rows].
  Value expert_matmul(const std::string& name, Value x, Value routes, const Tensor& w,
                      std::int64_t n_used);
  // Sum over the chosen experts of weight * part: [T, n_used * width] -> [T, width].
  Value combine_experts(const std::string& name, Value x, Value routes, std::int64_t n_used);

  // The finished graph, whose result is `logits`.
  Graph finish(Value logits);

 private:
  Value new_value(const std::string& name, Rows rows, std::int64_t width);
  Op& new_op(OpKind kind, const std::string& name, std::vector<Value> inputs, Rows rows,
             std::int64_t width);
  std::string full_name(const std::string& name) const;
  CacheLayer& cache_layer();
  const ValueInfo& info(Value v) const { return graph_.info(v); }

  const Config* config_;
  Graph graph_;
  int layer_ = -1;
};

}  // namespace galley
