// attention: how much each head of a layer looks at each position.
#include <algorithm>
#include <cmath>

#include "tensor/error.h"
#include "tensor/message.h"
#include "tools/glass/attention_trace.h"
#include "tools/output.h"
#include "tools/step/command_functions.h"
#include "tools/step/show.h"

namespace galley::step {
namespace {

using tools::format;

constexpr std::int64_t kMaxPositions = 12;  // columns of a table, the last ones
constexpr std::int64_t kMaxRows = 24;

// The attention op of a layer.
int attention_op(DebugRun& run, std::int64_t layer) {
  const auto& ops = run.graph().ops;
  for (std::size_t i = 0; i < ops.size(); ++i)
    if (ops[i].kind == OpKind::kAttention && ops[i].layer == layer) return static_cast<int>(i);
  throw Error(ErrorKind::kUsage, "layer " + std::to_string(layer) + " has no attention");
}

std::string header(DebugRun& run, std::int64_t first, std::int64_t end, const char* corner) {
  std::string text = format("%-14s", corner);
  for (std::int64_t p = first; p < end; ++p) text += format(" %5lld", as_ll(p));
  text += "\n              ";
  for (std::int64_t p = first; p < end; ++p) {
    std::string piece = token_text(run.model(), run.ids()[static_cast<std::size_t>(p)]);
    if (piece.size() >= 2 && piece.front() == '"') piece = piece.substr(1, piece.size() - 2);
    text += cat({" ", fitted(piece, 5)});
  }
  return text + "\n";
}

// One line: the weights at the positions [first, end), in percent.
std::string weights_line(const std::string& label, const glass::AttentionTrace& trace,
                         std::int64_t first, std::int64_t end) {
  std::string text = format("%-14s", label.c_str());
  double shown = 0, sum = 0;
  for (float w : trace.weights) sum += static_cast<double>(w);
  for (std::int64_t p = first; p < end; ++p) {
    if (p > trace.position) {
      text += "     .";
      continue;
    }
    const auto w = static_cast<double>(trace.weights[static_cast<std::size_t>(p)]);
    shown += w;
    text += format(" %5.1f", 100 * w);
  }
  if (first > 0) text += format("   and %.1f before", 100 * (sum - shown));
  return text + "\n";
}

struct Asked {
  std::int64_t layer = 0;
  std::optional<std::int64_t> head, token;
};

Asked read_arguments(DebugRun& run, const Arguments& a) {
  constexpr const char* kUsage = "attention LAYER [head H] [token T]";
  a.need(1, 5, kUsage);
  Asked asked;
  asked.layer = a.integer(0, "the layer", 0, run.model().config().n_layers - 1);
  const Op& op = run.graph().ops[static_cast<std::size_t>(attention_op(run, asked.layer))];
  for (std::size_t i = 1; i < a.size(); i += 2) {
    if (a.is(i, "head"))
      asked.head = a.integer(i + 1, "the head", 0, op.heads - 1);
    else if (a.is(i, "token"))
      asked.token =
          a.integer(i + 1, "the token of this pass", 0, run.pass_end() - run.pass_begin() - 1);
    else
      throw Error(ErrorKind::kUsage, "attention: there is no " + in_quotes(a[i]) + "; " + kUsage);
  }
  return asked;
}

}  // namespace

void attention(Debugger& d, const Arguments& a, Reply& reply) {
  DebugRun& run = d.run();
  const Asked asked = read_arguments(run, a);
  const int index = attention_op(run, asked.layer);
  const Op& op = run.graph().ops[static_cast<std::size_t>(index)];
  if (index >= run.next_op())
    throw Error(ErrorKind::kUsage,
                op.name + " has not been made yet; run-until " + op.name + " goes there");
  const StoppedData data = run.data();
  const std::int64_t n_tokens = run.pass_end() - run.pass_begin();
  const std::int64_t end = run.pass_end();
  const std::int64_t first = std::max<std::int64_t>(0, end - kMaxPositions);
  reply.data = {{"layer", asked.layer}, {"op", op.name}, {"rows", Json::array()}};
  const auto add = [&](const std::string& label, std::int64_t token, std::int64_t head) {
    const glass::AttentionTrace trace = glass::trace_attention(data, op, token, head);
    reply.text += weights_line(label, trace, first, end);
    reply.data["rows"].push_back({{"head", head},
                                  {"token", token},
                                  {"position", trace.position},
                                  {"weights", trace.weights}});
  };
  if (asked.head && !asked.token) {
    reply.text = format(
        "%s, head %lld: percent of its attention that each token (row) gives each "
        "position\n",
        op.name.c_str(), as_ll(*asked.head));
    reply.text += header(run, first, end, "token");
    for (std::int64_t t = std::max<std::int64_t>(0, n_tokens - kMaxRows); t < n_tokens; ++t)
      add(format("%lld", as_ll(run.pass_begin() + t)), t, *asked.head);
    return;
  }
  const std::int64_t token = asked.token.value_or(n_tokens - 1);
  reply.text =
      format("%s, token %lld %s: percent of each head's attention at each position\n",
             op.name.c_str(), as_ll(run.pass_begin() + token),
             token_text(run.model(), run.ids()[static_cast<std::size_t>(run.pass_begin() + token)])
                 .c_str());
  reply.text += header(run, first, end, "head");
  for (std::int64_t h = asked.head.value_or(0); h <= asked.head.value_or(op.heads - 1); ++h)
    add(format("%lld", as_ll(h)), token, h);
}

}  // namespace galley::step
