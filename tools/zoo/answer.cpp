// galley-answer MODEL: continues many prompts with one loaded model, for tools/zoo/evaluate.
//
// Reads JSON lines {"prompt": TEXT, "n_predict": N, "temperature": T, "seed": S} from stdin and
// writes a line {"text": TEXT, "prompt_ids": IDS} for each: what the model says until it ends or
// N tokens are made, and the tokens of the prompt.
// Without "temperature" the likeliest token is taken. Special tokens in the prompt are parsed.
// "draft": TEXT, a guess at the answer, makes greedy answers quicker and changes nothing in them:
// prompt and guess go through the model at once, and the guess is kept as far as each of its
// tokens is the likeliest. A batch gives the bits of single steps, so this is exact.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "model/sampler.h"
#include "model/session.h"
#include "tensor/error.h"

namespace {

using galley::Session;
using galley::TokenId;
using nlohmann::json;

TokenId likeliest(std::span<const float> logits) {
  return static_cast<TokenId>(std::ranges::max_element(logits) - logits.begin());
}

// Runs prompt and draft, forgets the draft from the first token on that is not the likeliest,
// and returns what was kept. The last kept token is not in the cache: it is the next to be run.
std::vector<TokenId> kept_of_draft(Session& session, const std::vector<TokenId>& prompt,
                                   std::vector<TokenId> draft) {
  std::vector<galley::BatchToken> batch;
  for (const TokenId id : prompt) batch.push_back({id});
  batch.back().wants_logits = true;
  for (const TokenId id : draft) batch.push_back({id, 0, true});
  session.forward(batch);
  std::size_t n_kept = 0;
  while (n_kept < draft.size() &&
         likeliest(session.logits(static_cast<std::int64_t>(n_kept))) == draft[n_kept])
    ++n_kept;
  draft.resize(n_kept);
  const auto n_cached = prompt.size() + n_kept - 1;
  session.truncate(static_cast<std::int64_t>(n_cached));
  return draft;
}

json answer(Session& session, const json& request) {
  galley::SamplerOptions options;
  options.temperature = request.value("temperature", 0.0F);
  options.seed = request.value("seed", std::uint64_t{0});
  galley::Sampler sampler(options);

  const galley::Tokenizer& tokenizer = session.model().tokenizer();
  session.truncate(0);
  const auto prompt = tokenizer.encode(request.at("prompt").get<std::string>());
  std::vector<TokenId> next = prompt;
  std::vector<TokenId> made;
  const auto n_predict = request.value("n_predict", std::size_t{64});
  if (const auto text = request.value("draft", std::string()); !text.empty()) {
    auto draft = tokenizer.encode(text, {.add_special = false});
    draft.resize(std::min(draft.size(), n_predict));
    if (static_cast<std::int64_t>(prompt.size() + draft.size()) <= session.n_context()) {
      made = kept_of_draft(session, prompt, draft);
      next = {made.empty() ? prompt.back() : made.back()};
    }
  }
  while (made.size() < n_predict &&
         session.length() + static_cast<std::int64_t>(next.size()) <= session.n_context()) {
    session.forward(next);
    const TokenId id = sampler.sample(session.logits());
    if (tokenizer.is_end_of_generation(id)) break;
    made.push_back(id);
    next = {id};
  }
  return {{"text", tokenizer.decode(made)}, {"prompt_ids", prompt}};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: galley-answer MODEL < requests.jsonl\n");
    return 2;
  }
  try {
    galley::SessionOptions options;
    options.n_threads = 1;  // the matrices of the demo models are too small to share out
    Session session = Session::open(argv[1], options);
    for (std::string line; std::getline(std::cin, line);)
      std::cout << answer(session, json::parse(line)).dump() << '\n';
  } catch (const galley::Error& e) {
    std::fprintf(stderr, "galley-answer: %s\n", e.what());
    return e.exit_code();
  } catch (const std::exception& e) {
    std::fprintf(stderr, "galley-answer: %s\n", e.what());
    return 1;
  }
}
