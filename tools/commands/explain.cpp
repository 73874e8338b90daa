// galley explain: the story of one token in twelve stops, with the numbers of this run.
#include <algorithm>
#include <chrono>
#include <cmath>

#include "tensor/error.h"
#include "tools/commands/commands.h"
#include "tools/commands/explain_story.h"
#include "tools/commands/generate.h"
#include "tools/glass/explain_cell.h"
#include "tools/interrupt.h"
#include "tools/output.h"

namespace galley::tools {
namespace {

struct ExplainOptions {
  ModelOptions model;
  PromptOptions prompt;
  ContextOptions context;
  SamplingOptions sampling;
  std::int64_t stop = 0;
  std::string cell;
  bool all = false;
  bool json = false;
};

constexpr Stop (*kTellers[kStops])(const Tale&) = {
    tell_text,      tell_tokens,       tell_embedding, tell_norm,   tell_queries, tell_positions,
    tell_attention, tell_feed_forward, tell_layers,    tell_logits, tell_choice,  tell_next};

// Records the values of a pass, and what each head looks at.
class Watcher : public glass::Recorder {
 public:
  Watcher() : Recorder({.patterns = {"*"}, .max_rows = 1, .cache = false}) {}

  void after_op(RunView& run, int op_index) override {
    const Op& op = run.graph().ops[static_cast<std::size_t>(op_index)];
    Recorder::after_op(run, op_index);
    if (op.kind != OpKind::kAttention) return;
    const glass::LiveRun live(run);
    auto& heads = looks.emplace_back();
    for (std::int64_t h = 0; h < op.heads; ++h)
      heads.push_back(glass::trace_attention(live, op, 0, h));
  }

