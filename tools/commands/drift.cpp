// galley drift: the same text through two precisions of a model, op by op.
#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "tensor/error.h"
#include "tools/commands/commands.h"
#include "tools/commands/drift_quantize.h"
#include "tools/commands/options.h"
#include "tools/output.h"
#include "tools/step/drift.h"
#include "tools/token_text.h"

namespace galley::tools {
namespace {

using Json = nlohmann::ordered_json;
using step::Drift;
using step::OpDrift;

struct DriftOptions {
  ModelOptions model;
  PromptOptions prompt;
  ContextOptions context;
  std::optional<std::string> against;
  std::string types;
  bool ops = false;
  bool positions = false;
  bool json = false;
};

// A precision to compare with the model, and what came out.
struct Compared {
  std::string name;
  std::int64_t weight_bytes = 0;
  Drift drift;
};

std::vector<std::string> split(const std::string& list) {
  std::vector<std::string> words;
  std::size_t begin = 0;
  while (begin <= list.size()) {
    const std::size_t end = std::min(list.find_first_of(", ", begin), list.size());
    if (end > begin) words.push_back(list.substr(begin, end - begin));
    begin = end + 1;
  }
  return words;
}

Json number(double x) { return std::isfinite(x) ? Json(x) : Json(); }

Json as_json(const Compared& c, const std::vector<TokenId>& ids) {
  Json ops = Json::array(), positions = Json::array();
  for (const OpDrift& op : c.drift.ops)
    ops.push_back({{"name", op.name},
                   {"layer", op.layer},
                   {"relative_error", number(op.error())},
                   {"input_error", number(op.input_error)},
                   {"largest_error", op.difference.largest},
                   {"different", op.difference.n_different},
                   {"numbers", op.difference.n}});
  for (std::size_t i = 0; i < c.drift.positions.size(); ++i) {
    const step::DistributionChange& p = c.drift.positions[i];
    positions.push_back({{"id", ids[i]},
                         {"kl", number(p.kl)},
                         {"base_best", p.base_best},
                         {"best", p.best},
                         {"same_best", p.same_best()}});
  }
  const OpDrift* first = c.drift.first_difference();
  const OpDrift* grown = c.drift.first_growth();
  return {{"against", c.name},
          {"weight_bytes", c.weight_bytes},
          {"mean_kl", number(c.drift.mean_kl())},
          {"same_best", c.drift.n_same_best()},
          {"first_difference", first ? Json(first->name) : Json()},
          {"first_growth", grown ? Json(grown->name) : Json()},
          {"ops", std::move(ops)},
          {"positions", std::move(positions)}};
}

void print_op(const OpDrift& op) {
  write_out(format("  %-24s %12.3g", op.name.c_str(), op.error()));
  if (op.input_error > 0)
    write_out(format("   %9.3g x the error of its inputs", op.growth()));
  else if (op.difference.is_any())
    write_out("   of its own: its inputs are equal");
  write_out("\n");
}

// The residual stream from layer to layer, and what adds most in each.
void print_layers(const Drift& drift) {
  write_out(format("  %-24s %12s   %s\n", "after", "rel. error", "largest growth in that layer"));
  for (const std::string& name : drift.residual) {
    const OpDrift* op = drift.find(name);
    if (!op) continue;
    write_out(format("  %-24s %12.3g", name.c_str(), op->error()));
    if (const OpDrift* grown = op->layer >= 0 ? drift.largest_growth(op->layer) : nullptr)
      write_out(
          format("   %s %.3g -> %.3g", grown->name.c_str(), grown->input_error, grown->error()));
    write_out("\n");
  }
  const OpDrift& last = drift.ops.back();
  write_out(format("  %-24s %12.3g\n", last.name.c_str(), last.error()));
}

void print_positions(const Drift& drift, const Model& model, const std::vector<TokenId>& ids) {
  const auto text = [&](TokenId id) {
    return model.tokenizer().has_vocab() ? escaped(model.tokenizer().piece(id))
                                         : std::to_string(id);
  };
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const step::DistributionChange& p = drift.positions[i];
    write_out(format("  %4zu  %-16s KL %10.6f  %s\n", i, text(ids[i]).c_str(), p.kl,
                     (p.same_best() ? "says " + text(p.best)
                                    : "says " + text(p.best) + " instead of " + text(p.base_best))
                         .c_str()));
  }
}

void print_one(const DriftOptions& options, const Compared& c, const Model& base,
               const std::vector<TokenId>& ids) {
  write_out(format("%s, %s of weights, beside %s, %s\n", c.name.c_str(),
                   human_bytes(c.weight_bytes).c_str(), base.file().path().c_str(),
                   human_bytes(base.weight_bytes()).c_str()));
  if (const OpDrift* first = c.drift.first_difference()) {
    write_out(format("  the first value that differs is %s: relative error %.3g\n",
                     first->name.c_str(), first->error()));
    if (const OpDrift* grown = c.drift.first_growth())
      write_out(format("  the error first grows by half or more at %s: %.3g -> %.3g\n",
                       grown->name.c_str(), grown->input_error, grown->error()));
    if (options.ops)
      for (const OpDrift& op : c.drift.ops) print_op(op);
    else
      print_layers(c.drift);
  } else {
    write_out("  no value differs in any bit\n");
  }
  if (options.positions) print_positions(c.drift, base, ids);
  const auto worst = std::max_element(c.drift.positions.begin(), c.drift.positions.end(),
                                      [](const auto& a, const auto& b) { return a.kl < b.kl; });
  write_out(
      format("  next token, over %zu positions: mean KL %.6f nats, largest %.6f at position "
             "%lld; the same likeliest token at %lld\n",
             ids.size(), c.drift.mean_kl(), worst->kl,
             static_cast<long long>(worst - c.drift.positions.begin()),
             static_cast<long long>(c.drift.n_same_best())));
}

void drift(const DriftOptions& options) {
  const std::vector<std::string> types = split(options.types);
  if (types.empty() == !options.against.has_value())
    throw Error(ErrorKind::kUsage,
                "name what to compare with: --against FILE, or --types Q8_0,Q4_0");
  const SessionOptions session_options = options.context.session_options();
  const std::shared_ptr<const Model> base = options.model.need_model();
  const std::vector<TokenId> ids = options.prompt.read(*base).ids;
  Json all = Json::array();
  const auto compare = [&](const std::string& name, std::shared_ptr<const Model> model) {
    check_prompt_fits(static_cast<std::int64_t>(ids.size()), model->config().n_context_train);
    Compared c;
    c.name = name;
    c.weight_bytes = model->weight_bytes();
    c.drift = step::measure_drift(base, std::move(model), ids, session_options);
    if (options.json)
      all.push_back(as_json(c, ids));
    else
      print_one(options, c, *base, ids);
    flush_out();
  };
  if (options.against)
    compare(*options.against, Model::from_file(open_model_file(*options.against)));
  for (const std::string& type : types) compare(type, quantized_model(base->file(), type));
  if (options.json)
    write_json({{"base", base->file().path()}, {"ids", ids}, {"compared", std::move(all)}});
}

}  // namespace

Action set_up_drift(CommandLine& line) {
  auto o = std::make_shared<DriftOptions>();
  o->model.add_to(line);
  line.text("--against", o->against, "FILE", "the same model in another precision");
  line.text("--types", o->types, "LIST",
            "or types and mixes to make of the model, as galley quantize would: Q8_0,Q4_0");
  line.only_one_of({"--against", "--types"});
  o->prompt.add_to(line);
  line.flag("--ops", o->ops, "every op, not only the end of each layer");
  line.flag("--positions", o->positions, "the next token at every position");
  o->context.add_to(line);
  line.flag("--json", o->json, "print one JSON object");
  line.examples({"drift -p \"Once upon a time\" --types Q4_0,Q2_K",
                 "drift -m model-f16.gguf --against model-q4_k_m.gguf -f text.txt --ops"});
  return [o] { drift(*o); };
}

}  // namespace galley::tools
