// logits, lens and sampler: what the model would say next.
#include <algorithm>
#include <cmath>

#include "tensor/error.h"
#include "tensor/message.h"
#include "tools/output.h"
#include "tools/step/command_functions.h"
#include "tools/step/show.h"

namespace galley::step {
namespace {

using tools::format;

constexpr std::int64_t kMaxGuesses = 1000;
constexpr std::int64_t kGridTokens = 8;  // columns of `lens grid`

int logits_op(const DebugRun& run) { return run.graph().info(run.graph().logits).writer; }

void need_logits(DebugRun& run) {
  if (logits_op(run) < run.next_op()) {
    if (run.view().n_outputs() > 0) return;
    throw Error(ErrorKind::kUsage, "this pass makes no logits: more of the prompt follows");
  }
  throw Error(ErrorKind::kUsage, "the logits have not been made yet; run-until logits goes there");
}

Json guess_json(const Model& model, const glass::Guess& g) {
  return {{"id", g.id},
          {"text", model.tokenizer().has_vocab() ? std::string(model.tokenizer().piece(g.id))
                                                 : std::to_string(g.id)},
          {"logit", g.logit},
          {"p", g.p}};
}

std::string guess_text(const Model& model, const glass::Guess& g) {
  return token_text(model, g.id) + " " + percent_text(static_cast<double>(g.p));
}

// What lens words ask for.
struct LensAsked {
  bool grid = false;
  std::int64_t token = 0;
  std::int64_t top = 3;
};

LensAsked read_lens(DebugRun& run, const Arguments& a) {
  constexpr const char* kUsage = "lens [token T] [top K], or lens grid";
  const std::int64_t n_tokens = run.pass_end() - run.pass_begin();
  LensAsked asked;
  asked.token = n_tokens - 1;
  asked.grid = a.is(0, "grid");
  for (std::size_t i = asked.grid ? 1 : 0; i < a.size(); i += 2) {
    if (a.is(i, "token"))
      asked.token = a.integer(i + 1, "the token of this pass", 0, n_tokens - 1);
    else if (a.is(i, "top"))
      asked.top = a.integer(i + 1, "the number of guesses", 1, kMaxGuesses);
    else
      throw Error(ErrorKind::kUsage, "lens: there is no " + in_quotes(a[i]) + "; " + kUsage);
  }
  return asked;
}

// The points of the residual stream that have been made, one for each layer: the last of it.
std::vector<glass::ResidualPoint> made_points(DebugRun& run) {
  std::vector<glass::ResidualPoint> points;
  for (const glass::ResidualPoint& p : glass::residual_stream(run.graph())) {
    if (!run.data().is_made(p.value)) break;
    if (!points.empty() && p.layer >= 0 && points.back().layer == p.layer) points.pop_back();
    points.push_back(p);
  }
  if (points.empty())
    throw Error(ErrorKind::kUsage, "nothing has been made in this pass yet; next runs a layer");
  return points;
}

std::vector<float> lens_logits(Debugger& d, const glass::ResidualPoint& point, std::int64_t token) {
  return d.lens().logits(d.run().data().row(point.value, token));
}

void lens_grid(Debugger& d, Reply& reply) {
  DebugRun& run = d.run();
  const std::int64_t n_tokens = run.pass_end() - run.pass_begin();
  const std::int64_t first = std::max<std::int64_t>(0, n_tokens - kGridTokens);
  const auto cell = [](std::string text) {
    if (text.size() >= 2 && text.front() == '"') text = text.substr(1, text.size() - 2);
    return cat({"  ", fitted(text, 7)});
  };
  reply.text = format("%-20s", "after");
  for (std::int64_t t = first; t < n_tokens; ++t)
    reply.text +=
        cell(token_text(run.model(), run.ids()[static_cast<std::size_t>(run.pass_begin() + t)]));
  reply.text += "\n";
  reply.data = Json::array();
  for (const glass::ResidualPoint& point : made_points(run)) {
    reply.text += format("%-20s", point.name.c_str());
    Json row = Json::array();
    for (std::int64_t t = first; t < n_tokens; ++t) {
      const glass::Guess best = glass::best_guesses(lens_logits(d, point, t), 1).at(0);
      reply.text += cell(token_text(run.model(), best.id));
      row.push_back(guess_json(run.model(), best));
    }
    reply.text += "\n";
    reply.data.push_back({{"value", point.name}, {"guesses", std::move(row)}});
  }
}

std::string stage_line(const Model& model, const SampleSteps::Stage& stage, double mass,
                       std::int64_t n_shown) {
  const std::string text =
      format("%-11s  %s: %zu left, %s of the mass\n", stage.name.c_str(), stage.description.c_str(),
             stage.candidates.size(), percent_text(mass).c_str());
  std::string line;
  for (std::int64_t i = 0;
       i < std::min(n_shown, static_cast<std::int64_t>(stage.candidates.size())); ++i) {
    const Candidate& c = stage.candidates[static_cast<std::size_t>(i)];
    line += cat({line.empty() ? "" : "  ", token_text(model, c.id), " ",
                 percent_text(static_cast<double>(c.p))});
  }
  return text + "    " + line + "\n";
}

}  // namespace

void logits(Debugger& d, const Arguments& a, Reply& reply) {
  DebugRun& run = d.run();
  need_logits(run);
  const std::int64_t n_outputs = run.view().n_outputs();
  std::int64_t k = 10, row = n_outputs - 1;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a.is(i, "row"))
      row = a.integer(++i, "the row", 0, n_outputs - 1);
    else
      k = a.integer(i, "the number of tokens", 1, kMaxGuesses);
  }
  const auto values = run.data().row(run.graph().logits, row);
  reply.data = Json::array();
  reply.text = format("%4s %7s  %-16s %12s %8s\n", "", "token", "text", "logit", "p");
  std::int64_t rank = 0;
  for (const glass::Guess& g : glass::best_guesses(values, static_cast<std::size_t>(k))) {
    reply.text +=
        format("%4lld %7d  %s %12.6g %8s\n", as_ll(++rank), g.id,
               left(token_text(run.model(), g.id), 16).c_str(), static_cast<double>(g.logit),
               percent_text(static_cast<double>(g.p)).c_str());
    reply.data.push_back(guess_json(run.model(), g));
  }
}