  std::vector<std::vector<glass::AttentionTrace>> looks;
};

double seconds(const std::function<void()>& f) {
  const auto start = std::chrono::steady_clock::now();
  f();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

Tale run_tale(const ExplainOptions& options) {
  const SessionOptions session_options = options.context.session_options();
  Sampler sampler(options.sampling.sampler_options());
  Tale tale;
  tale.seed = sampler.options().seed;
  tale.model = options.model.need_model();
  tale.prompt = options.prompt.read(*tale.model);
  tale.from_ids = options.prompt.ids.has_value();
  Session session(tale.model, session_options);
  tale.n_context = session.n_context();
  tale.kv_type = session_options.kv_type.value_or(default_kv_type(tale.graph()));
  const std::vector<TokenId>& ids = tale.prompt.ids;
  check_prompt_fits(static_cast<std::int64_t>(ids.size()), session.n_context());
  const std::span<const TokenId> before = std::span(ids).first(ids.size() - 1);
  tale.prefill_s = before.empty() ? 0 : seconds([&] { prefill(session, before); });

  Watcher watcher;
  session.set_observer(&watcher);
  session.forward(std::span(ids).last(1));
  session.set_observer(nullptr);
  tale.run = watcher.take().back();
  tale.looks = std::move(watcher.looks);

  for (const TokenId id : ids) sampler.accept(id);
  SampleSteps steps;
  const TokenId chosen = sampler.sample(session.logits(), steps);
  tale.funnel = glass::make_funnel(steps);
  // Other programs may be in the way once; hardly three times.
  const std::int64_t length = session.length();
  for (int i = 0; i < 3 && session.length() == length && length < session.n_context(); ++i) {
    const double t = seconds([&] { session.forward(std::span(&chosen, 1)); });
    tale.next_s = i == 0 ? t : std::min(tale.next_s, t);
    session.truncate(length);
  }
  return tale;
}

std::string headline(const Tale& tale) {
  const Config& config = tale.model->config();
  const std::string name = config.name.empty() ? config.architecture : config.name;
  return "The story of one token, told by " + name + " (" +
         human_count(tale.model->n_parameters()) + " parameters).\n";
}

// One number of the prompt's pass instead of the story.
void explain_one(const ExplainOptions& options) {
  const SessionOptions session_options = options.context.session_options();
  const std::shared_ptr<const Model> model = options.model.need_model();
  const Prompt prompt = options.prompt.read(*model);
  Session session(model, session_options);
  const auto n_tokens = static_cast<std::int64_t>(prompt.ids.size());
  check_prompt_fits(n_tokens, session.n_context());
  // What lies before the last batch is cached; of that batch all is recorded.
  const std::int64_t n_before = (n_tokens - 1) / session.n_batch() * session.n_batch();
  const std::span<const TokenId> ids(prompt.ids);
  if (n_before > 0) prefill(session, ids.first(static_cast<std::size_t>(n_before)));
  glass::Recorder recorder;
  session.set_observer(&recorder);
  session.forward(ids.subspan(static_cast<std::size_t>(n_before)));
  const glass::Explanation e = glass::explain_cell(recorder.records().back(), options.cell);
  if (options.json) return write_json(glass::to_json(e));
  write_out(glass::to_text(e, {.all = options.all}));
}

void explain(const ExplainOptions& options) {
  if (options.stop < 0 || options.stop > kStops)
    throw Error(ErrorKind::kUsage, "--stop is " + std::to_string(options.stop) +
                                       ", expected from 1 to " + std::to_string(kStops) +
                                       ", or 0 for all");
  if (!options.cell.empty()) return explain_one(options);
  if (options.all) throw Error(ErrorKind::kUsage, "--all needs --cell; it shows all of its steps");
  const Tale tale = run_tale(options);
  Json stops = Json::array();
  const Style style = stdout_style();
  if (!options.json && options.stop == 0) write_out(headline(tale));
  for (int i = 1; i <= kStops; ++i) {
    if (options.stop != 0 && options.stop != i) continue;
    const Stop stop = kTellers[i - 1](tale);
    if (options.json) {
      stops.push_back({{"stop", stop.number}, {"title", stop.title}, {"facts", stop.facts}});
      continue;
    }
    write_out("\n" + std::string(style.bold) + format("%2d  ", stop.number) + stop.title +
              std::string(style.reset) + "\n" + stop.text);
    check_interrupt();
  }
  if (!options.json) return;
  const Config& config = tale.model->config();
  write_json({{"model", config.name},
              {"architecture", config.architecture},
              {"parameters", tale.model->n_parameters()},
              {"prompt", tale.prompt.text},
              {"prompt_ids", tale.prompt.ids},
              {"stops", std::move(stops)}});
}

}  // namespace

const Op* Tale::first_op(OpKind kind) const {
  for (const Op& op : graph().ops)
    if (op.kind == kind) return &op;
  return nullptr;
}

std::string Tale::token_text(TokenId id) const {
  return tokenizer().has_vocab() ? escaped(tokenizer().piece(id)) : "token " + std::to_string(id);
}

std::string Tale::token_at(std::int64_t position) const {
  return token_text(prompt.ids[static_cast<std::size_t>(position)]);
}

glass::Explanation Tale::explain(const Op& op, std::int64_t column) const {
  glass::Cell cell;
  cell.named = glass::find_value(graph(), op.name);
  cell.column = column;
  return glass::explain_cell(run, cell);
}

Teller& Teller::say(const std::string& text) {
  constexpr std::size_t kWidth = 80, kIndent = 4;
  stop_.text += glass::wrapped(text, kIndent, kWidth);
  return *this;
}

Teller& Teller::line(const std::string& text) {
  stop_.text += "      " + text + "\n";
  return *this;
}

double length_of(std::span<const float> x) {
  double sum = 0;
  for (const float v : x) sum += static_cast<double>(v) * static_cast<double>(v);
  return std::sqrt(sum);
}

std::string first_numbers(std::span<const float> x, std::size_t n) {
  std::string text;
  for (std::size_t i = 0; i < std::min(n, x.size()); ++i)
    text += format("%s%.4g", i ? "  " : "", static_cast<double>(x[i]));
  return text + (x.size() > n ? "  ..." : "");
}

Json first_json(std::span<const float> x, std::size_t n) {
  Json list = Json::array();
  for (std::size_t i = 0; i < std::min(n, x.size()); ++i)
    list.push_back(glass::json_number(static_cast<double>(x[i])));
  return list;
}

std::string result_text(const glass::Explanation& e) {
  return glass::float_text(e.engine) + format(" (nothing rounded: %.9g)", e.precise);
}

std::string bar(double share, int n) {
  const int filled = static_cast<int>(std::lround(std::clamp(share, 0.0, 1.0) * n));
  return std::string(static_cast<std::size_t>(filled), '#') +
         std::string(static_cast<std::size_t>(n - filled), '.');
}

Action set_up_explain(CommandLine& line) {
  auto o = std::make_shared<ExplainOptions>();
  o->sampling.seed = 0;  // the same story each time
  o->model.add_to(line);
  o->prompt.add_to(line);
  line.integer("--stop", o->stop, "tell only this stop, from 1 to 12; 0: all");
  line.text("--cell", o->cell, "NAME[ROW, COLUMN]",
            "explain this one number instead: each step that leads to it");
  line.flag("--all", o->all, "with --cell: all steps and all numbers");
  line.only_one_of({"--stop", "--cell"});
  o->sampling.add_to(line);
  o->context.add_to(line);
  line.flag("--json", o->json, "print the facts as one JSON object");
  line.examples({"explain -p \"Once upon a time\"",
                 "explain -m model.gguf -p \"The cat sat on the\" --stop 7",
                 "explain -p \"Once upon a time\" --cell \"blk.0.ffn_up[-1, 17]\""});
  return [o] { explain(*o); };
}

}  // namespace galley::tools
