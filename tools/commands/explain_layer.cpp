// Stops 5 to 8 of galley explain: queries, keys and values; positions; attention; feed-forward.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "kernels/kernels.h"
#include "model/planner.h"
#include "tools/commands/explain_story.h"
#include "tools/output.h"

namespace galley::tools {
namespace {

// The numbers of a step's operand, the first n.
std::string operand_text(const glass::Step& step, const std::string& name, std::size_t n) {
  for (const glass::Operand& o : step.operands) {
    if (o.name != name) continue;
    std::string text;
    for (std::size_t i = 0; i < std::min(n, o.values.size()); ++i)
      text += (i ? " " : "") + glass::short_text(o.values[i]);
    return text + (o.values.size() > n ? " ..." : "");
  }
  return "";
}

void show_block(const glass::Explanation& e, const Tensor& weight, Teller& t) {
  const glass::Step& step = e.steps[0];
  const std::string type(dtype_info(weight.type).name);
  if (!kernels::uses_quantized_rows(weight.type)) {
    t.say("The weights are stored as " + type +
          ". The products are added up in sixteen partial sums; the first takes");
    t.line("weights  " + operand_text(step, "w", 6)).line("inputs   " + operand_text(step, "x", 6));
    return;
  }
  t.say("The weights are stored as " + type +
        ": 32 small whole numbers and what they are multiplied by. The input is rounded to whole "
        "numbers too, so that most of the work is fast arithmetic with integers. The first 32 of "
        "them:");
  t.line("weights  " + operand_text(step, "q_w", 10) + "   times " + operand_text(step, "d_w", 1))
      .line("inputs   " + operand_text(step, "q_x", 10) + "   times " +
            operand_text(step, "d_x", 1))
      .line("sum of the 32 products " + operand_text(step, "isum", 1) + ", scaled " +
            glass::short_text(step.result));
  if (rounds_input_twice(weight))
    t.say(
        "What rounding took away from the input is multiplied as well, because the matrix is "
        "small.");
}

// The column that is turned together with column 0.
std::int64_t partner(const Tale& tale, const Op& rope) {
  const RopeSpec& spec = tale.graph().ropes[static_cast<std::size_t>(rope.rope)];
  return spec.layout == RopeLayout::kInterleaved ? 1 : spec.n_rotated / 2;
}

// The head that looks hardest at one place that is neither the first nor its own.
struct Look {
  std::size_t op = 0;
  std::size_t head = 0;
  std::size_t position = 0;
  float weight = -1;
};

Look sharpest_look(const Tale& tale) {
  Look best;
  for (std::size_t op = 0; op < tale.looks.size(); ++op)
    for (std::size_t h = 0; h < tale.looks[op].size(); ++h) {
      const std::vector<float>& w = tale.looks[op][h].weights;
      const bool short_text = w.size() < 3;
      for (std::size_t p = short_text ? 0 : 1; p + (short_text ? 0 : 1) < w.size(); ++p)
        if (w[p] > best.weight) best = {op, h, p, w[p]};
    }
  return best;
}

std::vector<std::size_t> by_weight(const std::vector<float>& weights) {
  std::vector<std::size_t> order(weights.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return weights[a] > weights[b]; });
  return order;
}

std::vector<const Op*> attention_ops(const Graph& graph) {
  std::vector<const Op*> ops;
  for (const Op& op : graph.ops)
    if (op.kind == OpKind::kAttention) ops.push_back(&op);
  return ops;
}

}  // namespace

