#include "model/session.h"

#include <sched.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>

#include "model/executor.h"
#include "model/executor_view.h"
#include "model/kv_cache.h"
#include "tensor/error.h"

namespace galley {
namespace {

// The CPUs that the quota of this control group (version 2) pays for, or a large number.
int cgroup_cpus() {
  std::ifstream in("/sys/fs/cgroup/cpu.max");
  std::string quota;
  double period = 0;
  if (!(in >> quota >> period) || quota == "max" || period <= 0)
    return std::numeric_limits<int>::max();
  return std::max(1, static_cast<int>(std::ceil(std::stod(quota) / period)));
}

// The rows that the model has learned for positions, where it learns them.
std::int64_t position_limit(const Graph& graph) {
  std::int64_t limit = std::numeric_limits<std::int32_t>::max();
  for (const Op& op : graph.ops)
    if (op.kind == OpKind::kAddPositions) limit = std::min(limit, op.weight->rows());
  return limit;
}

void need_range(const char* what, std::int64_t value, std::int64_t low, std::int64_t high) {
  if (value >= low && value <= high) return;
  throw Error(ErrorKind::kUsage, std::string(what) + " is " + std::to_string(value) +
                                     ", expected from " + std::to_string(low) + " to " +
                                     std::to_string(high));
}

SessionOptions checked(const Model& model, SessionOptions options) {
  const std::int64_t limit = position_limit(model.graph());
  if (options.n_context == 0) options.n_context = std::min(limit, model.config().n_context_train);
  if (options.n_threads == 0) options.n_threads = usable_cpus();
  if (!options.kv_type) options.kv_type = default_kv_type(model.graph());
  need_range("the context size", options.n_context, 1, limit);
  need_range("the batch size", options.n_batch, 1, 1 << 20);
  need_range("the number of sequences", options.n_sequences, 1, 1 << 16);
  need_range("the number of threads", options.n_threads, 1, 1024);
  options.n_batch = std::min(options.n_batch, options.n_context * options.n_sequences);
  return options;
}

}  // namespace

int usable_cpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  const int allowed = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
  return std::max(1, std::min(allowed, cgroup_cpus()));
}

class SessionState {
 public:
  SessionState(const Model& model, const SessionOptions& opts)
      : options(opts),
        cache(model.graph(), *opts.kv_type, opts.n_context, opts.n_sequences, opts.n_batch),
        executor(model.graph(), cache, opts.n_batch, opts.n_context, opts.n_threads, opts.cancel) {}

  SessionOptions options;
  KvCache cache;
  Executor executor;
  ExecutorView view{executor};
  std::vector<float> logits;  // [n_outputs, n_vocab]
  std::int64_t n_outputs = 0;
  // The batch being run.
  std::vector<std::int32_t> ids, positions, sequences, outputs;
  std::vector<std::int64_t> lengths;  // of each sequence, with the batches so far

  // Makes room for the logits of `tokens`, which come in one or more batches.
  void prepare(std::span<const BatchToken> tokens, std::int64_t n_vocab);
  // `tokens` as the next batch, which writes its logits to `batch_logits`.
  Batch next_batch(std::span<const BatchToken> tokens, float* batch_logits);
  // The cache now holds the batch.
  void finish_batch();
};

Session::Session(std::shared_ptr<const Model> model, const SessionOptions& options)
    : model_(std::move(model)),
      state_(std::make_unique<SessionState>(*model_, checked(*model_, options))) {}
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&&) noexcept = default;
Session::~Session() = default;

Session Session::open(const std::string& path, const SessionOptions& options) {
  return Session(Model::open(path), options);
}

std::int64_t Session::n_context() const { return state_->options.n_context; }
std::int64_t Session::n_batch() const { return state_->options.n_batch; }
int Session::n_threads() const { return state_->options.n_threads; }

SessionMemory Session::memory() const {
  return {state_->cache.n_bytes(),
          state_->executor.buffer_bytes() +
              static_cast<std::int64_t>(state_->logits.capacity() * sizeof(float))};
}

std::int64_t Session::n_outputs() const { return state_->n_outputs; }

std::span<const float> Session::logits(std::int64_t i) const {
  GALLEY_CHECK(i >= 0 && i < state_->n_outputs, "no logits were asked for at this row");
  const auto n_vocab = static_cast<std::size_t>(model_->config().n_vocab);
  return std::span(state_->logits).subspan(static_cast<std::size_t>(i) * n_vocab, n_vocab);
}

std::span<const float> Session::logits() const { return logits(n_outputs() - 1); }

std::int64_t Session::length(std::int32_t sequence) const {
  need_range("the sequence", sequence, 0, state_->options.n_sequences - 1);
  return state_->cache.length(sequence);
}

std::int64_t Session::truncate(std::int64_t n, std::int32_t sequence) {
  need_range("the sequence", sequence, 0, state_->options.n_sequences - 1);
  return state_->cache.truncate(sequence, n);
}

void Session::copy_sequence(std::int32_t from, std::int32_t to) {
  need_range("the sequence", from, 0, state_->options.n_sequences - 1);
  need_range("the sequence", to, 0, state_->options.n_sequences - 1);
  state_->cache.copy(from, to);
}

