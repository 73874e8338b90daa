#include "tools/trace/make_trace.h"

#include <algorithm>
#include <chrono>

#include "tensor/error.h"
#include "tools/trace/recorder.h"

namespace galley::trace {
namespace {

// Of the JSON around the numbers, per op and pass; base64 takes 16 bytes for 3 floats.
constexpr std::int64_t kBytesPerOpRun = 230;
constexpr std::int64_t kBytesPerOp = 700;
constexpr std::int64_t kBytesPerCandidate = 60;

std::int64_t base64_bytes(std::int64_t n_floats) { return n_floats * 16 / 3 + 4; }

std::size_t sz(std::int64_t i) { return static_cast<std::size_t>(i); }

// Halves what is kept until the trace is small enough. Throws Error kFailure.
TraceSampling fit(const Graph& graph, TraceSampling sampling, std::int64_t n_prompt,
                  std::int64_t n_predict) {
  constexpr std::int64_t kFewest = 16;
  while (estimated_bytes(graph, sampling, n_prompt, n_predict) > sampling.max_bytes) {
    if (sampling.max_columns > kFewest)
      sampling.max_columns /= 2;
    else if (sampling.max_rows > kFewest)
      sampling.max_rows /= 2;
    else
      throw Error(ErrorKind::kFailure,
                  "a trace of " + std::to_string(n_prompt) + " prompt tokens and " +
                      std::to_string(n_predict) + " more is larger than " +
                      std::to_string(sampling.max_bytes >> 20) +
                      " MiB even when sampled; trace fewer tokens, or allow more with --max-size");
  }
  return sampling;
}

void check(const TraceRequest& request) {
  const auto need = [](const char* what, std::int64_t value, std::int64_t low, std::int64_t high) {
    if (value < low || value > high)
      throw Error(ErrorKind::kUsage, std::string(what) + " is " + std::to_string(value) +
                                         ", expected from " + std::to_string(low) + " to " +
                                         std::to_string(high));
  };
  need("the number of tokens to trace", request.n_predict, 1, 4096);
  need("the number of rows", request.sampling.max_rows, 2, 4096);
  need("the number of columns", request.sampling.max_columns, 1, 1 << 20);
  need("the size limit in bytes", request.sampling.max_bytes, 1 << 16, std::int64_t{1} << 32);
  if (request.ids.empty()) throw Error(ErrorKind::kUsage, "the prompt has no tokens");
}

// Of the explanations: about the lists of numbers that products and norms are made of.
std::int64_t explanation_bytes(const Graph& graph, const Op& op) {
  constexpr std::int64_t kWords = 2500, kBlock = 900, kFloat = 44;
  if (!op.weight || graph.info(op.output).cache_layer >= 0) return kWords;
  const bool is_blocks = dtype_info(op.weight->type).block_elements > 1;
  const std::int64_t cols = op.weight->cols();
  const std::int64_t bytes = kWords + (is_blocks ? cols / 32 * kBlock : cols * kFloat);
  return bytes > kMostPerExplanation ? 0 : bytes;
}

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

class Run {
 public:
  Run(Trace& trace, Session& session, Sampler& sampler, TraceRecorder& recorder)
      : trace_(trace), session_(session), sampler_(sampler) {
    session_.set_observer(&recorder);
  }
  ~Run() { session_.set_observer(nullptr); }
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  void prefill(const std::vector<TokenId>& ids) {
    for (std::size_t done = 0; done < ids.size();) {
      const std::size_t n = std::min(ids.size() - done, sz(session_.n_batch()));
      std::vector<BatchToken> batch;
      for (std::size_t i = 0; i < n; ++i)
        batch.push_back({ids[done + i], 0, done + i + 1 == ids.size()});
      forward(batch);
      done += n;
    }
    for (const TokenId id : ids) sampler_.accept(id);
  }

