// run2, patch and diff: this run beside another one.
#include <algorithm>

#include "tensor/error.h"
#include "tensor/message.h"
#include "tools/output.h"
#include "tools/step/change_target.h"
#include "tools/step/command_functions.h"
#include "tools/step/compare.h"
#include "tools/step/show.h"

namespace galley::step {
namespace {

using tools::format;

std::vector<BatchToken> batch_of(std::span<const TokenId> ids, bool all_logits) {
  std::vector<BatchToken> batch;
  for (TokenId id : ids) batch.push_back({id, 0, all_logits});
  if (!batch.empty()) batch.back().wants_logits = true;
  return batch;
}

// Runs `ids` and records the pass of those from `begin` on.
glass::RunRecord record_pass(Debugger& d, std::span<const TokenId> ids, std::int64_t begin,
                             bool wants_logits) {
  const DebugRun& run = d.run();
  SessionOptions options = run.options().session;
  options.n_batch = std::max<std::int64_t>(options.n_batch, static_cast<std::int64_t>(ids.size()));
  Session session(d.model(), options);
  const auto first = static_cast<std::size_t>(begin);
  if (begin > 0) session.forward(ids.first(first));
  glass::Recorder recorder;
  session.set_observer(&recorder);
  auto batch = batch_of(ids.subspan(first), run.options().all_logits);
  batch.back().wants_logits = wants_logits;
  session.forward(batch);
  session.set_observer(nullptr);
  return std::move(recorder.take().back());
}

std::vector<TokenId> encode(const Model& model, const std::string& text) {
  if (model.tokenizer().has_vocab()) return model.tokenizer().encode(text);
  std::vector<TokenId> ids;
  for (const std::string& word : parse_arguments("run2", text).words)
    ids.push_back(
        static_cast<TokenId>(parse_integer_in(word, "a token id", 0, model.config().n_vocab - 1)));
  return ids;
}

const glass::RunRecord& find_record(Debugger& d, const std::string& name) {
  const auto found = d.records().find(name);
  if (found != d.records().end()) return found->second;
  std::vector<std::string> names;
  for (const auto& [known, record] : d.records()) names.push_back(known);
  throw Error(ErrorKind::kUsage,
              "there is no run " + in_quotes(name) +
                  (names.empty() ? "; run2 TEXT makes one" : suggestion(name, names)));
}

// Where the rows of a patch come from.
struct PatchSource {
  const glass::RunRecord* record = nullptr;
  std::optional<std::int64_t> row;
};

PatchSource read_source(Debugger& d, const std::string& text) {
  const glass::ValueRef ref = glass::parse_value_ref(text);
  PatchSource source;
  source.record = &find_record(d, ref.name);
  if (ref.slices.empty()) return source;
  if (ref.slices.size() != 1 || !ref.slices[0].is_index)
    throw Error(
        ErrorKind::kUsage,
        in_quotes(text) + ": behind the run's name stands one row, as in " + ref.name + "[6]");
  source.row = glass::resolve(ref.slices[0], source.record->n_tokens(), "row of " + ref.name).begin;
  return source;
}

// The numbers to copy: rows [begin, begin + n) of the record.
std::vector<float> copied(const glass::RunRecord& record, const ChangeTarget& target,
                          std::int64_t begin, std::int64_t n) {
  const Change& c = target.change;
  std::vector<float> data;
  if (begin + n > record.n_rows(target.value))
    throw Error(ErrorKind::kUsage, "the other run has " +
                                       std::to_string(record.n_rows(target.value)) + " rows of " +
                                       record.graph().info(target.value).name +
                                       "; name the row: patch VALUE[ROW, :] from NAME[ROW]");
  for (std::int64_t r = begin; r < begin + n; ++r) {
    const auto row = record.row(target.value, r);
    data.insert(data.end(), row.begin() + c.begin_column, row.begin() + c.end_column);
  }
  return data;
}

// The op of the first value that differs, and a line for each shown.
void tell_difference(const std::string& name, const Difference& x, Reply& reply) {
  reply.text += format("  %-24s %7lld of %-7lld %11.4g %11.4g\n", name.c_str(),
                       as_ll(x.n_different), as_ll(x.n), x.largest, x.relative());
  reply.data["values"].push_back({{"name", name},
                                  {"different", x.n_different},
                                  {"numbers", x.n},
                                  {"largest", x.largest},
                                  {"relative", x.relative()}});
}

void tell_distributions(const Model& model, std::span<const float> base, std::span<const float> now,
                        Reply& reply) {
  const DistributionChange change = compare_logits(base, now);
  reply.text += format("next token: KL %.6f nats, largest change of a probability %s\n", change.kl,
                       percent_text(change.largest_p_change).c_str());
  const auto line = [&](const char* label, std::span<const float> logits) {
    std::string text = format("  %-10s", label);
    for (const glass::Guess& g : glass::best_guesses(logits, 5))
      text += cat({"  ", token_text(model, g.id), " ", percent_text(static_cast<double>(g.p))});
    return text + "\n";
  };
  reply.text += line("unchanged", base) + line("changed", now);
  reply.data["kl"] = change.kl;
  reply.data["unchanged_best"] = change.base_best;
  reply.data["changed_best"] = change.best;
}

// Which values `diff` shows: the end of each layer and what is outside layers; those named; all.
std::vector<bool> shown_values(Debugger& d, const Arguments& a) {
  const Graph& graph = d.run().graph();
  std::vector<bool> shown(graph.ops.size(), a.is(0, "all"));
  if (a.is(0, "all")) return shown;
  if (!a.empty()) {
    for (const glass::NamedValue& v : glass::find_values(graph, a[0], d.layer()))
      shown[static_cast<std::size_t>(v.op)] = true;
    return shown;
  }
  for (const glass::ResidualPoint& p : glass::residual_stream(graph))
    shown[static_cast<std::size_t>(graph.info(p.value).writer)] = true;
  for (std::size_t i = 0; i < graph.ops.size(); ++i)
    if (graph.ops[i].layer < 0) shown[i] = true;
  return shown;
}

}  // namespace

void run2(Debugger& d, const Arguments& a, Reply& reply) {
  std::string name = "run2", text = a.rest;
  if (a.is(0, "as") && a.size() > 2) {
    name = a[1];
    text = trim(text.substr(text.find(name, 2) + name.size()));
  } else if (a.size() == 1 && a.is_quoted[0]) {
    text = a[0];
  }
  if (text.empty()) throw Error(ErrorKind::kUsage, "run2 needs a text");
  const std::vector<TokenId> ids = encode(d.run().model(), text);
  if (ids.empty()) throw Error(ErrorKind::kUsage, "run2: the text has no tokens");
  d.records().insert_or_assign(name, record_pass(d, ids, 0, true));
  reply.text = format("%s: %zu tokens: %s\n", name.c_str(), ids.size(),
                      text_of(d.run().model(), ids).c_str());
  const glass::RunRecord& record = d.records().at(name);
  const auto logits = record.row(d.run().graph().logits, record.n_rows(d.run().graph().logits) - 1);
  const glass::Guess best = glass::best_guesses(logits, 1).at(0);
  reply.text += cat({"  says ", token_text(d.run().model(), best.id), " ",
                     percent_text(static_cast<double>(best.p)), "\n"});
  reply.data = {{"name", name}, {"ids", ids}, {"best", best.id}};
}

void patch(Debugger& d, const Arguments& a, Reply& reply) {
  constexpr const char* kUsage = "patch VALUE[PART] from NAME[ROW]";
  a.need(3, 3, kUsage);
  if (!a.is(1, "from")) throw Error(ErrorKind::kUsage, std::string("expected ") + kUsage);
  ChangeTarget target = change_target(d, a[0]);
  const PatchSource source = read_source(d, a[2]);
  const std::int64_t n_rows = target.rows.size();
  if (n_rows == 0) throw Error(ErrorKind::kUsage, "this pass has no rows of " + a[0]);
  if (!target.names_rows) {
    const std::int64_t theirs = source.record->n_rows(target.value);
    if (theirs != n_rows)
      throw Error(ErrorKind::kUsage, a[2] + " has " + std::to_string(theirs) + " rows of " + a[0] +
                                         ", this pass " + std::to_string(n_rows) +
                                         "; name the rows: " + kUsage);
    RunView& view = d.run().view();
    target.change.begin_position = position_of_row(view, target.value, 0);
    target.change.end_position = position_of_row(view, target.value, n_rows - 1) + 1;
  }
  Change& change = target.change;
  change.kind = Change::Kind::kCopy;
  change.data = copied(*source.record, target, source.row.value_or(target.rows.begin), n_rows);
  change.text = "patch " + a[0] + " from " + a[2];
  const bool is_past = change.op < d.run().next_op();
  reply.text = change.text + (is_past ? ": the pass was run again up to here\n" : "\n");
  d.run().add_change(std::move(change));
  d.actions().push_back(Debugger::Action::kChange);
  reply.text += d.position();
  reply.data = {{"position", d.position_json()}};
}

void diff(Debugger& d, const Arguments& a, Reply& reply) {
  a.need(0, 1, "diff [all | VALUE]");
  DebugRun& run = d.run();
  if (run.next_op() == 0)
    throw Error(ErrorKind::kUsage, "nothing has been made in this pass yet; step runs an op");
  const std::vector<bool> shown = shown_values(d, a);
  const glass::RunRecord base =
      record_pass(d, run.ids().first(static_cast<std::size_t>(run.pass_end())), run.pass_begin(),
                  run.view().n_outputs() > 0);
  const StoppedData data = run.data();
  reply.data = {{"values", Json::array()}};
  std::string first;
  std::int64_t n_values = 0, n_different = 0;
  for (int i = 0; i < run.next_op(); ++i) {
    const Op& op = run.graph().ops[static_cast<std::size_t>(i)];
    if (run.graph().info(op.output).cache_layer >= 0) continue;
    const Difference x = compare_values(data, op.output, base, op.output);
    ++n_values;
    if (x.is_any()) ++n_different;
    if (x.is_any() && first.empty()) first = format("%s, op %d", op.name.c_str(), i);
    if (shown[static_cast<std::size_t>(i)] && (x.is_any() || !a.empty()))
      tell_difference(op.name, x, reply);
  }
  const std::string lines = std::move(reply.text);
  reply.text = format("%lld of %lld values differ from the unchanged run", as_ll(n_different),
                      as_ll(n_values));
  reply.text += first.empty() ? "\n" : "; the first is " + first + "\n";
  if (!lines.empty())
    reply.text +=
        format("  %-24s %18s %11s %11s\n", "value", "numbers", "largest", "relative") + lines;
  reply.data["n_different"] = n_different;
  reply.data["first"] = first;
  if (!run.pass_is_over() || run.view().n_outputs() == 0) return;
  const Value out = run.graph().logits;
  const std::int64_t last = run.view().n_outputs() - 1;
  tell_distributions(run.model(), base.row(out, last), data.row(out, last), reply);
}

}  // namespace galley::step
