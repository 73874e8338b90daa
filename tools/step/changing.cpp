// set, scale, pick, changes and undo: changing what the run computes.
#include <algorithm>

#include "tensor/error.h"
#include "tensor/message.h"
#include "tools/output.h"
#include "tools/step/change_target.h"
#include "tools/step/command_functions.h"
#include "tools/step/show.h"

namespace galley::step {
namespace {

using tools::format;

// Adds the change, and tells.
void apply(Debugger& d, Change change, Reply& reply) {
  const std::string text = change.text;
  const bool is_past = change.op < d.run().next_op();
  d.run().add_change(std::move(change));
  d.actions().push_back(Debugger::Action::kChange);
  reply.text = text + (is_past ? ": the pass was run again up to here\n" : "\n");
  reply.text += d.position();
  reply.data = {{"change", text}, {"position", d.position_json()}};
}

// "L.H".
std::pair<std::int64_t, std::int64_t> parse_head(DebugRun& run, const std::string& text) {
  const std::size_t dot = text.find('.');
  if (dot == std::string::npos)
    throw Error(ErrorKind::kUsage, "a head is LAYER.HEAD, such as 2.3, not " + in_quotes(text));
  const std::int64_t layer =
      parse_integer_in(text.substr(0, dot), "the layer", 0, run.model().config().n_layers - 1);
  for (const Op& op : run.graph().ops)
    if (op.kind == OpKind::kAttention && op.layer == layer)
      return {layer, parse_integer_in(text.substr(dot + 1), "the head", 0, op.heads - 1)};
  throw Error(ErrorKind::kUsage, "layer " + std::to_string(layer) + " has no attention");
}

// The columns of the attention op's output that one head makes are zero: after the output
// projection nothing is left of it.
void set_head(Debugger& d, const Arguments& a, Reply& reply) {
  a.need(3, 3, "set head LAYER.HEAD off");
  if (!a.is(2, "off"))
    throw Error(ErrorKind::kUsage, "a head can be set off only; undo switches it on again");
  const auto [layer, head] = parse_head(d.run(), a[1]);
  const auto& ops = d.run().graph().ops;
  Change change;
  for (std::size_t i = 0; i < ops.size(); ++i)
    if (ops[i].kind == OpKind::kAttention && ops[i].layer == layer) change.op = static_cast<int>(i);
  const Op& op = ops[static_cast<std::size_t>(change.op)];
  const std::int64_t size =
      d.run().graph().cache_layers[static_cast<std::size_t>(op.cache_layer)].head_size_v;
  change.begin_column = head * size;
  change.end_column = (head + 1) * size;
  change.text = format("set head %lld.%lld off", as_ll(layer), as_ll(head));
  apply(d, std::move(change), reply);
}

void set_or_scale(Debugger& d, const Arguments& a, Change::Kind kind, Reply& reply) {
  a.need(2, 2, a.command + " VALUE[PART] X");
  Change change = change_target(d, a[0]).change;
  change.kind = kind;
  change.amount = parse_amount(a[1], "the number");
  change.text = a.command + " " + a[0] + " " + a[1];
  apply(d, std::move(change), reply);
}

// The one token that `text` is. Throws Error kUsage naming the tokens it would be.
TokenId token_of(DebugRun& run, const Arguments& a) {
  const Tokenizer& tokenizer = run.model().tokenizer();
  const std::string& word = a[0];
  if (!a.is_quoted[0] && word.find_first_not_of("0123456789") == std::string::npos)
    return static_cast<TokenId>(
        parse_integer_in(word, "the token", 0, run.model().config().n_vocab - 1));
  if (!tokenizer.has_vocab())
    throw Error(ErrorKind::kUsage, "the model has no tokenizer; pick an id");
  const std::vector<TokenId> ids =
      tokenizer.encode(word, {.add_special = false, .parse_special = true});
  if (ids.size() == 1) return ids[0];
  std::string pieces;
  for (TokenId id : ids) pieces += cat({" ", token_text(run.model(), id)});
  throw Error(ErrorKind::kUsage, in_quotes(word) + " is " + std::to_string(ids.size()) +
                                     " tokens:" + pieces +
                                     "; pick one (a space in front belongs to it: pick \" word\")");
}

}  // namespace

void set(Debugger& d, const Arguments& a, Reply& reply) {
  if (a.is(0, "head")) return set_head(d, a, reply);
  set_or_scale(d, a, Change::Kind::kSet, reply);
}

void scale(Debugger& d, const Arguments& a, Reply& reply) {
  set_or_scale(d, a, Change::Kind::kScale, reply);
}

void pick(Debugger& d, const Arguments& a, Reply& reply) {
  a.need(1, 1, "pick TOKEN, or pick off");
  if (a.is(0, "off") && !a.is_quoted[0]) {
    d.run().pick(std::nullopt);
    reply.text = "the sampler chooses\n";
    return;
  }
  const TokenId id = token_of(d.run(), a);
  d.run().pick(id);
  d.actions().push_back(Debugger::Action::kPick);
  reply.text =
      format("the next token will be %d %s\n", id, token_text(d.run().model(), id).c_str());
  reply.data = {{"picked", id}};
}

void changes(Debugger& d, const Arguments& a, Reply& reply) {
  a.need(0, 0, "changes");
  reply.data = Json::array();
  for (const Change& c : d.run().changes()) {
    std::string from = c.is_bounded() ? format("positions %lld to %lld", as_ll(c.begin_position),
                                               as_ll(c.end_position - 1))
                                      : format("from position %lld on", as_ll(c.begin_position));
    reply.text += left(c.text, 40) + " " + from + "\n";
    reply.data.push_back({{"change", c.text},
                          {"op", d.run().graph().ops[static_cast<std::size_t>(c.op)].name},
                          {"begin_position", c.begin_position}});
  }
  if (d.run().picked())
    reply.text += format("pick %d %s\n", *d.run().picked(),
                         token_text(d.run().model(), *d.run().picked()).c_str());
  if (reply.text.empty()) reply.text = "nothing is changed\n";
}

void undo(Debugger& d, const Arguments& a, Reply& reply) {
  a.need(0, 0, "undo");
  auto& actions = d.actions();
  // A token that was picked and is part of the text by now is no longer a change; back is for that.
  while (!actions.empty() && actions.back() == Debugger::Action::kPick && !d.run().picked())
    actions.pop_back();
  if (!actions.empty() && actions.back() == Debugger::Action::kPick) {
    actions.pop_back();
    d.run().pick(std::nullopt);
    reply.text = "undone: pick\n";
    return;
  }
  if (d.run().changes().empty()) throw Error(ErrorKind::kUsage, "there is nothing to undo");
  if (!actions.empty()) actions.pop_back();
  reply.text = "undone: " + d.run().changes().back().text + "\n";
  d.run().undo_change();
  reply.text += d.position();
  reply.data = {{"position", d.position_json()}};
}

}  // namespace galley::step
