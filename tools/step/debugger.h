// The debugger of a forward pass: command lines in, text (and JSON) out.
//
// Where it sits: behind `galley step` on a terminal and in scripts, behind the page's live mode,
// and in tests. It does no input or output. The commands are in commands.h, one list; what they
// drive is DebugRun (debug_run.h).
//
// Example:
//   Debugger debugger(model, ids, {});
//   debugger.execute("run-until blk.2.attn_weights").text
//   debugger.execute("print blk.2.attn_weights[3, -1, :]").data["values"]
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "tools/glass/logit_lens.h"
#include "tools/glass/run_record.h"
#include "tools/step/breakpoints.h"
#include "tools/step/debug_run.h"

namespace galley::step {

using Json = nlohmann::ordered_json;

struct DebuggerOptions {
  DebugOptions run;
  std::int64_t n_predict = 32;  // tokens that `continue` makes at most
  bool color = false;           // codes for a terminal in the text
};

// The answer to a command.
struct Reply {
  std::string text;      // lines, each with its newline
  Json data;             // the same facts; null where a command has none to tell
  bool is_over = false;  // the user wants to leave
};

class Debugger {
 public:
  // Stands before the first op. Throws as DebugRun does.
  Debugger(std::shared_ptr<const Model> model, std::vector<TokenId> prompt,
           const DebuggerOptions& options);

  // Runs one command line. An empty one, or a comment (#), does nothing. Throws Error kUsage for a
  // command that is wrong, Cancelled on Ctrl-C; the run then still stands somewhere (`where`).
  Reply execute(std::string_view line);
  // What may stand in place of the last word of `line`, in order.
  std::vector<std::string> completions(std::string_view line) const;

  // Where the run stands, as after every command that moves: two lines.
  std::string position();
  Json position_json();

  const std::shared_ptr<const Model>& model() const { return model_; }
  DebugRun& run() { return run_; }
  const DebugRun& run() const { return run_; }
  Breakpoints& breakpoints() { return breakpoints_; }
  const DebuggerOptions& options() const { return options_; }
  bool color() const { return options_.color; }

  // The layer that names without "blk.N." belong to: that of the value made last.
  int layer() const;
  // The op that was run last, or -1 at the beginning of a pass.
  int last_op() const { return run_.next_op() - 1; }

  // Other prompts' values, by the names they were recorded under (`run2`).
  std::map<std::string, glass::RunRecord>& records() { return records_; }
  glass::LogitLens& lens();
  // The commands that changed something, for `undo`.
  enum class Action { kChange, kPick };
  std::vector<Action>& actions() { return actions_; }

 private:
  std::shared_ptr<const Model> model_;
  DebuggerOptions options_;
  DebugRun run_;
  Breakpoints breakpoints_;
  std::map<std::string, glass::RunRecord> records_;
  std::unique_ptr<glass::LogitLens> lens_;
  std::vector<Action> actions_;
};

}  // namespace galley::step
