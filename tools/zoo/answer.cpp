// galley-answer MODEL: continues many prompts with one loaded model, for tools/zoo/evaluate.
//
// Reads JSON lines {"prompt": TEXT, "n_predict": N, "temperature": T, "seed": S} from stdin and
// writes a line {"text": TEXT, "prompt_ids": IDS} for each: what the model says until it ends or
// N tokens are made, and the tokens of the prompt.
// Without "temperature" the likeliest token is taken. Special tokens in the prompt are parsed.
#include <cstdint>
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "model/sampler.h"
#include "model/session.h"
#include "tensor/error.h"

namespace {

using galley::Session;
using galley::TokenId;
using nlohmann::json;

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
