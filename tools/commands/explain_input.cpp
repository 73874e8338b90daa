// Stops 1 to 4 of galley explain: text, tokens, embedding, norm.
#include <algorithm>
#include <cmath>

#include "tools/commands/explain_story.h"
#include "tools/output.h"

namespace galley::tools {
namespace {

// The bytes as hexadecimal numbers, at most n of them.
std::string hex_bytes(std::string_view bytes, std::size_t n) {
  std::string text;
  for (std::size_t i = 0; i < std::min(n, bytes.size()); ++i)
    text += format("%s%02x", i ? " " : "", static_cast<unsigned char>(bytes[i]));
  return text + (bytes.size() > n ? " ..." : "");
}

std::size_t n_characters(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  }));
}

const char* how_tokens_are_made(TokenizerKind kind) {
  switch (kind) {
    case TokenizerKind::kBpe:
      return "Each word begins as single bytes; then the pair that stands first in a learned list "
             "of merges is joined, again and again, until no pair of the list is left.";
    case TokenizerKind::kSentencePiece:
      return "The text begins as single characters; then the neighbours whose joined piece has "
             "the best score are joined, again and again.";
    case TokenizerKind::kWordPiece:
      return "Of each word the longest piece that the vocabulary knows is taken, again and again.";
    case TokenizerKind::kUnigram:
      return "Of all ways to cut the text into known pieces the likeliest is taken.";
    case TokenizerKind::kNone:
      break;
  }
  return "";
}

// The merges of the prompt's longest word, at most `n` lines.
void show_merges(const Tale& tale, Teller& t) {
  constexpr std::size_t kLines = 6;
  const std::vector<WordSteps> words = tale.tokenizer().explain(tale.prompt.text);
  const auto most = std::max_element(
      words.begin(), words.end(),
      [](const WordSteps& a, const WordSteps& b) { return a.merges.size() < b.merges.size(); });
  if (most == words.end() || most->merges.empty()) return;
  std::vector<std::string> symbols = most->symbols;
  const auto joined = [&] {
    std::string text;
    for (const std::string& s : symbols) text += (text.empty() ? "" : " ") + s;
    constexpr std::size_t kColumns = 56;
    if (n_characters(text) <= kColumns) return text;
    std::size_t end = kColumns;  // not inside a character
    while ((static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
    return text.substr(0, end) + "...";
  };
  t.say("The first merges of one word, step by step:").line(format("%-12s", "") + joined());
  Json merges = Json::array();
  for (std::size_t i = 0; i < most->merges.size(); ++i) {
    const MergeStep& step = most->merges[i];
    symbols[step.index] = step.result;
    symbols.erase(symbols.begin() + static_cast<std::ptrdiff_t>(step.index) + 1);
    const std::string how = step.rank >= 0 ? format("rank %d", step.rank)
                                           : format("%.4g", static_cast<double>(step.score));
    if (i < kLines) t.line(format("%-12s", how.c_str()) + joined());
    merges.push_back({{"result", step.result}, {"rank", step.rank}, {"score", step.score}});
  }
  if (most->merges.size() > kLines)
    t.line(format("... and %zu more", most->merges.size() - kLines));
  t.fact("word", most->word).fact("merges", std::move(merges));
}

}  // namespace

Stop tell_text(const Tale& tale) {
  Teller t(1, "The text");
  const Model& model = *tale.model;
  if (tale.from_ids) {
    t.say("You gave token numbers, so there is no text to begin with.");
  } else {
    const std::string& text = tale.prompt.text;
    t.say(format("Your text has %zu characters. To a computer it is %zu bytes, numbers from 0 to "
                 "255, here in hexadecimal:",
                 n_characters(text), text.size()))
        .line(hex_bytes(text, 20));
  }
  t.say(
      format("The model that will go on with it is %s numbers, learned once and now only read. "
             "They take %s.",
             human_count(model.n_parameters()).c_str(), human_bytes(model.weight_bytes()).c_str()));
  t.fact("text", tale.prompt.text)
      .fact("bytes", tale.prompt.text.size())
      .fact("parameters", model.n_parameters())
      .fact("weight_bytes", model.weight_bytes());
  return t.take();
}

Stop tell_tokens(const Tale& tale) {
  Teller t(2, "From text to token numbers");
  const std::vector<TokenId>& ids = tale.prompt.ids;
  const Tokenizer& tokenizer = tale.tokenizer();
  constexpr std::size_t kShown = 10;
  if (tokenizer.has_vocab())
    t.say(format("A model knows no letters, only the numbers of %d pieces of text. ",
                 tokenizer.n_tokens()) +
          how_tokens_are_made(tokenizer.kind()));
  t.say(format("The prompt is %zu %s%s", ids.size(), ids.size() == 1 ? "token" : "tokens",
               ids.size() > kShown ? "; the last of them:" : ":"));
  Json list = Json::array();
  const std::size_t begin = ids.size() > kShown ? ids.size() - kShown : 0;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const std::string text = tale.token_text(ids[i]);
    if (i >= begin) t.line(format("position %4zu   number %6d   ", i, ids[i]) + text);
    list.push_back({{"position", i},
                    {"id", ids[i]},
                    {"text", tokenizer.has_vocab() ? std::string(tokenizer.piece(ids[i])) : ""}});
  }
  t.fact("vocabulary", tokenizer.n_tokens()).fact("tokens", std::move(list));
  if (tokenizer.has_vocab() && !tale.from_ids) show_merges(tale, t);
  return t.take();
}

