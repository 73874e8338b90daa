// The story of one token: what happened in a run, and the twelve stops that tell it.
//
// Where it sits: explain.cpp runs the model and prints; explain_input.cpp, explain_layer.cpp and
// explain_choice.cpp make four stops each. A stop has a text for people and the same facts as
// JSON; both come from the same numbers.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "model/session.h"
#include "tools/commands/options.h"
#include "tools/glass/attention_trace.h"
#include "tools/glass/explanation.h"
#include "tools/glass/run_record.h"
#include "tools/glass/sampler_funnel.h"
#include "tools/token_text.h"

namespace galley::tools {

using Json = nlohmann::ordered_json;

struct Stop {
  int number = 0;
  std::string title;
  std::string text;  // lines of at most 80 columns
  Json facts = Json::object();
};

// How many there are.
inline constexpr int kStops = 12;

// All that the stops tell of. The record holds the pass of the prompt's last token, alone.
struct Tale {
  std::shared_ptr<const Model> model;
  Prompt prompt;
  bool from_ids = false;  // the prompt was given as token ids
  glass::RunRecord run;
  // For each attention op, in order: what each head of the last token looked at.
  std::vector<std::vector<glass::AttentionTrace>> looks;
  glass::Funnel funnel;
  std::uint64_t seed = 0;
  DType kv_type = DType::kF32;
  std::int64_t n_context = 0;
  double prefill_s = 0;  // of all but the last token of the prompt
  // One more token, without anybody watching, the best of three; 0: the context is full.
  double next_s = 0;

  const Graph& graph() const { return model->graph(); }
  const Tokenizer& tokenizer() const { return model->tokenizer(); }
  std::int64_t position() const { return run.positions()[0]; }
  // The first op of `kind`, or nullptr.
  const Op* first_op(OpKind kind) const;
  // A token for people: its text in quotes, or its number where there is no vocabulary.
  std::string token_text(TokenId id) const;
  // The token at a position of the prompt.
  std::string token_at(std::int64_t position) const;
  // The last row of a value, and one number of it explained.
  std::span<const float> row(Value v) const { return run.row(v, 0); }
  glass::Explanation explain(const Op& op, std::int64_t column) const;
};

// Writes a stop down.
class Teller {
 public:
  Teller(int number, std::string title) {
    stop_.number = number;
    stop_.title = std::move(title);
  }

  // A paragraph, wrapped.
  Teller& say(const std::string& text);
  // A line as it is, indented.
  Teller& line(const std::string& text);
  template <class T>
  Teller& fact(const char* name, T value) {
    stop_.facts[name] = std::move(value);
    return *this;
  }
  Stop take() { return std::move(stop_); }

 private:
  Stop stop_;
};

// Stops 1 to 4: text, tokens, embedding, norm.
Stop tell_text(const Tale& tale);
Stop tell_tokens(const Tale& tale);
Stop tell_embedding(const Tale& tale);
Stop tell_norm(const Tale& tale);
// Stops 5 to 8: queries, keys and values; positions; attention; feed-forward.
Stop tell_queries(const Tale& tale);
Stop tell_positions(const Tale& tale);
Stop tell_attention(const Tale& tale);
Stop tell_feed_forward(const Tale& tale);
// Stops 9 to 12: the layers, logits, the choice, what comes next.
Stop tell_layers(const Tale& tale);
Stop tell_logits(const Tale& tale);
Stop tell_choice(const Tale& tale);
Stop tell_next(const Tale& tale);

// The sum of squares of a vector, rooted.
double length_of(std::span<const float> x);
// "0.12 -3.4 0.5 ..." : the first n numbers.
std::string first_numbers(std::span<const float> x, std::size_t n);
// A JSON list of the first n numbers.
Json first_json(std::span<const float> x, std::size_t n);
// What an explanation ends in: "0.0340452 (nothing rounded: 0.0340447)".
std::string result_text(const glass::Explanation& e);
// A bar of `n` characters for a share from 0 to 1.
std::string bar(double share, int n);

}  // namespace galley::tools