  // Chooses tokens and runs them, until the text ends. The last one chosen is not run.
  void decode(const TraceRequest& request) {
    const auto n_prompt = static_cast<std::int64_t>(request.ids.size());
    while (true) {
      Pass& pass = trace_.passes.back();
      TokenId id = sampler_.sample(session_.logits(), pass.choice);
      pass.has_choice = true;
      const std::size_t i = trace_.ids.size() - request.ids.size();
      if (i < request.forced.size() && request.forced[i] != id) {
        id = pass.choice.chosen = request.forced[i];
        pass.is_forced = true;
      }
      sampler_.accept(id);
      trace_.ids.push_back(id);
      const auto n_made = static_cast<std::int64_t>(trace_.ids.size()) - n_prompt;
      if (!request.ignore_eos && trace_.model->tokenizer().is_end_of_generation(id))
        trace_.stop_reason = "eos";
      else if (n_made >= request.n_predict)
        trace_.stop_reason = "length";
      else if (session_.length() >= session_.n_context())
        trace_.stop_reason = "context";
      if (!trace_.stop_reason.empty()) return;
      forward(std::vector<BatchToken>{{id, 0, true}});
    }
  }

 private:
  void forward(const std::vector<BatchToken>& batch) {
    const auto start = std::chrono::steady_clock::now();
    session_.forward(batch);
    trace_.passes.back().elapsed_s = seconds_since(start);
  }

  Trace& trace_;
  Session& session_;
  Sampler& sampler_;
};

}  // namespace

kernels::Limits quick_limits(int n_threads) {
  kernels::LimitsOptions options;
  options.n_threads = n_threads;
  options.read_bytes = std::int64_t{256} << 20;
  options.read_seconds = 0.1;
  options.multiply_seconds = 0.02;
  return kernels::measure_limits(kernels::table().isa, options);
}

std::vector<glass::ResidualPoint> lens_points(const Graph& graph) {
  std::vector<glass::ResidualPoint> points;
  for (glass::ResidualPoint& point : glass::residual_stream(graph)) {
    if (!points.empty() && points.back().layer == point.layer) points.pop_back();
    points.push_back(std::move(point));
  }
  return points;
}

std::int64_t estimated_bytes(const Graph& graph, const TraceSampling& sampling,
                             std::int64_t n_prompt, std::int64_t n_predict) {
  const std::int64_t n_rows = count(kept_positions(sampling, n_prompt)) + n_predict - 1;
  std::int64_t bytes = 1 << 16, explanations = 0;
  for (const Op& op : graph.ops) {
    const ValueInfo& info = graph.info(op.output);
    const std::int64_t rows = info.rows == Rows::kTokens ? n_rows : n_predict;
    bytes += kBytesPerOp + n_predict * kBytesPerOpRun;
    explanations += explanation_bytes(graph, op);
    if (info.cache_layer < 0)
      bytes += base64_bytes(rows * count(kept_columns(sampling, info.width)));
    if (op.kind == OpKind::kAttention) bytes += base64_bytes(n_rows * op.heads * (n_rows + 1));
  }
  const auto n_stream = static_cast<std::int64_t>(graph.cache_layers.size()) + 1;
  bytes += n_rows * n_stream * 5 * kBytesPerCandidate;
  bytes += n_predict * 7 * 32 * kBytesPerCandidate;
  return bytes + std::min(explanations, sampling.max_bytes / kExplanationShare);
}

Trace make_trace(const std::shared_ptr<const Model>& model, const SessionOptions& session_options,
                 const SamplerOptions& sampler_options, const TraceRequest& request) {
  check(request);
  Session session(model, session_options);
  Sampler sampler(sampler_options);
  const auto n_prompt = static_cast<std::int64_t>(request.ids.size());
  if (n_prompt > session.n_context())
    throw Error(ErrorKind::kContextExceeded, "the prompt has " + std::to_string(n_prompt) +
                                                 " tokens, the context holds " +
                                                 std::to_string(session.n_context()) +
                                                 "; shorten it or use a larger --ctx-size");
  Trace trace;
  trace.model = model;
  trace.prompt = request.prompt;
  trace.ids = request.ids;
  trace.n_prompt = n_prompt;
  trace.sampling = fit(model->graph(), request.sampling, n_prompt, request.n_predict);
  trace.prompt_positions = kept_positions(trace.sampling, n_prompt);
  trace.lens_points = lens_points(model->graph());
  trace.kv_type = session_options.kv_type.value_or(default_kv_type(model->graph()));
  trace.explains = request.explains;
  trace.n_context = session.n_context();
  trace.n_threads = session.n_threads();
  trace.sampler = sampler.describe();
  trace.sampler_options = sampler_options;
  if (request.measure_limits) trace.limits = quick_limits(trace.n_threads);
  TraceRecorder recorder(trace, request.change);
  Run run(trace, session, sampler, recorder);
  run.prefill(request.ids);
  run.decode(request);
  return trace;
}

}  // namespace galley::trace
