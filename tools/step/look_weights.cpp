// weights: a weight tensor, and one of its blocks field by field.
#include <algorithm>
#include <cmath>

#include "tensor/dequantize.h"
#include "tensor/error.h"
#include "tensor/message.h"
#include "tools/glass/block_fields.h"
#include "tools/glass/explanation.h"
#include "tools/output.h"
#include "tools/step/command_functions.h"
#include "tools/step/show.h"

namespace galley::step {
namespace {

using tools::format;

const Tensor& find_tensor(Debugger& d, const std::string& name) {
  const GgufFile& file = d.run().model().file();
  // Inside a layer "attn_q.weight" is enough, and so is "attn_q".
  const std::string in_layer = "blk." + std::to_string(d.layer()) + "." + name;
  for (const std::string& full : {name, name + ".weight", in_layer, in_layer + ".weight"})
    if (const Tensor* found = file.find_tensor(full)) return *found;
  std::vector<std::string> names;
  for (const Tensor& t : file.tensors()) names.push_back(t.name);
  throw Error(ErrorKind::kUsage, "there is no tensor " + in_quotes(name) + suggestion(name, names));
}

std::string users_of(const Graph& graph, const Tensor& tensor) {
  std::string text;
  for (const Op& op : graph.ops)
    if ((op.weight && op.weight->name == tensor.name) || (op.bias && op.bias->name == tensor.name))
      text += (text.empty() ? "" : ", ") + op.name;
  return text.empty() ? "nobody" : text;
}

void describe(Debugger& d, const Tensor& t, Reply& reply) {
  const DTypeInfo& type = dtype_info(t.type);
  reply.text = format("%s %s %s, %s bytes\n", t.name.c_str(), t.shape_string().c_str(),
                      std::string(type.name).c_str(),
                      with_commas(static_cast<std::uint64_t>(t.n_bytes)).c_str());
  if (type.block_elements > 1)
    reply.text += format("  blocks    %lld in each of %lld rows: %lld weights in %lld bytes\n",
                         as_ll(t.cols() / type.block_elements), as_ll(t.rows()),
                         as_ll(type.block_elements), as_ll(type.block_bytes));
  double low = INFINITY, high = -INFINITY, squares = 0;
  std::vector<float> row(static_cast<std::size_t>(t.cols()));
  for (std::int64_t r = 0; r < t.rows(); ++r) {
    dequantize_row(t.type, t.row(r), row);
    for (float f : row) {
      const auto x = static_cast<double>(f);
      low = std::min(low, x), high = std::max(high, x), squares += x * x;
    }
  }
  reply.text += format("  values    min %.4g  max %.4g  rms %.4g\n", low, high,
                       std::sqrt(squares / static_cast<double>(t.n_elements())));
  reply.text += cat({"  used by   ", users_of(d.run().graph(), t), "\n"});
  reply.data = {{"name", t.name}, {"type", type.name}, {"shape", t.shape}, {"bytes", t.n_bytes}};
}

// A list of numbers, eight on a line.
std::string number_lines(const std::vector<double>& values, bool is_integer) {
  std::string text;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (i % 8 == 0) text += i == 0 ? "     " : "\n     ";
    text += is_integer ? format(" %8.0f", values[i]) : format(" %8.4g", values[i]);
  }
  return text + "\n";
}

std::string hex_lines(const std::vector<std::uint8_t>& bytes) {
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (i % 24 == 0) text += format(i == 0 ? "  %3zu:" : "\n  %3zu:", i);
    text += format(" %02x", bytes[i]);
  }
  return text + "\n";
}

void show_block(const Tensor& t, std::int64_t r, std::int64_t b, Reply& reply) {
  const glass::BlockFields block = glass::decode_block(t, r, b);
  const DTypeInfo& type = dtype_info(t.type);
  const std::int64_t first = b * type.block_elements;
  reply.text =
      format("%s row %lld, block %lld: columns %lld to %lld, %s, %zu bytes\n", t.name.c_str(),
             as_ll(r), as_ll(b), as_ll(first), as_ll(first + type.block_elements - 1),
             std::string(type.name).c_str(), block.bytes.size());
  reply.text += "  " + block.formula + "\n" + hex_lines(block.bytes);
  Json fields = Json::array();
  for (const glass::BlockField& f : block.fields) {
    const std::string place =
        f.end > f.begin
            ? format(f.end - f.begin == 1 ? "byte %d" : "bytes %d to %d", f.begin, f.end - 1)
            : "";
    reply.text += format("  %-7s %s%s%s", f.name.c_str(), f.meaning.c_str(),
                         place.empty() ? "" : ", ", place.c_str());
    if (f.values.size() == 1)
      reply.text +=
          cat({": ", f.is_integer ? format("%.0f", f.values[0]) : glass::short_text(f.values[0]),
               "\n"});
    else
      reply.text += cat({"\n", number_lines(f.values, f.is_integer)});
    fields.push_back({{"name", f.name}, {"begin", f.begin}, {"end", f.end}, {"values", f.values}});
  }
  const std::vector<double> weights(block.weights.begin(), block.weights.end());
  reply.text += cat({"  weights\n", number_lines(weights, false)});
  reply.data = {{"name", t.name},       {"row", r},          {"block", b}, {"fields", fields},
                {"bytes", block.bytes}, {"weights", weights}};
}

}  // namespace

void weights(Debugger& d, const Arguments& a, Reply& reply) {
  constexpr const char* kUsage = "weights TENSOR [row R] [block B]";
  a.need(1, 5, kUsage);
  const Tensor& tensor = find_tensor(d, a[0]);
  if (a.size() == 1) return describe(d, tensor, reply);
  std::int64_t row = 0, block = 0;
  for (std::size_t i = 1; i < a.size(); i += 2) {
    if (a.is(i, "row"))
      row = a.integer(i + 1, "the row", 0, tensor.rows() - 1);
    else if (a.is(i, "block"))
      block = a.integer(i + 1, "the block of the row", 0, glass::blocks_per_row(tensor) - 1);
    else
      throw Error(ErrorKind::kUsage, "weights: there is no " + in_quotes(a[i]) + "; " + kUsage);
  }
  show_block(tensor, row, block, reply);
}

}  // namespace galley::step