Stop tell_queries(const Tale& tale) {
  Teller t(5, "A question, a label, a content");
  const Op& op = *tale.first_op(OpKind::kMatmul);
  const Op& attention = *tale.first_op(OpKind::kAttention);
  const CacheLayer& cache =
      tale.graph().cache_layers[static_cast<std::size_t>(attention.cache_layer)];
  const Tensor& weight = *op.weight;
  t.say(
      format("In each layer three products make a query (what am I looking for?), a key (what "
             "am I?) and a value (what do I have to give?) of the vector: %lld queries and %lld "
             "keys and values, one for each head, of %lld numbers each.",
             static_cast<long long>(attention.heads), static_cast<long long>(cache.n_kv_heads),
             static_cast<long long>(cache.head_size_k)));
  const glass::Explanation e = tale.explain(op, 0);
  t.say(format(
      "%s is such a product: %lld rows of %lld weights. Behind its first number, %s[-1, "
      "0], are %lld products.",
      op.name.c_str(), static_cast<long long>(weight.rows()), static_cast<long long>(weight.cols()),
      op.name.c_str(), static_cast<long long>(weight.cols())));
  show_block(e, weight, t);
  t.say("All blocks added up in the engine's own order: " + result_text(e) + ". " +
        (e.is_exact() ? "The first is, bit for bit, what the engine has computed."
                      : "The engine has another number."));
  t.fact("op", op.name)
      .fact("heads", attention.heads)
      .fact("kv_heads", cache.n_kv_heads)
      .fact("head_size", cache.head_size_k)
      .fact("weight", weight.name)
      .fact("type", std::string(dtype_info(weight.type).name))
      .fact("rows", weight.rows())
      .fact("columns", weight.cols())
      .fact("first_explained", glass::to_json(e));
  return t.take();
}

Stop tell_positions(const Tale& tale) {
  Teller t(6, "Where a token stands");
  const std::int64_t position = tale.position();
  t.fact("position", position);
  const Op* rope = tale.first_op(OpKind::kRope);
  const Op* learned = tale.first_op(OpKind::kAddPositions);
  if (rope) {
    const glass::Explanation e = tale.explain(*rope, 0);
    const auto number = [](double x) { return glass::short_text(x); };
    t.say(
        format("Attention by itself does not see order. So queries and keys are turned: two "
               "numbers are a point in a plane, and the point is turned by an angle that grows "
               "with the position, here %lld. Each pair has its own speed; the fastest, in %s:",
               static_cast<long long>(position), rope->name.c_str()));
    if (e.steps.size() == 3) {
      const double angle = e.steps[0].result;
      const glass::Step& turn = e.steps[2];
      const glass::Explanation other = tale.explain(*rope, partner(tale, *rope));
      t.line("angle    " + number(angle) + format(" radians, %.1f degrees", angle * 180 / M_PI))
          .line("before   (" + number(turn.operands[0].values[0]) + ", " +
                number(turn.operands[1].values[0]) + ")")
          .line("after    (" + number(turn.result) + ", " +
                number(static_cast<double>(other.engine)) + ")");
    }
    t.say(
        "The length stays, and the product of a query and a key then depends on how far apart "
        "they stand.");
    t.fact("kind", "rotary").fact("op", rope->name).fact("first_explained", glass::to_json(e));
  } else if (learned) {
    const glass::Explanation e = tale.explain(*learned, 0);
    t.say(
        format("Attention by itself does not see order. So a learned vector for the position, "
               "%lld, was added to the token's own: the first number became %s.",
               static_cast<long long>(position), result_text(e).c_str()));
    t.fact("kind", "learned").fact("op", learned->name).fact("first_explained", glass::to_json(e));
  } else {
    t.say("This model is told nothing of positions.").fact("kind", "none");
  }
  return t.take();
}

