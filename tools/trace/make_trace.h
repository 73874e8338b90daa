// Runs a prompt and some generated tokens with a TraceRecorder watching.
//
// Where it sits: `galley trace` and the live page call it; its result goes to trace_json.h.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "model/observer.h"
#include "tools/trace/trace.h"

namespace galley::trace {

struct TraceRequest {
  std::string prompt;           // as given, for showing; empty for ids
  std::vector<TokenId> ids;     // with BOS, if the model adds one; not empty
  std::vector<TokenId> forced;  // what the first generated tokens are to be
  std::int64_t n_predict = 12;
  bool ignore_eos = false;
  TraceSampling sampling;
  bool explains = true;        // a number of each op, re-derived
  bool measure_limits = true;  // of the machine, for the roofline
  // Called before and after every op before its values are kept; may change them. Or nullptr.
  Observer* change = nullptr;
};

// Throws Error: kUsage for an empty prompt or a sampling out of range, kContextExceeded if the
// prompt does not fit, kFailure if even the smallest sampling is larger than max_bytes, and what
// Session throws; Cancelled on Ctrl-C.
Trace make_trace(const std::shared_ptr<const Model>& model, const SessionOptions& session_options,
                 const SamplerOptions& sampler_options, const TraceRequest& request);

// What the machine can do, measured in a fifth of a second: enough for a picture.
kernels::Limits quick_limits(int n_threads);

// About the bytes of the JSON of such a trace.
std::int64_t estimated_bytes(const Graph& graph, const TraceSampling& sampling,
                             std::int64_t n_prompt, std::int64_t n_predict);

// Where the logit lens looks: after the embedding and after each layer.
std::vector<glass::ResidualPoint> lens_points(const Graph& graph);

}  // namespace galley::trace
