// galley perplexity: how well a model predicts a text, e^(mean negative log-likelihood).
//
// By llama.cpp's convention, so that figures can be compared: the text is cut into chunks of
// n_ctx tokens, each run by itself with BOS in place of its first token; the tokens of its second
// half are scored, which have at least n_ctx / 2 tokens before them.
#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "tensor/error.h"
#include "tensor/message.h"
#include "tools/commands/commands.h"
#include "tools/commands/options.h"
#include "tools/interrupt.h"
#include "tools/output.h"
#include "tools/progress.h"

namespace galley::tools {
namespace {

using Json = nlohmann::ordered_json;

struct PerplexityOptions {
  ModelOptions model;
  PromptOptions text;
  ContextOptions context;
  bool nll = false;
  bool json = false;
};

constexpr std::int64_t kDefaultContext = 512;
// Rows of logits that are kept at once: 32 of a vocabulary of 128k are 16 MiB.
constexpr std::size_t kRowsAtOnce = 32;

// -ln softmax(logits)[target], in nats.
double negative_log_likelihood(std::span<const float> logits, TokenId target) {
  const double max = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (float x : logits) sum += std::exp(x - max);
  return max + std::log(sum) - logits[static_cast<std::size_t>(target)];
}

// Runs `ids` and appends the negative log-likelihood of ids[first + 1], ids[first + 2], ...
void score(Session& session, std::span<const TokenId> ids, std::size_t first, Progress& progress,
           std::int64_t& n_done, std::vector<double>& nll) {
  session.truncate(0);
  std::vector<BatchToken> batch;
  for (TokenId id : ids.first(first)) batch.push_back({id, 0, false});
  if (!batch.empty()) session.forward(batch);
  for (std::size_t begin = first; begin + 1 < ids.size(); begin += batch.size()) {
    batch.clear();
    for (TokenId id : ids.subspan(begin, std::min(kRowsAtOnce, ids.size() - 1 - begin)))
      batch.push_back({id, 0, true});
    session.forward(batch);
    check_interrupt();
    for (std::size_t i = 0; i < batch.size(); ++i)
      nll.push_back(negative_log_likelihood(session.logits(static_cast<std::int64_t>(i)),
                                            ids[begin + i + 1]));
    progress.update(n_done + static_cast<std::int64_t>(begin));
  }
  n_done += static_cast<std::int64_t>(ids.size());
}

struct Estimate {
  double mean_nll = 0;
  double ppl = 0;
  double ppl_error = 0;  // standard error of the mean, carried over to the perplexity
};

Estimate estimate(const std::vector<double>& nll) {
  double sum = 0, sum_of_squares = 0;
  for (double x : nll) sum += x, sum_of_squares += x * x;
  const auto n = static_cast<double>(nll.size());
  Estimate e;
  e.mean_nll = sum / n;
  e.ppl = std::exp(e.mean_nll);
  const double variance = sum_of_squares / n - e.mean_nll * e.mean_nll;
  if (variance > 0 && n > 1) e.ppl_error = std::sqrt(variance / (n - 1)) * e.ppl;
  return e;
}

void print_nll(const PerplexityOptions& options, const std::vector<TokenId>& ids,
               const std::vector<double>& nll) {
  const Estimate e = estimate(nll);
  if (options.json)
    return write_json({{"ids", ids}, {"nll", nll}, {"mean_nll", e.mean_nll}, {"ppl", e.ppl}});
  for (double x : nll) write_out(format("%.9g\n", x));
  note(format("%zu tokens scored, mean %.6f nats, PPL = %.4f +/- %.5f", nll.size(), e.mean_nll,
              e.ppl, e.ppl_error));
}

void print_estimate(const PerplexityOptions& options, std::size_t n_chunks, std::int64_t n_context,
                    const std::vector<double>& nll, const std::vector<double>& running) {
  const Estimate e = estimate(nll);
  if (options.json)
    return write_json({{"n_ctx", n_context},
                       {"chunks", n_chunks},
                       {"tokens_scored", nll.size()},
                       {"mean_nll", e.mean_nll},
                       {"ppl", e.ppl},
                       {"ppl_error", e.ppl_error},
                       {"running_ppl", running}});
  write_out(format("Final estimate: PPL = %.4f +/- %.5f\n", e.ppl, e.ppl_error));
  note(format("%zu chunks of %lld tokens, %zu tokens scored, mean %.6f nats", n_chunks,
              static_cast<long long>(n_context), nll.size(), e.mean_nll));
}

// The whole text in one context.
void score_text(const PerplexityOptions& options, const std::shared_ptr<const Model>& model,
                SessionOptions session_options, const std::vector<TokenId>& ids) {
  const auto n_tokens = static_cast<std::int64_t>(ids.size());
  if (!options.context.n_context) session_options.n_context = 0;
  Session session(model, session_options);
  check_prompt_fits(n_tokens, session.n_context());
  std::vector<double> nll;
  std::int64_t n_done = 0;
  Progress progress("perplexity", n_tokens);
  score(session, ids, 0, progress, n_done, nll);
  print_nll(options, ids, nll);
}

void score_chunks(const PerplexityOptions& options, const std::shared_ptr<const Model>& model,
                  SessionOptions session_options, const std::vector<TokenId>& ids) {
  const std::int64_t trained = model->config().n_context_train;
  if (session_options.n_context == 0)
    session_options.n_context =
        options.context.n_context ? trained : std::min(kDefaultContext, trained);
  const auto n_context = static_cast<std::size_t>(session_options.n_context);
  if (n_context < 4)
    throw Error(ErrorKind::kUsage, "chunks need at least 4 tokens; use a larger --ctx-size");
  const std::size_t n_chunks = ids.size() / n_context;
  if (n_chunks == 0)
    throw Error(ErrorKind::kUsage, "the text has only " + std::to_string(ids.size()) +
                                       " tokens, a chunk needs " + std::to_string(n_context) +
                                       "; use a longer text, a smaller --ctx-size or --nll");
  Session session(model, session_options);
  const std::optional<TokenId> bos =
      model->tokenizer().adds_bos() ? model->tokenizer().bos() : std::nullopt;
  std::vector<double> nll, running;
  std::int64_t n_done = 0;
  Progress progress("perplexity", static_cast<std::int64_t>(n_chunks * n_context));
  for (std::size_t i = 0; i < n_chunks; ++i) {
    std::vector<TokenId> chunk(ids.begin() + static_cast<std::ptrdiff_t>(i * n_context),
                               ids.begin() + static_cast<std::ptrdiff_t>((i + 1) * n_context));
    if (bos) chunk.front() = *bos;
    score(session, chunk, n_context / 2, progress, n_done, nll);
    running.push_back(estimate(nll).ppl);
  }
  print_estimate(options, n_chunks, session_options.n_context, nll, running);
}

void perplexity(const PerplexityOptions& options) {
  const SessionOptions session_options = options.context.session_options();
  const std::shared_ptr<const Model> model = options.model.need_model();
  const Prompt text = options.text.read(*model, /*keep_last_newline=*/true);
  for (TokenId id : text.ids)
    if (id >= model->config().n_vocab)
      throw Error(ErrorKind::kUsage, "token " + std::to_string(id) +
                                         " is not in the vocabulary of " +
                                         std::to_string(model->config().n_vocab));
  if (text.ids.size() < 2)
    throw Error(ErrorKind::kUsage, "the text has only " + std::to_string(text.ids.size()) +
                                       " token; there is nothing to predict");
  if (options.nll) return score_text(options, model, session_options, text.ids);
  score_chunks(options, model, session_options, text.ids);
}

}  // namespace

Action set_up_perplexity(CommandLine& line) {
  auto o = std::make_shared<PerplexityOptions>();
  o->model.add_to(line);
  o->text.add_to(line);
  line.flag("--nll", o->nll,
            "print each token's negative log-likelihood in nats, the whole text in one context");
  o->context.add_to(line,
                    "tokens per chunk, 0: what the model was trained for (default 512,\n"
                    "or that if it is less)");
  line.flag("--json", o->json, "print one JSON object");
  line.examples(
      {"perplexity -m model.gguf -f text.txt", "perplexity -m model.gguf -f text.txt --nll"});
  return [o] { perplexity(*o); };
}

}  // namespace galley::tools
