// A text on its way through a model, stopped between two ops.
//
// Where it sits: under the debugger's commands; it knows nothing of commands or text on a screen.
// It drives a Session with begin() and run_ops(), so no thread waits while somebody thinks, and
// what runs between two stops runs at full speed.
//
// The text is run in passes: first the prompt, in pieces of n_batch tokens, then one token at a
// time. In each pass all ops run in order. Between two ops, and after the last one, the run can
// stand still; it can go back to any earlier op of the pass, since a pass can be run again from
// the cache, with the same bits.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "model/observer.h"
#include "model/sampler.h"
#include "model/session.h"
#include "tools/glass/run_data.h"
#include "tools/step/changes.h"

namespace galley::step {

struct DebugOptions {
  SessionOptions session;
  SamplerOptions sampler;
  bool all_logits = false;  // of every token; else of the last one of the text alone
};

// Why the text does not go on.
enum class TextEnd { kEndOfText, kContextFull };

// How the token after a pass was chosen.
struct Choice {
  TokenId id = 0;
  bool is_picked = false;  // by the user
  double p = 0;            // the model's probability of it: softmax of the logits
};

// The values of the pass that have been made so far.
class StoppedData : public glass::LiveRun {
 public:
  explicit StoppedData(Session& session) : LiveRun(session.view()), session_(session) {}
  bool is_made(Value value) const { return graph().info(value).writer < session_.next_op(); }
  bool has_row(Value value, std::int64_t r) const override {
    return is_made(value) && LiveRun::has_row(value, r);
  }

 private:
  Session& session_;
};

class DebugRun : private Observer {
 public:
  // Stands before the first op of the first pass. `prompt` is not empty. Throws as Session and
  // Sampler do; Error kContextExceeded if the prompt is longer than the context.
  DebugRun(std::shared_ptr<const Model> model, std::vector<TokenId> prompt,
           const DebugOptions& options);
  DebugRun(const DebugRun&) = delete;
  DebugRun& operator=(const DebugRun&) = delete;

  const Model& model() const { return session_.model(); }
  const Graph& graph() const { return model().graph(); }
  const DebugOptions& options() const { return options_; }
  Session& session() { return session_; }

  // The text so far: the prompt and what was chosen.
  std::span<const TokenId> ids() const { return ids_; }
  std::int64_t n_prompt() const { return n_prompt_; }
  // What was chosen, in order: ids()[n_prompt() + i].
  std::span<const Choice> choices() const { return choices_; }

  // The positions of the text that this pass runs: [pass_begin(), pass_end()).
  std::int64_t pass_begin() const { return pass_begin_; }
  std::int64_t pass_end() const { return pass_end_; }
  // The op that comes next; n_ops() after the last one.
  int next_op() const { return session_.next_op(); }
  int n_ops() const { return static_cast<int>(graph().ops.size()); }
  bool pass_is_over() const { return next_op() == n_ops(); }
  // Whether the pass is over and the next token has to be chosen.
  bool waits_for_choice() const { return pass_is_over() && !end_ && pass_end_ == n_ids(); }
  std::optional<TextEnd> end() const { return end_; }

  // The values of this pass; valid until the run moves.
  StoppedData data() { return StoppedData(session_); }
  RunView& view() { return session_.view(); }
  // Nanoseconds that each op of this pass took, by index; 0 for those that have not run.
  std::span<const std::int64_t> op_ns() const { return op_ns_; }

  // Goes on to the op `end`, which is not run. Throws Cancelled on Ctrl-C: the run then stands
  // before the op that was not finished.
  void run_to(int end);
  // Begins the next pass, choosing the next token if this one needs it. Returns false if the text
  // ends here (end() says why). REQUIRES: pass_is_over() and not end().
  bool next_pass();
  // What the choice of the next token will be, stage by stage. REQUIRES: the logits are made.
  SampleSteps look_at_choice();
  // The next choice will be `id`; nothing: what the sampler says.
  void pick(std::optional<TokenId> id);
  std::optional<TokenId> picked() const { return picked_; }

  // Runs this pass again up to `op`, with the changes as they now are. A token that was chosen
  // after it is forgotten.
  void rerun_pass(int op);
  // Begins the text again. Changes that hold from some position on hold from the first one then.
  void restart();

  std::span<const Change> changes() const { return changes_; }
  // Adds a change and runs the pass again up to where it stands. A change with no end holds from
  // this pass on.
  void add_change(Change change);
  // Takes the last change back, and runs what it touched again. REQUIRES: there is one.
  void undo_change();

 private:
  void before_op(RunView& run, int op) override;
  void after_op(RunView& run, int op) override;

  std::int64_t n_ids() const { return static_cast<std::int64_t>(ids_.size()); }
  void begin_pass(std::int64_t begin);
  void forget_choices_after_pass();
  // Makes the cache hold exactly the first n positions of the text.
  void rewind_cache(std::int64_t n);
  Sampler sampler_for_next() const;

  DebugOptions options_;
  Session session_;
  std::vector<TokenId> ids_;
  std::int64_t n_prompt_;
  std::vector<Choice> choices_;
  std::int64_t pass_begin_ = 0;
  std::int64_t pass_end_ = 0;
  std::optional<TextEnd> end_;
  std::optional<TokenId> picked_;
  std::vector<Change> changes_;
  std::vector<std::int64_t> op_ns_;
  std::chrono::steady_clock::time_point op_began_;
};

}  // namespace galley::step