void Session::set_observer(Observer* observer) { state_->executor.set_observer(observer); }

namespace {

// Throws unless every token can be run; returns how many tokens each sequence gets.
void check_tokens(std::span<const BatchToken> tokens, const Config& config, const KvCache& cache) {
  std::vector<std::int64_t> added(static_cast<std::size_t>(cache.n_sequences()), 0);
  for (const BatchToken& token : tokens) {
    need_range("a token id", token.id, 0, config.n_vocab - 1);
    need_range("the sequence", token.sequence, 0, cache.n_sequences() - 1);
    ++added[static_cast<std::size_t>(token.sequence)];
  }
  for (std::size_t s = 0; s < added.size(); ++s) {
    const std::int64_t length = cache.length(static_cast<std::int32_t>(s)) + added[s];
    if (added[s] > 0 && length > cache.n_context())
      throw Error(ErrorKind::kContextExceeded, std::to_string(length) +
                                                   " tokens do not fit into the context of " +
                                                   std::to_string(cache.n_context()) +
                                                   "; shorten the text or use a larger --ctx-size");
  }
}

}  // namespace

void SessionState::prepare(std::span<const BatchToken> tokens, std::int64_t n_vocab) {
  n_outputs = std::count_if(tokens.begin(), tokens.end(),
                            [](const BatchToken& t) { return t.wants_logits; });
  logits.resize(static_cast<std::size_t>(n_outputs * n_vocab));
  lengths.clear();
  for (std::int32_t i = 0; i < options.n_sequences; ++i) lengths.push_back(cache.length(i));
}

Batch SessionState::next_batch(std::span<const BatchToken> tokens, float* batch_logits) {
  ids.clear(), positions.clear(), sequences.clear(), outputs.clear();
  for (const BatchToken& token : tokens) {
    if (token.wants_logits) outputs.push_back(static_cast<std::int32_t>(ids.size()));
    ids.push_back(token.id);
    sequences.push_back(token.sequence);
    positions.push_back(
        static_cast<std::int32_t>(lengths[static_cast<std::size_t>(token.sequence)]++));
  }
  for (std::int32_t i = 0; i < options.n_sequences; ++i)
    cache.will_write(i, lengths[static_cast<std::size_t>(i)]);
  return {ids, positions, sequences, outputs, batch_logits};
}

void SessionState::finish_batch() {
  for (std::int32_t i = 0; i < options.n_sequences; ++i)
    cache.grow(i, lengths[static_cast<std::size_t>(i)]);
}

void Session::forward(std::span<const BatchToken> tokens) {
  SessionState& s = *state_;
  check_tokens(tokens, model_->config(), s.cache);
  const std::int64_t n_vocab = model_->config().n_vocab;
  s.prepare(tokens, n_vocab);
  float* logits = s.logits.data();
  while (!tokens.empty()) {
    const auto n = std::min(tokens.size(), static_cast<std::size_t>(s.options.n_batch));
    s.executor.run(s.next_batch(tokens.first(n), logits));
    s.finish_batch();
    logits += static_cast<std::int64_t>(s.outputs.size()) * n_vocab;
    tokens = tokens.subspan(n);
  }
}

void Session::forward(std::span<const TokenId> tokens, std::int32_t sequence) {
  std::vector<BatchToken> batch;
  batch.reserve(tokens.size());
  for (TokenId id : tokens) batch.push_back({id, sequence, false});
  if (!batch.empty()) batch.back().wants_logits = true;
  forward(batch);
}

void Session::begin(std::span<const BatchToken> tokens) {
  SessionState& s = *state_;
  GALLEY_CHECK(static_cast<std::int64_t>(tokens.size()) <= s.options.n_batch,
               "one batch can be stopped in, not several");
  check_tokens(tokens, model_->config(), s.cache);
  s.prepare(tokens, model_->config().n_vocab);
  s.executor.begin(s.next_batch(tokens, s.logits.data()));
}

void Session::run_ops(int end) {
  state_->executor.run_ops(end);
  if (next_op() == static_cast<int>(model_->graph().ops.size())) state_->finish_batch();
}

int Session::next_op() const { return state_->executor.next_op(); }

RunView& Session::view() { return state_->view; }

DType default_kv_type(const Graph& graph) {
  constexpr std::int64_t kSmallCache = 16 << 10;  // bytes per position
  std::int64_t n_floats = 0;
  for (const CacheLayer& layer : graph.cache_layers)
    n_floats += layer.n_kv_heads * (layer.head_size_k + layer.head_size_v);
  return n_floats * static_cast<std::int64_t>(sizeof(float)) <= kSmallCache ? DType::kF32
                                                                            : DType::kF16;
}

SessionMemory session_memory(const Graph& graph, const SessionOptions& options) {
  SessionMemory memory;
  memory.kv_cache_bytes =
      KvCache::bytes_needed(graph, options.kv_type.value_or(default_kv_type(graph)),
                            options.n_context, options.n_sequences, options.n_batch);
  memory.buffer_bytes = plan_memory(graph, options.n_batch, 1, false).n_floats *
                        static_cast<std::int64_t>(sizeof(float));
  return memory;
}

}  // namespace galley
