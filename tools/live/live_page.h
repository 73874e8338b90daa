// The page's questions to the engine: run this prompt, do this command, explain that number.
//
// Where it sits: behind the HTTP server of `galley step --web` (server.h); it knows no HTTP. It
// holds a debugger (tools/step/) and a trace of the same text with the same changes, made again
// whenever one of the two differs from what the page shows.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tools/live/pass_runner.h"
#include "tools/step/debugger.h"
#include "tools/trace/make_trace.h"

namespace galley::live {

using Json = nlohmann::ordered_json;

struct LiveOptions {
  step::DebuggerOptions debugger;
  std::int64_t n_predict = 12;  // tokens that a trace makes
  trace::TraceSampling sampling;
};

class LivePage {
 public:
  // Traces the prompt once. Throws what make_trace and Debugger throw.
  LivePage(std::shared_ptr<const Model> model, const std::string& prompt, std::vector<TokenId> ids,
           const LiveOptions& options);

  // The trace that is shown, as JSON text.
  const std::string& trace_text() const { return trace_text_; }

  // Each takes the page's request and gives the reply; all throw Error kUsage for a request that
  // makes no sense. The reply's "traced" tells whether there is a new trace to fetch.
  //
  // {"prompt", "n", "temperature", "seed"}: another text, from its beginning, with no changes.
  Json run(const Json& request);
  // {"line"}: a command of the debugger. Reply: "text", "data" and where it stands.
  Json command(const Json& request);
  // {"op", "positions": [begin, end], "columns": [begin, end], "kind": "set" | "scale",
  // "amount"}: the run begins again, with this change and those before it. An empty "positions"
  // means all.
  Json change(const Json& request);
  // {"op", "pass", "position", "column"}: where a number of the trace comes from.
  Json explain(const Json& request);
  // Where the debugger stands, its breakpoints and changes, and the text with and without them.
  Json state();

  // The request of that name ("run", ...). Throws Error kUsage for an unknown one.
  Json answer(const std::string& name, const Json& request);

 private:
  void begin(const std::string& prompt, std::vector<TokenId> ids);
  // Makes the trace again if the debugger's text or changes are no longer those of the trace.
  bool trace_if_changed();
  std::string text_of(std::span<const TokenId> ids) const;

  std::shared_ptr<const Model> model_;
  LiveOptions options_;
  std::string prompt_;
  std::unique_ptr<step::Debugger> debugger_;
  std::unique_ptr<PassRunner> runner_;
  std::vector<step::Change> changes_;  // of the trace
  std::vector<TokenId> ids_;           // of the trace
  std::int64_t n_prompt_ = 0;
  std::optional<kernels::Limits> limits_;  // measured once
  std::string base_text_;                  // what the model said when nothing was changed
  std::string trace_text_;
};

}  // namespace galley::live