void lens(Debugger& d, const Arguments& a, Reply& reply) {
  DebugRun& run = d.run();
  const LensAsked asked = read_lens(run, a);
  if (asked.grid) return lens_grid(d, reply);
  const std::int64_t position = run.pass_begin() + asked.token;
  reply.text =
      format("token %lld %s: the next one, if the model stopped after\n", as_ll(position),
             token_text(run.model(), run.ids()[static_cast<std::size_t>(position)]).c_str());
  reply.data = Json::array();
  for (const glass::ResidualPoint& point : made_points(run)) {
    reply.text += format("  %-20s", point.name.c_str());
    Json guesses = Json::array();
    for (const glass::Guess& g : glass::best_guesses(lens_logits(d, point, asked.token),
                                                     static_cast<std::size_t>(asked.top))) {
      reply.text += cat({"  ", guess_text(run.model(), g)});
      guesses.push_back(guess_json(run.model(), g));
    }
    reply.text += "\n";
    reply.data.push_back({{"value", point.name}, {"guesses", std::move(guesses)}});
  }
}

void sampler(Debugger& d, const Arguments& a, Reply& reply) {
  a.need(0, 1, "sampler [K]");
  DebugRun& run = d.run();
  need_logits(run);
  const std::int64_t n_shown = a.integer_or(0, 5, "the number of candidates", 1, kMaxGuesses);
  const SampleSteps steps = run.look_at_choice();
  // The model's own probabilities, by id.
  std::vector<double> start(steps.stages[0].candidates.size());
  for (const Candidate& c : steps.stages[0].candidates)
    start[static_cast<std::size_t>(c.id)] = static_cast<double>(c.p);
  reply.data = {{"stages", Json::array()}};
  for (const SampleSteps::Stage& stage : steps.stages) {
    double mass = 0;
    for (const Candidate& c : stage.candidates) mass += start[static_cast<std::size_t>(c.id)];
    reply.text += stage_line(run.model(), stage, mass, n_shown);
    Json candidates = Json::array();
    for (const Candidate& c : stage.candidates)
      candidates.push_back({{"id", c.id}, {"logit", c.logit}, {"p", c.p}});
    reply.data["stages"].push_back({{"name", stage.name},
                                    {"description", stage.description},
                                    {"mass", mass},
                                    {"candidates", std::move(candidates)}});
  }
  const bool is_greedy = run.options().sampler.temperature <= 0;
  if (run.picked())
    reply.text += "picked       by you";
  else if (is_greedy)
    reply.text += "greedy       the likeliest one";
  else
    reply.text += format("draw         %.6f of the mass that is left", steps.draw);
  reply.text +=
      format(": token %d %s\n", steps.chosen, token_text(run.model(), steps.chosen).c_str());
  if (!is_greedy) reply.data["draw"] = steps.draw;
  reply.data["chosen"] = steps.chosen;
}

}  // namespace galley::step