Stop tell_embedding(const Tale& tale) {
  Teller t(3, "From a number to a vector");
  const Op& op = *tale.first_op(OpKind::kEmbed);
  const TokenId id = tale.prompt.ids.back();
  const std::span<const float> x = tale.row(op.output);
  const Tensor& table = *op.weight;
  t.say("From here on we follow the last token, " + tale.token_text(id) +
        format(". Its number %d picks a row of the table %s: %zu numbers, its place in the "
               "model's space of meanings.",
               id, table.name.c_str(), x.size()))
      .line(first_numbers(x, 7));
  const glass::Explanation e = tale.explain(op, 0);
  const glass::Step& step = e.steps[0];
  const std::string type(dtype_info(table.type).name);
  const std::string size =
      format("%.3g bits", 8.0 * static_cast<double>(dtype_info(table.type).block_bytes) /
                              static_cast<double>(dtype_info(table.type).block_elements));
  t.say("The table is stored as " + type + ", " + size +
        " for each number. The first one is made of:");
  std::string parts;
  for (const glass::Operand& o : step.operands)
    parts += (parts.empty() ? "" : ", ") + o.name + " = " +
             (o.is_integer ? format("%.0f", o.values[0]) : glass::short_text(o.values[0]));
  t.line(parts).line(step.formula + " = " + glass::short_text(step.result));
  t.fact("id", id)
      .fact("table", table.name)
      .fact("type", type)
      .fact("width", x.size())
      .fact("first", first_json(x, 8))
      .fact("first_explained", glass::to_json(e));
  return t.take();
}

Stop tell_norm(const Tale& tale) {
  Teller t(4, "Bringing it to a common length");
  const Op* op = nullptr;
  for (const Op& o : tale.graph().ops)
    if (o.kind == OpKind::kRmsNorm || o.kind == OpKind::kLayerNorm) {
      op = &o;
      break;
    }
  if (!op) return t.say("This model has no norms.").take();
  const std::span<const float> x = tale.row(op->inputs[0]), y = tale.row(op->output);
  const auto root_mean = [](std::span<const float> v) {
    return length_of(v) / std::sqrt(static_cast<double>(v.size()));
  };
  const bool is_rms = op->kind == OpKind::kRmsNorm;
  t.say("Vectors grow and shrink on their way. Before a part of the model works on one, a norm " +
        std::string(is_rms ? "divides it by its own size, the root of the mean square,"
                           : "takes away its mean, divides it by its spread") +
        " and multiplies each number by a learned weight. This is " + op->name + ":")
      .line("before   " + first_numbers(x, 6))
      .line("after    " + first_numbers(y, 6))
      .line(format("root of the mean square: %.4g before, %.4g after", root_mean(x), root_mean(y)));
  const glass::Explanation e = tale.explain(*op, 0);
  t.say("The first number, worked out again: " + e.steps.back().formula + " = " + result_text(e) +
        ".");
  t.fact("op", op->name)
      .fact("kind", is_rms ? "RMS norm" : "layer norm")
      .fact("before", first_json(x, 8))
      .fact("after", first_json(y, 8))
      .fact("root_mean_square_before", root_mean(x))
      .fact("root_mean_square_after", root_mean(y))
      .fact("first_explained", glass::to_json(e));
  return t.take();
}

}  // namespace galley::tools
