#include "tools/live/live_page.h"

#include <algorithm>
#include <cmath>
#include <exception>
#include <optional>
#include <tuple>

#include "tensor/error.h"
#include "tensor/message.h"
#include "tools/glass/explain_cell.h"
#include "tools/trace/trace_json.h"

namespace galley::live {
namespace {

Error wrong(const std::string& what) { return Error(ErrorKind::kUsage, what); }

// The whole number `key` of a request, in [low, high].
std::int64_t need_int(const Json& request, const char* key, std::int64_t low, std::int64_t high) {
  const auto found = request.find(key);
  if (found == request.end() || !found->is_number_integer())
    throw wrong(std::string("the request needs a whole number '") + key + "'");
  const auto value = found->get<std::int64_t>();
  if (value < low || value > high)
    throw wrong(std::string(key) + " is " + std::to_string(value) + ", expected from " +
                std::to_string(low) + " to " + std::to_string(high));
  return value;
}

float need_float(const Json& request, const char* key) {
  const auto found = request.find(key);
  if (found == request.end() || !found->is_number())
    throw wrong(std::string("the request needs a number '") + key + "'");
  return found->get<float>();
}

std::string need_text(const Json& request, const char* key) {
  const auto found = request.find(key);
  if (found == request.end() || !found->is_string())
    throw wrong(std::string("the request needs a text '") + key + "'");
  return found->get<std::string>();
}

// [begin, end) within [0, n); nothing for an empty list.
std::optional<trace::Range> range(const Json& request, const char* key, std::int64_t n) {
  const auto found = request.find(key);
  if (found == request.end() || !found->is_array() || (found->size() != 0 && found->size() != 2))
    throw wrong(std::string("the request needs a range '") + key + "'");
  if (found->empty()) return std::nullopt;
  if (!(*found)[0].is_number_integer() || !(*found)[1].is_number_integer())
    throw wrong(std::string(key) + " is no pair of whole numbers");
  const trace::Range r((*found)[0].get<std::int64_t>(), (*found)[1].get<std::int64_t>());
  if (r.first < 0 || r.first >= r.second || r.second > n)
    throw wrong(std::string(key) + " must lie in 0 to " + std::to_string(n));
  return r;
}

int need_op(const Json& request, const Graph& graph) {
  const std::string name = need_text(request, "op");
  const int op = graph.find_op(name);
  if (op < 0) throw wrong("there is no op " + in_quotes(name));
  return op;
}

bool same(const step::Change& a, const step::Change& b) {
  return a.text == b.text && a.kind == b.kind && a.op == b.op &&
         a.begin_position == b.begin_position && a.end_position == b.end_position &&
         a.begin_column == b.begin_column && a.end_column == b.end_column && a.amount == b.amount &&
         a.data == b.data;
}

}  // namespace

LivePage::LivePage(std::shared_ptr<const Model> model, const std::string& prompt,
                   std::vector<TokenId> ids, const LiveOptions& options)
    : model_(std::move(model)), options_(options) {
  begin(prompt, std::move(ids));
}

void LivePage::begin(const std::string& prompt, std::vector<TokenId> ids) {
  auto debugger = std::make_unique<step::Debugger>(model_, std::move(ids), options_.debugger);
  prompt_ = prompt;
  debugger_ = std::move(debugger);
  ids_.clear();
  trace_if_changed();
  base_text_ = text_of(std::span(ids_).subspan(static_cast<std::size_t>(n_prompt_)));
}

bool LivePage::trace_if_changed() {
  const auto changes = debugger_->run().changes();
  const auto ids = debugger_->run().ids();
  if (ids_.size() >= ids.size() && std::equal(ids.begin(), ids.end(), ids_.begin()) &&
      std::equal(changes.begin(), changes.end(), changes_.begin(), changes_.end(), same))
    return false;
  n_prompt_ = debugger_->run().n_prompt();
  runner_.reset();
  changes_.assign(changes.begin(), changes.end());
  Changer changer(changes_);
  trace::TraceRequest request;
  request.prompt = prompt_;
  request.ids.assign(ids.begin(), ids.begin() + n_prompt_);
  request.forced.assign(ids.begin() + n_prompt_, ids.end());
  request.n_predict =
      std::max(options_.n_predict, static_cast<std::int64_t>(request.forced.size()) + 1);
  request.sampling = options_.sampling;
  request.explains = false;  // the page asks
  request.measure_limits = false;
  request.change = &changer;
  trace::Trace trace = trace::make_trace(model_, options_.debugger.run.session,
                                         options_.debugger.run.sampler, request);
  if (!limits_) limits_ = trace::quick_limits(trace.n_threads);
  trace.limits = limits_;
  ids_ = trace.ids;
  trace_text_ = trace::trace_text(trace);
  return true;
}

Json LivePage::run(const Json& request) {
  const std::string prompt = need_text(request, "prompt");
  LiveOptions options = options_;
  options.n_predict = need_int(request, "n", 1, 256);
  SamplerOptions& sampler = options.debugger.run.sampler;
  sampler.temperature = need_float(request, "temperature");
  sampler.seed = static_cast<std::uint64_t>(need_int(request, "seed", 0, std::int64_t{1} << 53));
  if (!model_->tokenizer().has_vocab())
    throw wrong("this model has no tokenizer; start with --ids");
  std::vector<TokenId> ids = model_->tokenizer().encode(prompt);
  if (ids.empty()) throw wrong("the prompt is empty");
  std::swap(options, options_);
  try {
    begin(prompt, std::move(ids));
  } catch (...) {
    std::swap(options, options_);
    throw;
  }
  Json reply = state();
  reply["traced"] = true;
  return reply;
}

Json LivePage::command(const Json& request) {
  const step::Reply reply = debugger_->execute(need_text(request, "line"));
  const bool traced = trace_if_changed();
  Json json = state();
  json["text"] = reply.text;
  json["data"] = reply.data;
  json["traced"] = traced;
  return json;
}

Json LivePage::change(const Json& request) {
  step::DebugRun& run = debugger_->run();
  step::Change change;
  change.op = need_op(request, run.graph());
  const Op& op = run.graph().ops[static_cast<std::size_t>(change.op)];
  const ValueInfo& info = run.graph().info(op.output);
  if (info.cache_layer >= 0) throw wrong(op.name + " has no values of its own; change its input");
  const auto columns = range(request, "columns", info.width);
  change.begin_column = columns ? columns->first : 0;
  change.end_column = columns ? columns->second : info.width;
  const auto positions = range(request, "positions", run.session().n_context());
  if (positions) std::tie(change.begin_position, change.end_position) = *positions;
  const std::string kind = need_text(request, "kind");
  if (kind != "set" && kind != "scale") throw wrong("the kind of a change is set or scale");
  change.kind = kind == "set" ? step::Change::Kind::kSet : step::Change::Kind::kScale;
  change.amount = need_float(request, "amount");
  if (!std::isfinite(change.amount)) throw wrong("the amount is not finite");
  const auto part = [](std::int64_t begin, std::int64_t end) {
    return end == begin + 1 ? std::to_string(begin)
                            : std::to_string(begin) + ":" + std::to_string(end);
  };
  change.text = kind + " " + op.name + "[" +
                (positions ? part(positions->first, positions->second) : ":") + ", " +
                (columns ? part(columns->first, columns->second) : ":") + "] " +
                Json(change.amount).dump();
  run.restart();
  run.add_change(std::move(change));
  debugger_->actions().push_back(step::Debugger::Action::kChange);
  const bool traced = trace_if_changed();
  Json json = state();
  json["traced"] = traced;
  return json;
}

Json LivePage::explain(const Json& request) {
  const Graph& graph = model_->graph();
  const int op = need_op(request, graph);
  const auto n_run = static_cast<std::int64_t>(ids_.size()) - 1;
  const std::int64_t position = need_int(request, "position", 0, n_run - 1);
  const ValueInfo& info = graph.info(graph.ops[static_cast<std::size_t>(op)].output);
  glass::Cell cell;
  cell.named = glass::find_value(graph, info.name);
  cell.column = need_int(request, "column", 0, info.width - 1);
  // The pass that ran it: a piece of the prompt, or one token.
  const std::int64_t n_batch = options_.debugger.run.session.n_batch;
  const std::int64_t begin = position < n_prompt_ ? position / n_batch * n_batch : position;
  const std::int64_t end =
      position < n_prompt_ ? std::min(begin + n_batch, n_prompt_) : position + 1;
  cell.row = info.rows == Rows::kTokens ? position - begin : 0;
  if (!runner_)
    runner_ = std::make_unique<PassRunner>(model_, options_.debugger.run.session, changes_);
  Json json;
  runner_->run(ids_, begin, end, op, [&](RunView& run) {
    json = glass::to_json(glass::explain_cell(glass::LiveRun(run), cell));
  });
  return json;
}

std::string LivePage::text_of(std::span<const TokenId> ids) const {
  std::string text;
  for (const TokenId id : ids)
    text += trace::token_json(model_->tokenizer(), id)["text"].get<std::string>();
  return text;
}

Json LivePage::state() {
  const auto& ops = model_->graph().ops;
  Json breakpoints = Json::array();
  for (const step::Breakpoint& b : debugger_->breakpoints().all()) {
    Json names = Json::array();
    for (std::size_t i = 0; i < b.ops.size(); ++i)
      if (b.ops[i]) names.push_back(ops[i].name);
    breakpoints.push_back({{"id", b.id}, {"where", b.where()}, {"ops", std::move(names)}});
  }
  Json changes = Json::array();
  for (const step::Change& change : debugger_->run().changes()) changes.push_back(change.text);
  return {{"position", debugger_->position_json()},
          {"breakpoints", std::move(breakpoints)},
          {"changes", std::move(changes)},
          {"text_unchanged", base_text_},
          {"text_now", text_of(std::span(ids_).subspan(static_cast<std::size_t>(n_prompt_)))},
          {"traced", false}};
}

Json LivePage::answer(const std::string& name, const Json& request) {
  if (!request.is_object()) throw wrong("a request is a JSON object");
  if (name == "run") return run(request);
  if (name == "command") return command(request);
  if (name == "change") return change(request);
  if (name == "explain") return explain(request);
  if (name == "state") return state();
  throw wrong("there is no request " + in_quotes(name));
}

}  // namespace galley::live
