// galley run: continue a prompt. This is the call path that docs/README.md walks along.
#include <nlohmann/json.hpp>

#include "kernels/kernels.h"
#include "tensor/error.h"
#include "tools/commands/commands.h"
#include "tools/commands/generate.h"
#include "tools/commands/options.h"
#include "tools/interrupt.h"
#include "tools/output.h"

namespace galley::tools {
namespace {

using Json = nlohmann::ordered_json;

struct RunOptions {
  ModelOptions model;
  PromptOptions prompt;
  ContextOptions context;
  SamplingOptions sampling;
  GenerateOptions generate;
  bool echo = false;
  bool json = false;
  bool verbose = false;
};

double gb_per_s(const Model& model, const Generation& g) {
  return g.decode_rate() * static_cast<double>(model.weight_bytes_per_token()) * 1e-9;
}

std::string positions(std::int64_t n) {
  return std::to_string(n) + (n == 1 ? " position" : " positions");
}

// "64 tokens in 0.120 s, 533.3 tokens/s".
std::string rate(std::int64_t n, double seconds) {
  std::string text =
      format("%lld %s in %.3f s", static_cast<long long>(n), n == 1 ? "token" : "tokens", seconds);
  if (n > 0) text += format(", %.1f tokens/s", static_cast<double>(n) / seconds);
  return text;
}

void print_start(const Session& session, const Sampler& sampler) {
  const Config& config = session.model().config();
  note("model      " + config.architecture + (config.name.empty() ? "" : " '" + config.name + "'") +
       ", " + human_count(session.model().n_parameters()) + " parameters");
  note(format("threads    %d, %s", session.n_threads(),
              std::string(kernels::isa_name(kernels::table().isa)).c_str()));
  note("sampler    " + sampler.describe());
}

void print_summary(const Session& session, const Sampler& sampler, const Generation& g) {
  const SessionMemory memory = session.memory();
  note("prefill    " + rate(g.n_prefill, g.prefill_s));
  note("decode     " + rate(g.n_decode, g.decode_s) +
       (g.n_decode > 0 ? format(", %.1f GB/s of weights", gb_per_s(session.model(), g)) : ""));
  if (g.n_drafted > 0)
    note(format("drafts     %lld of %lld guessed tokens were right",
                static_cast<long long>(g.n_accepted), static_cast<long long>(g.n_drafted)));
  note("memory     " + human_bytes(session.model().weight_bytes()) + " weights, " +
       human_bytes(memory.kv_cache_bytes) + " KV cache for " + positions(session.n_context()) +
       ", " + human_bytes(memory.buffer_bytes) + " buffers; peak " +
       human_bytes(peak_memory_bytes()));
  if (!sampler.is_greedy()) note("seed       " + std::to_string(sampler.options().seed));
}

Json as_json(const Session& session, const Sampler& sampler, const Prompt& prompt,
             const std::string& text, const Generation& g) {
  const SessionMemory memory = session.memory();
  return {{"prompt_tokens", prompt.ids.size()},
          {"prompt_ids", prompt.ids},
          {"tokens", g.ids},
          {"text", text},
          {"stop_reason", stop_reason_name(g.reason)},
          {"seed", sampler.options().seed},
          {"timings",
           {{"prefill_tokens", g.n_prefill},
            {"prefill_s", g.prefill_s},
            {"prefill_tokens_per_s", g.prefill_rate()},
            {"decode_tokens", g.n_decode},
            {"decode_s", g.decode_s},
            {"decode_tokens_per_s", g.decode_rate()},
            {"decode_gb_per_s", gb_per_s(session.model(), g)},
            {"drafted_tokens", g.n_drafted},
            {"accepted_tokens", g.n_accepted}}},
          {"memory",
           {{"weight_bytes", session.model().weight_bytes()},
            {"kv_cache_bytes", memory.kv_cache_bytes},
            {"buffer_bytes", memory.buffer_bytes},
            {"peak_bytes", peak_memory_bytes()}}}};
}

// What --echo prints in front.
std::string echoed(const Prompt& prompt, const Tokenizer& tokenizer) {
  if (!prompt.text.empty()) return prompt.text;
  if (tokenizer.has_vocab()) return tokenizer.decode(prompt.ids, false);
  std::string text;
  for (TokenId id : prompt.ids) text += std::to_string(id) + " ";
  return text;
}

void run(const RunOptions& options) {
  if (options.generate.n_predict < -1)
    throw Error(ErrorKind::kUsage, "--n-predict is " + std::to_string(options.generate.n_predict) +
                                       ", expected -1 (no limit) or a number of tokens");
  if (options.generate.draft_ngram < 0 || options.generate.draft_ngram > 64)
    throw Error(ErrorKind::kUsage, "--draft-ngram is " +
                                       std::to_string(options.generate.draft_ngram) +
                                       ", expected from 0 to 64 tokens");
  const SessionOptions session_options = options.context.session_options();
  Sampler sampler(options.sampling.sampler_options());
  const std::shared_ptr<const Model> model = options.model.need_model();
  const Prompt prompt = options.prompt.read(*model);
  Session session(model, session_options);
  check_prompt_fits(static_cast<std::int64_t>(prompt.ids.size()), session.n_context());
  if (options.verbose) print_start(session, sampler);

  std::string text;
  const auto on_text = [&](std::string_view piece) {
    text += piece;
    if (options.json) return;
    write_out(piece);
    flush_out();
  };
  if (options.echo) on_text(echoed(prompt, model->tokenizer()));
  const Generation g = generate(session, sampler, prompt.ids, options.generate, on_text);
  if (options.json) write_json(as_json(session, sampler, prompt, text, g));
  if (!options.json && !text.ends_with('\n')) note("");  // ends the line on a terminal
  if (g.reason == StopReason::kContext)
    note("galley: the context of " + positions(session.n_context()) +
         " is full; --ctx-size makes it larger");
  print_summary(session, sampler, g);
  if (g.reason == StopReason::kInterrupted) throw Cancelled{};
}

}  // namespace

Action set_up_run(CommandLine& line) {
  auto o = std::make_shared<RunOptions>();
  o->model.add_to(line);
  o->prompt.add_to(line);
  line.integer("-n,--n-predict", o->generate.n_predict,
               "tokens to make, -1: until the model or the context ends it");
  line.texts("--stop", o->generate.stop, "TEXT",
             "end before this text; may be given several times");
  line.flag("--ignore-eos", o->generate.ignore_eos, "go on after end-of-text tokens");
  line.integer("--draft-ngram", o->generate.draft_ngram,
               "guess up to this many tokens from the text so far and check them at once: the same "
               "text, sooner where it repeats itself; 0: off");
  line.flag("--echo", o->echo, "print the prompt, too");
  o->sampling.add_to(line);
  o->context.add_to(line);
  line.flag("--json", o->json, "print one JSON object instead of the text");
  line.flag("-v,--verbose", o->verbose, "say how the model is run");
  line.examples({"run -m model.gguf -p \"Once upon a time\" -n 100",
                 "run -m model.gguf -f question.txt --temp 0 --stop \"The end\" --json"});
  return [o] { run(*o); };
}

}  // namespace galley::tools
