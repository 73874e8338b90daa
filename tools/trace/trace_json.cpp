#include "tools/trace/trace_json.h"

#include <cstdio>
#include <nlohmann/json.hpp>
#include <set>

#include "kernels/kernels.h"
#include "model/kv_cache.h"
#include "tools/trace/numbers.h"
#include "tools/trace/op_json.h"

namespace galley::trace {
namespace {

using Json = nlohmann::ordered_json;

// Candidates of a sampler stage that are written down; all are counted.
constexpr std::size_t kCandidates = 32;

Json model_json(const Trace& trace) {
  const Model& model = *trace.model;
  const Config& c = model.config();
  return {{"name", c.name},
          {"architecture", c.architecture},
          {"file", model.file().path()},
          {"n_parameters", model.n_parameters()},
          {"weight_bytes", model.weight_bytes()},
          {"weight_bytes_per_token", model.weight_bytes_per_token()},
          {"n_layers", c.n_layers},
          {"width", c.width},
          {"ffn_width", c.ffn_width},
          {"n_heads", c.n_heads},
          {"n_kv_heads", c.n_kv_heads},
          {"head_size_k", c.head_size_k},
          {"head_size_v", c.head_size_v},
          {"n_vocab", c.n_vocab},
          {"n_context_train", c.n_context_train},
          {"n_experts", c.n_experts},
          {"n_experts_used", c.n_experts_used},
          {"tokenizer", model.tokenizer().model_name()}};
}

Json settings_json(const Trace& trace) {
  const SamplerOptions& s = trace.sampler_options;
  return {{"n_threads", trace.n_threads},
          {"isa", kernels::isa_name(kernels::table().isa)},
          {"kv_type", dtype_info(trace.kv_type).name},
          {"n_context", trace.n_context},
          {"kv_cache_bytes_full",
           KvCache::bytes_needed(trace.model->graph(), trace.kv_type, trace.n_context, 1, 1)},
          {"sampler", trace.sampler},
          {"temperature", short_number(static_cast<double>(s.temperature))},
          {"seed", s.seed}};
}

Json sampling_json(const Trace& trace) {
  return {{"max_rows", trace.sampling.max_rows},
          {"max_columns", trace.sampling.max_columns},
          {"max_bytes", trace.sampling.max_bytes},
          {"prompt_positions", trace.prompt_positions}};
}

Json candidate_json(TokenId id, float p) {
  return {{"id", id}, {"p", short_number(static_cast<double>(p))}};
}

Json op_run_json(const OpRun& run, bool has_values) {
  Json json = {{"ns", run.elapsed_ns},
               {"macs", run.cost.macs},
               {"weight_bytes", run.cost.weight_bytes},
               {"cache_bytes", run.cost.cache_bytes},
               {"activation_bytes", run.cost.activation_bytes}};
  if (!has_values) return json;
  json["stats"] = {{"min", short_number(static_cast<double>(run.stats.min))},
                   {"max", short_number(static_cast<double>(run.stats.max))},
                   {"mean", short_number(run.stats.mean)},
                   {"rms", short_number(run.stats.rms)}};
  if (run.stats.n_not_finite > 0) json["stats"]["not_finite"] = run.stats.n_not_finite;
  json["values"] = base64(run.values);
  return json;
}

Json choice_json(const SampleSteps& steps) {
  Json stages = Json::array();
  std::vector<float> start_p;  // by token id
  for (const SampleSteps::Stage& stage : steps.stages) {
    if (start_p.empty()) {
      start_p.resize(stage.candidates.size());
      for (const Candidate& c : stage.candidates) start_p[static_cast<std::size_t>(c.id)] = c.p;
    }
    double mass = 0;
    Json candidates = Json::array();
    for (const Candidate& c : stage.candidates) {
      mass += static_cast<double>(start_p[static_cast<std::size_t>(c.id)]);
      if (candidates.size() == kCandidates) continue;
      candidates.push_back(candidate_json(c.id, c.p));
      candidates.back()["logit"] = short_number(static_cast<double>(c.logit));
    }
    stages.push_back({{"name", stage.name},
                      {"description", stage.description},
                      {"n", stage.candidates.size()},
                      {"mass", short_number(mass)},
                      {"candidates", std::move(candidates)}});
  }
  return {{"stages", std::move(stages)}, {"draw", steps.draw}, {"chosen", steps.chosen}};
}

Json attention_json(const AttentionRun& run) {
  return {{"op", run.op},
          {"keys", run.keys},
          {"weights", base64(run.weights)},
          {"rest", base64(run.rest)}};
}

Json pass_json(const Trace& trace, const Pass& pass) {
  const Graph& graph = trace.model->graph();
  Json ops = Json::array();
  for (std::size_t i = 0; i < pass.ops.size(); ++i)
    ops.push_back(op_run_json(pass.ops[i], graph.info(graph.ops[i].output).cache_layer < 0));
  Json attention = Json::array();
  for (const AttentionRun& run : pass.attention) attention.push_back(attention_json(run));
  Json lens = Json::array();
  for (const auto& layer : pass.lens) {
    Json rows = Json::array();
    for (const auto& guesses : layer) {
      Json row = Json::array();
      for (const glass::Guess& g : guesses) row.push_back(candidate_json(g.id, g.p));
      rows.push_back(std::move(row));
    }
    lens.push_back(std::move(rows));
  }
  Json json = {{"first_position", pass.first_position},
               {"n_tokens", pass.ids.size()},
               {"rows", pass.rows},
               {"has_output", pass.has_output},
               {"seconds", short_number(pass.elapsed_s)},
               {"ops", std::move(ops)},
               {"attention", std::move(attention)},
               {"lens", std::move(lens)}};
  if (pass.has_choice) json["sampler"] = choice_json(pass.choice);
  if (pass.is_forced) json["sampler"]["picked"] = true;
  return json;
}

// Those that fit (trace.h).
Json explanations_json(const Trace& trace) {
  Json all = Json::array();
  std::int64_t left = trace.sampling.max_bytes / kExplanationShare;
  for (const ExplainedCell& cell : trace.explained) {
    Json json = {{"pass", cell.pass},
                 {"op", cell.op},
                 {"position", cell.position},
                 {"column", cell.column},
                 {"explanation", glass::to_json(cell.explanation)}};
    const auto bytes =
        static_cast<std::int64_t>(json.dump(-1, ' ', false, Json::error_handler_t::replace).size());
    if (bytes > kMostPerExplanation || bytes > left) continue;
    left -= bytes;
    all.push_back(std::move(json));
  }
  return all;
}

// The text of every token that the document mentions by its id.
Json vocabulary_json(const Trace& trace) {
  std::set<TokenId> ids(trace.ids.begin(), trace.ids.end());
  for (const Pass& pass : trace.passes) {
    for (const auto& layer : pass.lens)
      for (const auto& guesses : layer)
        for (const glass::Guess& g : guesses) ids.insert(g.id);
    for (const SampleSteps::Stage& stage : pass.choice.stages)
      for (std::size_t i = 0; i < std::min(kCandidates, stage.candidates.size()); ++i)
        ids.insert(stage.candidates[i].id);
  }
  Json json = Json::object();
  for (const TokenId id : ids)
    json[std::to_string(id)] = token_json(trace.model->tokenizer(), id)["text"];
  return json;
}

Json tokens_json(const Trace& trace) {
  Json tokens = Json::array();
  for (std::size_t i = 0; i < trace.ids.size(); ++i) {
    Json token = token_json(trace.model->tokenizer(), trace.ids[i]);
    token["position"] = i;
    token["from"] = static_cast<std::int64_t>(i) < trace.n_prompt ? "prompt" : "model";
    tokens.push_back(std::move(token));
  }
  return tokens;
}

Json lens_names(const Trace& trace) {
  Json names = Json::array();
  for (const glass::ResidualPoint& point : trace.lens_points) names.push_back(point.name);
  return names;
}

// What this machine can do, if it was measured.
Json machine_json(const Trace& trace) {
  if (!trace.limits) return Json::object();
  Json peaks = Json::object();
  for (int i = 0; i < kernels::kArithmetics; ++i)
    if (const double peak = trace.limits->gmac_per_s[i]; peak > 0)
      peaks[std::string(kernels::arithmetic_name(static_cast<kernels::Arithmetic>(i)))] =
          short_number(peak);
  return {{"limits",
           {{"read_gb_per_s", short_number(trace.limits->read_gb_per_s)},
            {"gmac_per_s", std::move(peaks)}}}};
}

}  // namespace

Json token_json(const Tokenizer& tokenizer, TokenId id) {
  if (!tokenizer.has_vocab())
    return {{"id", id}, {"text", std::to_string(id)}, {"bytes", ""}, {"special", false}};
  const std::string_view piece = tokenizer.piece(id);
  std::string hex;
  for (const char c : piece) {
    char digits[3];
    std::snprintf(digits, sizeof digits, "%02x", static_cast<unsigned char>(c));
    hex += digits;
  }
  const bool known = id >= 0 && id < tokenizer.n_tokens();
  return {{"id", id},
          {"text", piece},
          {"bytes", hex},
          {"special", known && tokenizer.token_type(id) == TokenType::kControl}};
}

Json trace_json(const Trace& trace) {
  Json passes = Json::array();
  for (const Pass& pass : trace.passes) passes.push_back(pass_json(trace, pass));
  return {{"format", "galley-trace"},
          {"version", kTraceVersion},
          {"model", model_json(trace)},
          {"settings", settings_json(trace)},
          {"machine", machine_json(trace)},
          {"sampling", sampling_json(trace)},
          {"prompt", trace.prompt},
          {"n_prompt", trace.n_prompt},
          {"stop_reason", trace.stop_reason},
          {"tokens", tokens_json(trace)},
          {"vocabulary", vocabulary_json(trace)},
          {"ops", ops_json(trace)},
          {"cache_layers", cache_layers_json(trace)},
          {"lens_values", lens_names(trace)},
          {"passes", std::move(passes)},
          {"explanations", explanations_json(trace)}};
}

std::string script_safe(const Json& document) {
  const std::string text = document.dump(-1, ' ', false, Json::error_handler_t::replace);
  std::string safe;
  safe.reserve(text.size());
  for (const char c : text) {
    if (c == '<')
      safe += "\\u003c";  // only strings can hold one
    else
      safe += c;
  }
  return safe;
}

std::string trace_text(const Trace& trace) { return script_safe(trace_json(trace)); }

}  // namespace galley::trace