Stop tell_attention(const Tale& tale) {
  Teller t(7, "Looking back");
  const std::vector<const Op*> ops = attention_ops(tale.graph());
  const Look look = sharpest_look(tale);
  const glass::AttentionTrace& trace = tale.looks[look.op][look.head];
  std::size_t n_heads = 0;
  for (const auto& heads : tale.looks) n_heads += heads.size();
  t.say(
      format("Now tokens look at one another. Each head compares its query with the keys of all "
             "%zu positions so far and takes their values, most from the best matches. The "
             "model has %zu heads in %zu layers. One of them, head %zu of layer %d, takes from",
             trace.weights.size(), n_heads, ops.size(), look.head, ops[look.op]->layer));
  Json list = Json::array();
  const std::vector<std::size_t> order = by_weight(trace.weights);
  for (std::size_t i = 0; i < std::min<std::size_t>(5, order.size()); ++i) {
    const std::size_t p = order[i];
    const auto w = static_cast<double>(trace.weights[p]);
    const std::string token = tale.token_at(static_cast<std::int64_t>(p));
    t.line(format("position %4zu  %s %5.1f %%  ", p, bar(w, 20).c_str(), 100 * w) + token);
    list.push_back({{"position", p},
                    {"text", token},
                    {"score", glass::json_number(static_cast<double>(trace.scores[p]))},
                    {"weight", trace.weights[p]}});
  }
  double sum = 0;
  for (const float w : trace.weights) sum += static_cast<double>(w);
  t.say(format("and so on; all shares sum to %.6f. Other heads look elsewhere:", sum));
  const auto& heads = tale.looks[look.op];
  for (std::size_t h = 0, shown = 0; h < heads.size() && shown < 3; ++h) {
    if (h == look.head) continue;
    const std::size_t p = by_weight(heads[h].weights)[0];
    t.line(format("head %zu mostly at position %zu (%.0f %%)  ", h, p,
                  100 * static_cast<double>(heads[h].weights[p])) +
           tale.token_at(static_cast<std::int64_t>(p)));
    ++shown;
  }
  t.fact("layer", ops[look.op]->layer)
      .fact("head", look.head)
      .fact("positions", trace.weights.size())
      .fact("looks_at", std::move(list))
      .fact("sum", sum)
      .fact("weights", trace.weights);
  return t.take();
}

Stop tell_feed_forward(const Tale& tale) {
  Teller t(8, "Thinking it over, each token alone");
  const Op* op = tale.first_op(OpKind::kGate);
  if (!op) op = tale.first_op(OpKind::kActivate);
  if (!op) return t.say("This model has no feed-forward part.").take();
  const std::span<const float> a = tale.row(op->output);
  std::vector<float> magnitude;
  for (const float x : a) magnitude.push_back(std::fabs(x));
  const std::vector<std::size_t> order = by_weight(magnitude);
  const float largest = magnitude[order[0]];
  const auto n_active =
      std::count_if(magnitude.begin(), magnitude.end(), [&](float x) { return x > largest / 10; });
  const std::size_t width = tale.row(tale.first_op(OpKind::kEmbed)->output).size();
  t.say(format(
      "After looking around, every token is worked on by itself: %zu numbers become %zu, "
      "a bend lets some through and stops others, and a last product brings them back "
      "to %zu. Here %s, whose largest number is %.4g; %td of %zu are more than a tenth of "
      "it. The strongest:",
      width, a.size(), width, op->name.c_str(), static_cast<double>(largest), n_active, a.size()));
  Json strongest = Json::array();
  for (std::size_t i = 0; i < std::min<std::size_t>(3, order.size()); ++i) {
    t.line(format("number %5zu   %.5g", order[i], static_cast<double>(a[order[i]])));
    strongest.push_back({{"index", order[i]}, {"value", a[order[i]]}});
  }
  const glass::Explanation e = tale.explain(*op, static_cast<std::int64_t>(order[0]));
  t.say("The strongest, worked out again: " + e.steps.back().formula + " = " + result_text(e) +
        ".");
  if (const Op* route = tale.first_op(OpKind::kRouteExperts)) {
    std::string experts;
    const std::span<const float> routes = tale.row(route->output);
    for (std::int64_t i = 0; i < route->route.n_used; ++i)
      experts +=
          format("%s%d", i ? ", " : "", static_cast<int>(routes[static_cast<std::size_t>(i)]));
    t.say(
        "This model has many such parts, experts, and uses few of them for each token; in the "
        "first layer with experts it chose number " +
        experts + ".");
    t.fact("experts", experts);
  }
  t.fact("op", op->name)
      .fact("width", a.size())
      .fact("active", n_active)
      .fact("strongest", std::move(strongest))
      .fact("strongest_explained", glass::to_json(e));
  return t.take();
}

}  // namespace galley::tools
