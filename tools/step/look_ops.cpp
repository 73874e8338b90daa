// list, where, why, shape and explain: what the ops are, and where one number comes from.
#include <algorithm>

#include "model/op_table.h"
#include "tensor/error.h"
#include "tools/glass/explain_cell.h"
#include "tools/glass/value_ref.h"
#include "tools/output.h"
#include "tools/step/command_functions.h"
#include "tools/step/show.h"
#include "tools/step/values.h"

namespace galley::step {
namespace {

using tools::format;

constexpr int kListBefore = 4, kListAfter = 7;

const Op& op_at(Debugger& d, int op) { return d.run().graph().ops[static_cast<std::size_t>(op)]; }

Json op_json(Debugger& d, int op) {
  const Op& o = op_at(d, op);
  return {{"op", op},
          {"name", o.name},
          {"kind", op_kind_info(o.kind).name},
          {"layer", o.layer},
          {"made", op < d.run().next_op()}};
}

// The op that makes the value `a[0]` names, or the next one.
int chosen_op(Debugger& d, const Arguments& a) {
  if (!a.empty()) return glass::find_value(d.run().graph(), a[0], d.layer()).op;
  return std::min(d.run().next_op(), d.run().n_ops() - 1);
}

// The ops [begin, end) that `list` shows.
std::pair<int, int> listed(Debugger& d, const Arguments& a) {
  const int n_ops = d.run().n_ops();
  if (a.is(0, "all")) return {0, n_ops};
  if (a.is(0, "layer")) {
    const auto layer =
        static_cast<int>(a.integer(1, "the layer", 0, d.run().model().config().n_layers - 1));
    int begin = 0;
    while (op_at(d, begin).layer != layer) ++begin;
    int end = begin;
    while (end < n_ops && op_at(d, end).layer == layer) ++end;
    return {begin, end};
  }
  a.need(0, 1, "list [VALUE | layer N | all]");
  const int at = a.empty() ? d.run().next_op() : chosen_op(d, a);
  return {std::max(0, at - kListBefore), std::min(n_ops, at + kListAfter)};
}

std::string names_of(const Graph& graph, const std::vector<Value>& values) {
  std::string text;
  for (Value v : values) text += (text.empty() ? "" : ", ") + graph.info(v).name;
  return text;
}

std::string tensor_text(const Tensor& tensor) {
  return tensor.name + " " + tensor.shape_string() + " " +
         std::string(dtype_info(tensor.type).name);
}

std::vector<Value> readers_of(const Graph& graph, Value value) {
  std::vector<Value> readers;
  for (const Op& op : graph.ops)
    for (Value input : op.inputs)
      if (input.id == value.id) {
        readers.push_back(op.output);
        break;
      }
  return readers;
}

}  // namespace

void list(Debugger& d, const Arguments& a, Reply& reply) {
  const auto [begin, end] = listed(d, a);
  reply.data = Json::array();
  for (int op = begin; op < end; ++op) {
    reply.text += (op == d.run().next_op() ? "=> " : "   ") + op_line(d.run(), op, false) + "\n";
    reply.data.push_back(op_json(d, op));
  }
  if (end == d.run().n_ops() && d.run().pass_is_over()) reply.text += "=> the end of the pass\n";
}

void where(Debugger& d, const Arguments& a, Reply& reply) {
  a.need(0, 0, "where");
  DebugRun& run = d.run();
  const auto ids = run.ids();
  const auto part = [&](std::int64_t begin, std::int64_t end) {
    return text_of(run.model(), ids.subspan(static_cast<std::size_t>(begin),
                                            static_cast<std::size_t>(end - begin)));
  };
  const std::int64_t begin = run.pass_begin(), end = run.pass_end();
  reply.text = "text  ";
  if (begin > 0) reply.text += part(0, begin) + " then ";
  reply.text += format("[%s]", part(begin, end).c_str());
  if (end < static_cast<std::int64_t>(ids.size()))
    reply.text += cat({" then ", part(end, static_cast<std::int64_t>(ids.size()))});
  reply.text +=
      format("\npass  %lld of %zu tokens, positions %lld to %lld; op %d of %d", as_ll(end - begin),
             ids.size(), as_ll(begin), as_ll(end - 1), run.next_op(), run.n_ops());
  if (d.layer() >= 0)
    reply.text += format("; layer %d of %lld", d.layer(), as_ll(run.model().config().n_layers));
  reply.text += cat({"\n", d.position()});
  if (!run.changes().empty()) reply.text += format("%zu changes\n", run.changes().size());
  reply.data = d.position_json();
}

void why(Debugger& d, const Arguments& a, Reply& reply) {
  a.need(0, 1, "why [VALUE]");
  const int index = chosen_op(d, a);
  const Op& op = op_at(d, index);
  const Graph& graph = d.run().graph();
  const OpKindInfo& info = op_kind_info(op.kind);
  reply.text = format("%s: %s, op %d\n", op.name.c_str(), std::string(info.name).c_str(), index);
  reply.text += cat({"  formula  ", info.formula, "\n"});
  reply.text += cat({"  shapes   ", info.shape, "\n"});
  if (!op.inputs.empty()) reply.text += "  inputs ";
  for (Value input : op.inputs)
    reply.text += cat({"  ", graph.info(input).name, " ", shape_text(d.run(), input)});
  if (!op.inputs.empty()) reply.text += "\n";
  if (op.weight) reply.text += cat({"  weights  ", tensor_text(*op.weight), "\n"});
  if (op.bias) reply.text += cat({"  bias     ", tensor_text(*op.bias), "\n"});
  reply.text += cat({"  output   ", op.name, " ", shape_text(d.run(), op.output), "\n"});
  reply.text += wrapped(std::string(info.purpose), 78, "  ");
  reply.text += cat({"  more: docs/", info.lesson, "\n"});
  reply.data = op_json(d, index);
  reply.data["formula"] = info.formula;
  reply.data["purpose"] = info.purpose;
  reply.data["lesson"] = info.lesson;
}

void shape(Debugger& d, const Arguments& a, Reply& reply) {
  a.need(0, 1, "shape [VALUE]");
  const Graph& graph = d.run().graph();
  const int index = a.empty() ? std::max(0, d.last_op()) : chosen_op(d, a);
  const Op& op = op_at(d, index);
  const ValueInfo& info = graph.info(op.output);
  reply.text = op.name + " " + shape_text(d.run(), op.output) + " float32";
  if (info.cache_layer >= 0)
    reply.text = op.name + " " + shape_text(d.run(), op.output) + " in the cache";
  reply.text += info.rows == Rows::kTokens
                    ? (info.cache_layer >= 0 ? ", a row for each position\n"
                                             : ", a row for each token of the pass\n")
                    : ", a row for each token whose logits are wanted\n";
  if (info.parent >= 0)
    reply.text += format("  columns %lld to %lld of %s\n", as_ll(info.offset),
                         as_ll(info.offset + info.width - 1),
                         graph.values[static_cast<std::size_t>(info.parent)].name.c_str());
  reply.text +=
      format("  made by op %d, %s", index, std::string(op_kind_info(op.kind).name).c_str());
  if (!op.inputs.empty()) reply.text += cat({" of ", names_of(graph, op.inputs)});
  const std::vector<Value> readers = readers_of(graph, op.output);
  reply.text += "\n  read by " + (readers.empty() ? "nobody" : names_of(graph, readers)) + "\n";
  reply.data = op_json(d, index);
  reply.data["width"] = info.width;
}

void explain(Debugger& d, const Arguments& a, Reply& reply) {
  a.need(1, 2, "explain VALUE[ROW, COLUMN] [all]");
  const bool all = a.is(1, "all");
  if (a.size() == 2 && !all)
    throw Error(ErrorKind::kUsage, "explain VALUE[ROW, COLUMN] can be followed by 'all' only");
  const StoppedData data = d.run().data();
  const glass::Cell cell = glass::parse_cell(data, a[0], d.layer());
  if (cell.named.op >= d.run().next_op())
    throw Error(ErrorKind::kUsage, cell.named.name + " has not been made yet; run-until " +
                                       cell.named.name + " goes there");
  const glass::Explanation explanation = glass::explain_cell(data, cell);
  glass::TextOptions options;
  options.all = all;
  reply.text = glass::to_text(explanation, options);
  reply.data = glass::to_json(explanation);
}

}  // namespace galley::step
