// The observer that fills in a Trace while the model runs.
//
// Where it sits: make_trace sets it on a session. It keeps only the sampled numbers, so that a
// trace of a long prompt does not need the memory of all its values.
#pragma once

#include <chrono>

#include "model/observer.h"
#include "tools/trace/trace.h"

namespace galley::trace {

class TraceRecorder : public Observer {
 public:
  // Adds one Pass to `trace` for every batch. `change`, if any, is called before and after every
  // op first, and may change values: the trace shows what it left. Both must outlive it.
  explicit TraceRecorder(Trace& trace, Observer* change = nullptr);

  void before_op(RunView& run, int op_index) override;
  void after_op(RunView& run, int op_index) override;

 private:
  void begin_pass(RunView& run);
  void keep_values(RunView& run, const Op& op, OpRun& out);
  void keep_attention(RunView& run, const Op& op, int op_index);
  // Explains the largest kept number of the last prompt token.
  void explain(RunView& run, const Op& op, int op_index);
  // When the pass is over: what each point of the residual stream would say.
  void keep_lens(RunView& run);
  // The kept rows of the batch as rows of `value`: all of them, or of O rows the last.
  std::vector<std::int64_t> rows_of(const RunView& run, Value value) const;
  bool is_kept_position(std::int64_t position) const;
  Pass& pass() { return trace_.passes.back(); }

  Trace& trace_;
  Observer* change_;
  glass::LogitLens lens_;
  std::vector<std::vector<Range>> columns_;  // by op
  std::chrono::steady_clock::time_point began_;
};

}  // namespace galley::trace
