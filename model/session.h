// A loaded model, and a session that runs it: batches of tokens in, logits out.
//
// Where it sits: `Model::open` is read_gguf -> read_config -> build_graph (which binds the
// weights) -> tokenizer; a Session adds the KV cache, the buffers and the threads, and its
// `forward` runs the graph's ops in order. Several sessions can share one model.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "model/config.h"
#include "model/graph.h"
#include "model/weights.h"
#include "tensor/gguf.h"
#include "tokenizer/tokenizer.h"

namespace galley {

class Observer;
class RunView;
class SessionState;

// Everything that is fixed about a model. Immutable once open.
class Model {
 public:
  // Opens the GGUF file at `path`. Throws Error: kFailure if it cannot be read, kBadModel for
  // anything wrong in it, naming the key or tensor.
  static std::shared_ptr<const Model> open(const std::string& path);
  // The same for a file that is already mapped or in memory (built-in models).
  static std::shared_ptr<const Model> from_file(GgufFile file);

  const GgufFile& file() const { return file_; }
  const Config& config() const { return config_; }
  const Graph& graph() const { return graph_; }
  const Tokenizer& tokenizer() const { return *tokenizer_; }
  // Lines for the user: tensors that nobody uses, an unknown pre-tokenizer.
  const std::vector<std::string>& warnings() const { return warnings_; }
  // Bytes of all weights in the file, and of those that one decoded token reads.
  std::int64_t weight_bytes() const { return weight_bytes_; }
  std::int64_t weight_bytes_per_token() const { return weight_bytes_per_token_; }
  std::int64_t n_parameters() const { return n_parameters_; }

 private:
  explicit Model(GgufFile file);

  GgufFile file_;
  Config config_;
  Weights weights_;
  Graph graph_;
  std::unique_ptr<const Tokenizer> tokenizer_;
  std::vector<std::string> warnings_;
  std::int64_t weight_bytes_ = 0;
  std::int64_t weight_bytes_per_token_ = 0;
  std::int64_t n_parameters_ = 0;
};

struct SessionOptions {
  std::int64_t n_context = 0;  // positions per sequence; 0: what the model was trained for
  std::int64_t n_batch = 512;  // tokens that go through the graph at once
  std::int64_t n_sequences = 1;
  int n_threads = 0;  // 0: the CPUs this process may use
  // Of the KV cache: F32, F16 or Q8_0; nothing stands for default_kv_type.
  std::optional<DType> kv_type = std::nullopt;
  // Checked between layers: when it becomes true, forward() throws Cancelled.
  const std::atomic<bool>* cancel = nullptr;
};

// Thrown by forward() when SessionOptions::cancel became true. The sequences of the batch keep
// the length they had.
struct Cancelled {};

// One token of a batch. Its position is the next one of its sequence.
struct BatchToken {
  TokenId id = 0;
  std::int32_t sequence = 0;
  bool wants_logits = false;
};

// The type of the KV cache if none is asked for: F16, or F32 where that takes no more than 16 KiB
// per position, so that small models keep every bit.
DType default_kv_type(const Graph& graph);

// Bytes a session takes, for `inspect` and for the summary after a run.
struct SessionMemory {
  std::int64_t kv_cache_bytes = 0;  // when full; pages are taken as they are used
  std::int64_t buffer_bytes = 0;    // values, scratch, logits
};

SessionMemory session_memory(const Graph& graph, const SessionOptions& options);

// The CPUs this process may use: its affinity mask, limited by its control group's quota.
int usable_cpus();

class Session {
 public:
  // Throws Error: kUsage for senseless options, kOutOfMemory with the bytes needed.
  Session(std::shared_ptr<const Model> model, const SessionOptions& options);
  // Model::open and a session on it.
  static Session open(const std::string& path, const SessionOptions& options = {});
  Session(Session&&) noexcept;
  Session& operator=(Session&&) noexcept;
  ~Session();

  const Model& model() const { return *model_; }
  std::int64_t n_context() const;
  std::int64_t n_batch() const;
  int n_threads() const;
  SessionMemory memory() const;

  // Runs `tokens` through the model (in pieces of n_batch) and caches their keys and values.
  // The bits of the result do not depend on how tokens are spread over calls and batches.
  // Throws Error kContextExceeded, before anything is run, if a sequence would grow beyond
  // n_context; kUsage for a token id outside the vocabulary or a sequence that does not exist.
  void forward(std::span<const BatchToken> tokens);
  // The same for one sequence, logits for the last token only.
  void forward(std::span<const TokenId> tokens, std::int32_t sequence = 0);

  // The same, stopping between ops: begin() runs nothing, run_ops() goes on up to, not including,
  // the op `end`. With the last op run, the tokens are part of their sequences; until then begin()
  // can start over, with these or other tokens. Between the calls view() shows the values of the
  // ops that have run. The bits are those of forward().
  // Needs an observer, and at most n_batch tokens. Throws as forward() does, and what the observer
  // throws; next_op() is then the op that was not finished, and run_ops() can go on from it.
  void begin(std::span<const BatchToken> tokens);
  void run_ops(int end);
  int next_op() const;
  RunView& view();

  // How many rows of logits the last forward() made, and row i: [n_vocab], in batch order.
  std::int64_t n_outputs() const;
  std::span<const float> logits(std::int64_t i) const;
  // The last row.
  std::span<const float> logits() const;

  // Number of positions in the cache of `sequence`.
  std::int64_t length(std::int32_t sequence = 0) const;
  // Forgets positions n and later. Returns the new length: n, or 0 where layers with a sliding
  // window have already dropped positions they would need again.
  std::int64_t truncate(std::int64_t n, std::int32_t sequence = 0);
  // Makes `to` a copy of `from` (its cached positions).
  void copy_sequence(std::int32_t from, std::int32_t to);

  // Calls `observer` before and after every op from now on, or nobody for nullptr. It must live
  // until it is replaced. While there is one, every value of the graph is kept.
  void set_observer(Observer* observer);

 private:
  std::shared_ptr<const Model> model_;
  std::unique_ptr<SessionState> state_;
};

}  // namespace galley
