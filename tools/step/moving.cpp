// Commands that move the run: step, next, token, continue, run-until, back, restart, breakpoints.
#include <algorithm>
#include <functional>

#include "tensor/error.h"
#include "tools/glass/value_ref.h"
#include "tools/output.h"
#include "tools/step/command_functions.h"
#include "tools/step/show.h"

namespace galley::step {
namespace {

using tools::format;

// How far to go if no breakpoint comes first.
struct Goal {
  std::int64_t n_ops = -1;     // that many ops; a choice of a token counts as one
  std::int64_t n_passes = -1;  // to the beginning of that many passes later
  std::int64_t n_choices = -1;
  bool layer_end = false;  // to the first op of another layer
};

int next_layer_op(const DebugRun& run) {
  const auto& ops = run.graph().ops;
  int op = run.next_op();
  const int layer = ops[static_cast<std::size_t>(op)].layer;
  while (op < run.n_ops() && ops[static_cast<std::size_t>(op)].layer == layer) ++op;
  return op;
}

// Where the run stops next inside this pass.
int next_stop(const Debugger& d, const Goal& goal, Breakpoints& breakpoints) {
  const DebugRun& run = d.run();
  int stop = run.n_ops();
  if (goal.n_ops >= 0)
    stop = static_cast<int>(std::min<std::int64_t>(stop, run.next_op() + goal.n_ops));
  if (goal.layer_end) stop = std::min(stop, next_layer_op(run));
  if (const auto op = breakpoints.next_stop(run.next_op(), run.n_ops())) stop = std::min(stop, *op);
  return stop;
}

void tell_hit(const Breakpoint& b, Reply& reply) {
  reply.text += format("%s %d, %s\n", b.is_temporary ? "temporary breakpoint" : "breakpoint", b.id,
                       b.where().c_str());
  reply.data["breakpoint"] = b.id;
}

// Goes on until the goal, a breakpoint or the end of the text. Returns what to tell first.
void advance(Debugger& d, Goal goal, Reply& reply) {
  DebugRun& run = d.run();
  Breakpoints& breakpoints = d.breakpoints();
  while (true) {
    if (!run.pass_is_over()) {
      const int from = run.next_op();
      const int stop = next_stop(d, goal, breakpoints);
      run.run_to(stop);
      if (goal.n_ops >= 0) goal.n_ops -= stop - from;
      if (const auto hit = breakpoints.hit_at(stop); hit && stop > from)
        return tell_hit(*hit, reply);
      if (goal.n_ops == 0 || (goal.layer_end && stop > from)) return;
      continue;
    }
    if (run.end()) return;
    const bool chooses = run.waits_for_choice();
    if (!run.next_pass()) return;
    if (goal.n_ops > 0) --goal.n_ops;
    if (goal.n_passes > 0) --goal.n_passes;
    if (chooses && goal.n_choices > 0) --goal.n_choices;
    if (const auto hit = breakpoints.hit_pass(run.pass_begin(), run.pass_end()))
      return tell_hit(*hit, reply);
    if (goal.n_ops == 0 || goal.n_passes == 0 || goal.layer_end) return;
    if (goal.n_choices == 0) {
      reply.text +=
          format("%lld tokens were made; continue makes more\n", as_ll(d.options().n_predict));
      return;
    }
  }
}

// Refuses to move when there is nothing left to run.
void need_more(const DebugRun& run) {
  if (!run.end()) return;
  throw Error(ErrorKind::kUsage,
              std::string(run.end() == TextEnd::kContextFull ? "the context is full"
                                                             : "the model has ended the text") +
                  "; go back or restart, or pick another token");
}

// Moves, then tells what was chosen on the way, and where the run stands.
void move(Debugger& d, const Goal& goal, Reply& reply) {
  need_more(d.run());
  const std::size_t n_before = d.run().choices().size();
  reply.data = Json::object();
  advance(d, goal, reply);
  const auto made =
      d.run().ids().subspan(static_cast<std::size_t>(d.run().n_prompt())).subspan(n_before);
  if (!made.empty()) {
    const Choice& last = d.run().choices().back();
    reply.text +=
        made.size() == 1
            ? format("chose %s (token %d, p %s)\n", token_text(d.run().model(), last.id).c_str(),
                     last.id, percent_text(last.p).c_str())
            : format("chose %zu tokens: %s\n", made.size(), text_of(d.run().model(), made).c_str());
    reply.data["chosen"] = std::vector<TokenId>(made.begin(), made.end());
  }
  reply.text += d.position();
  reply.data["position"] = d.position_json();
}

}  // namespace

void step(Debugger& d, const Arguments& a, Reply& reply) {
  a.need(0, 1, "step [N]");
  Goal goal;
  goal.n_ops = a.integer_or(0, 1, "the number of ops", 1, 1'000'000'000);
  move(d, goal, reply);
}

void next(Debugger& d, const Arguments& a, Reply& reply) {
  a.need(0, 0, "next");
  Goal goal;
  goal.layer_end = true;
  move(d, goal, reply);
}

void token(Debugger& d, const Arguments& a, Reply& reply) {
  a.need(0, 1, "token [N]");
  Goal goal;
  goal.n_passes = a.integer_or(0, 1, "the number of tokens", 1, 1'000'000'000);
  move(d, goal, reply);
}

void go_on(Debugger& d, const Arguments& a, Reply& reply) {
  a.need(0, 0, "continue");
  Goal goal;
  goal.n_choices = d.options().n_predict;
  move(d, goal, reply);
}

namespace {

// Reads `VALUE` or `token N`.
const Breakpoint& add_breakpoint(Debugger& d, const Arguments& a, bool is_temporary) {
  if (a.is(0, "token") && a.size() == 2) {
    const std::int64_t n_context = d.run().session().n_context();
    return d.breakpoints().add_token(a.integer(1, "the token's position", 0, n_context - 1),
                                     is_temporary);
  }
  a.need(1, 1, a.command + " VALUE or " + a.command + " token N");
  return d.breakpoints().add_values(d.run().graph(), a[0], d.layer(), is_temporary);
}

}  // namespace

void run_until(Debugger& d, const Arguments& a, Reply& reply) {
  need_more(d.run());
  const int id = add_breakpoint(d, a, true).id;
  Reply moved;
  Goal goal;
  goal.n_choices = d.options().n_predict;
  try {
    move(d, goal, moved);
  } catch (const Cancelled&) {
    d.breakpoints().remove(id);
    throw;
  }
  const bool is_there = moved.data.value("breakpoint", -1) == id;
  if (!is_there) d.breakpoints().remove(id);
  // That it was a breakpoint is our affair.
  if (is_there) moved.text.erase(0, moved.text.find('\n') + 1);
  reply = std::move(moved);
}

namespace {

void list_breakpoints(Debugger& d, Reply& reply) {
  if (d.breakpoints().all().empty()) reply.text = "no breakpoints\n";
  reply.data = Json::array();
  for (const Breakpoint& b : d.breakpoints().all()) {
    const auto n_ops = std::count(b.ops.begin(), b.ops.end(), true);
    reply.text +=
        format("%3d  %-24s %s%s\n", b.id, b.where().c_str(),
               b.position ? "" : format("%lld ops, ", as_ll(n_ops)).c_str(),
               (b.is_temporary ? "temporary" : format("%lld hits", as_ll(b.n_hits))).c_str());
    reply.data.push_back({{"id", b.id}, {"where", b.where()}, {"hits", b.n_hits}});
  }
}

void set_breakpoint(Debugger& d, const Arguments& a, bool is_temporary, Reply& reply) {
  if (a.empty()) return list_breakpoints(d, reply);
  const Breakpoint& b = add_breakpoint(d, a, is_temporary);
  const auto n_ops = std::count(b.ops.begin(), b.ops.end(), true);
  reply.text = format("%s %d: %s", is_temporary ? "temporary breakpoint" : "breakpoint", b.id,
                      b.where().c_str());
  if (n_ops > 1) reply.text += format(", %lld ops", as_ll(n_ops));
  reply.text += "\n";
  reply.data = {{"id", b.id}, {"where", b.where()}};
}

}  // namespace

void break_at(Debugger& d, const Arguments& a, Reply& reply) { set_breakpoint(d, a, false, reply); }
void tbreak(Debugger& d, const Arguments& a, Reply& reply) { set_breakpoint(d, a, true, reply); }

void delete_breakpoint(Debugger& d, const Arguments& a, Reply& reply) {
  if (a.empty()) {
    d.breakpoints().clear();
    reply.text = "no breakpoints\n";
    return;
  }
  for (std::size_t i = 0; i < a.size(); ++i)
    d.breakpoints().remove(
        static_cast<int>(a.integer(i, "the breakpoint's number", 0, 1'000'000'000)));
}

void restart(Debugger& d, const Arguments& a, Reply& reply) {
  a.need(0, 0, "restart");
  d.run().restart();
  if (const std::size_t n = d.run().changes().size(); n > 0)
    reply.text += format("%zu %s in force\n", n, n == 1 ? "change is" : "changes are");
  reply.text += d.position();
  reply.data["position"] = d.position_json();
}

namespace {

// The op to stand before, for `back`'s word: a number of ops, or where a value has just been made.
int back_target(Debugger& d, const Arguments& a) {
  const DebugRun& run = d.run();
  const bool is_number = a.empty() || a[0].find_first_not_of("0123456789") == std::string::npos;
  if (is_number)
    return run.next_op() -
           static_cast<int>(a.integer_or(0, 1, "the number of ops", 1, run.next_op()));
  const glass::NamedValue value = glass::find_value(run.graph(), a[0], d.layer());
  if (value.op >= run.next_op())
    throw Error(ErrorKind::kUsage, value.name + " is yet to come; run-until goes there");
  return value.op + 1;
}

}  // namespace

void back(Debugger& d, const Arguments& a, Reply& reply) {
  a.need(0, 1, "back [N], or back VALUE");
  if (d.run().next_op() == 0)
    throw Error(ErrorKind::kUsage,
                "the pass begins here; restart begins the text again, at its first token");
  d.run().rerun_pass(back_target(d, a));
  reply.text += d.position();
  reply.data["position"] = d.position_json();
}

}  // namespace galley::step
