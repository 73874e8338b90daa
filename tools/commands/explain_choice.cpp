// Stops 9 to 12 of galley explain: through the layers, logits, the choice, what comes next.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "model/op_table.h"
#include "tensor/message.h"
#include "tools/commands/explain_story.h"
#include "tools/glass/logit_lens.h"
#include "tools/output.h"

namespace galley::tools {
namespace {

std::string percent(double p) { return format("%5.1f %%", 100 * p); }

// At most `n` of `points`, evenly spread, the first and the last among them.
std::vector<glass::ResidualPoint> spread(const std::vector<glass::ResidualPoint>& points,
                                         std::size_t n) {
  if (points.size() <= n) return points;
  std::vector<glass::ResidualPoint> some;
  for (std::size_t i = 0; i < n; ++i) some.push_back(points[i * (points.size() - 1) / (n - 1)]);
  return some;
}

// The residual stream after each layer, and the embedding.
std::vector<glass::ResidualPoint> layer_ends(const Graph& graph) {
  const std::vector<glass::ResidualPoint> all = glass::residual_stream(graph);
  std::vector<glass::ResidualPoint> ends;
  for (std::size_t i = 0; i < all.size(); ++i)
    if (i + 1 == all.size() || all[i].layer != all[i + 1].layer) ends.push_back(all[i]);
  return ends;
}

// What the cost table says of a pass of one token after n_cached positions.
OpCost next_token_cost(const Tale& tale, std::int64_t n_cached) {
  OpCost sum;
  for (const Op& op : tale.graph().ops) {
    const OpCost cost = op_cost(tale.graph(), op, 1, 1, n_cached, tale.kv_type);
    sum.macs += cost.macs;
    sum.weight_bytes += cost.weight_bytes;
    sum.cache_bytes += cost.cache_bytes;
  }
  return sum;
}

// Bytes that one position takes in the cache.
std::int64_t cache_bytes_per_position(const Graph& graph, DType type) {
  std::int64_t n = 0;
  for (const CacheLayer& layer : graph.cache_layers)
    n += layer.n_kv_heads *
         (row_bytes(type, layer.head_size_k) + row_bytes(type, layer.head_size_v));
  return n;
}

void tell_draw(const Tale& tale, Teller& t) {
  const glass::Funnel& funnel = tale.funnel;
  if (funnel.is_greedy) {
    t.say("With --temp 0 nothing is drawn: the likeliest token is taken.");
    return;
  }
  t.say(
      format("The rest are laid side by side on a line from 0 to 1, each as long as it is "
             "likely. The random number is %.6f (the first that --seed %llu gives); it falls on",
             funnel.draw, static_cast<unsigned long long>(tale.seed)));
  const std::size_t begin = funnel.hit > 2 ? funnel.hit - 2 : 0;
  const std::size_t end = std::min(funnel.stretches.size(), begin + 5);
  for (std::size_t i = begin; i < end; ++i) {
    const glass::DrawStretch& s = funnel.stretches[i];
    t.line(format("%.6f to %.6f %s ", s.begin, s.end, i == funnel.hit ? "<--" : "   ") +
           tale.token_text(s.id));
  }
}

}  // namespace

Stop tell_layers(const Tale& tale) {
  Teller t(9, "From layer to layer");
  constexpr std::size_t kLines = 12;
  const std::vector<glass::ResidualPoint> all = layer_ends(tale.graph());
  glass::LogitLens lens(tale.graph());
  t.say(
      format("Each layer adds what it found to the vector, %zu times in all. What if the model "
             "had to stop early? Its last step, applied to the vector as it is after",
             all.size() - 1));
  Json list = Json::array();
  for (const glass::ResidualPoint& point : spread(all, kLines)) {
    const std::vector<float> logits = lens.logits(tale.row(point.value));
    const glass::Guess best = glass::best_guesses(logits, 1)[0];
    const std::int64_t rank = glass::rank_of(logits, tale.funnel.chosen);
    const std::string where = point.layer < 0 ? "embedding" : format("layer %d", point.layer);
    t.line(format("%-10s length %8.4g   %s  ", where.c_str(), length_of(tale.row(point.value)),
                  percent(static_cast<double>(best.p)).c_str()) +
           tale.token_text(best.id));
    list.push_back({{"value", point.name},
                    {"length", length_of(tale.row(point.value))},
                    {"id", best.id},
                    {"text", tale.token_text(best.id)},
                    {"p", best.p},
                    {"rank_of_chosen", rank}});
  }
  const std::vector<float> last = lens.logits(tale.row(all.back().value));
  const bool same = std::memcmp(last.data(), tale.row(tale.graph().logits).data(),
                                last.size() * sizeof(float)) == 0;
  t.say(same ? "The last line is no guess: those are the model's logits, bit for bit."
             : "The last line is not what the model computed.");
  t.fact("layers", std::move(list)).fact("last_equals_logits", same);
  return t.take();
}

Stop tell_logits(const Tale& tale) {
  Teller t(10, "A number for every token");
  const std::span<const float> logits = tale.row(tale.graph().logits);
  const std::vector<glass::Guess> best = glass::best_guesses(logits, 5);
  const auto [low, high] = std::minmax_element(logits.begin(), logits.end());
  t.say(
      format("The last product compares the vector with %zu others, one for each token of the "
             "vocabulary. The results, logits, run from %.4g to %.4g. Softmax, e^logit divided "
             "by the sum of all, makes shares of them:",
             logits.size(), static_cast<double>(*low), static_cast<double>(*high)));
  Json list = Json::array();
  for (const glass::Guess& g : best) {
    const auto p = static_cast<double>(g.p);
    t.line(format("logit %8.4f   %s %s  ", static_cast<double>(g.logit), bar(p, 20).c_str(),
                  percent(p).c_str()) +
           tale.token_text(g.id));
    list.push_back({{"id", g.id}, {"text", tale.token_text(g.id)}, {"logit", g.logit}, {"p", g.p}});
  }
  double shown = 0;
  for (const glass::Guess& g : best) shown += static_cast<double>(g.p);
  if (logits.size() > best.size())
    t.say(format("Together %.1f %%; the other %zu tokens share the rest.", 100 * shown,
                 logits.size() - best.size()));
  t.fact("vocabulary", logits.size()).fact("best", std::move(list)).fact("lowest", *low);
  return t.take();
}

Stop tell_choice(const Tale& tale) {
  Teller t(11, "Choosing one");
  t.say(
      "The likeliest token is not always taken, or every text would be the same. First the "
      "unlikely ones are sorted out. Candidates left, and the share of the model's opinion that "
      "they stand for:");
  for (const glass::FunnelStage& stage : tale.funnel.stages) {
    constexpr std::size_t kColumns = 46;  // for a description beside the numbers
    const std::string numbers = format("%-11s %7zu %s  ", stage.name.c_str(), stage.n_candidates,
                                       percent(stage.mass).c_str());
    const bool fits = stage.description.size() <= kColumns;
    t.line(numbers + (fits ? stage.description : ""));
    if (!fits) t.line("    " + stage.description);
  }
  tell_draw(tale, t);
  t.fact("seed", tale.seed).fact("funnel", glass::to_json(tale.funnel));
  return t.take();
}

Stop tell_next(const Tale& tale) {
  Teller t(12, "The token, and the next one");
  const TokenId id = tale.funnel.chosen;
  const std::int64_t n = tale.position() + 1;
  const bool ends = tale.tokenizer().is_end_of_generation(id);
  t.say("The model says " + tale.token_text(id) + format(" (number %d)", id) +
        (ends ? ", which means: the text ends here."
              : ". It is appended to the text, and all begins again with it, from stop 3."));
  const std::int64_t per_position = cache_bytes_per_position(tale.graph(), tale.kv_type);
  t.say(
      format("Nothing of the old tokens is computed twice: their keys and values are kept, %s for "
             "each position as %s. After %lld positions the cache holds %s; there is room for "
             "%lld positions.",
             human_bytes(per_position).c_str(), std::string(dtype_info(tale.kv_type).name).c_str(),
             static_cast<long long>(n), human_bytes(per_position * n).c_str(),
             static_cast<long long>(tale.n_context)));
  const OpCost cost = next_token_cost(tale, n);
  t.say(
      format("The next token takes %s multiplications, for which %s of weights are read, and "
             "%s of the cache are read or written.",
             human_count(cost.macs).c_str(), human_bytes(cost.weight_bytes).c_str(),
             human_bytes(cost.cache_bytes).c_str()));
  if (tale.next_s > 0)
    t.say(format("On this computer it took %.3g ms (the best of three), which would be ",
                 1e3 * tale.next_s) +
          (tale.next_s < 0.1 ? with_commas(static_cast<std::uint64_t>(1 / tale.next_s))
                             : format("%.1f", 1 / tale.next_s)) +
          " tokens in a second.");
  t.fact("id", id)
      .fact("text", tale.token_text(id))
      .fact("ends", ends)
      .fact("cache_bytes_per_position", per_position)
      .fact("cache_bytes", per_position * n)
      .fact("context", tale.n_context)
      .fact("next_macs", cost.macs)
      .fact("next_weight_bytes", cost.weight_bytes)
      .fact("next_cache_bytes", cost.cache_bytes)
      .fact("next_s", tale.next_s);
  return t.take();
}

}  // namespace galley::tools
