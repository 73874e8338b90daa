#include "tools/step/show.h"

#include <algorithm>
#include <cmath>

#include "model/op_table.h"
#include "tools/output.h"
#include "tools/token_text.h"

namespace galley::step {

using tools::escaped;
using tools::format;

namespace {

// "min -1.2  max 3.4  rms 0.9" of all rows of a value that has been made.
std::string summary(DebugRun& run, Value value) {
  const StoppedData data = run.data();
  double low = INFINITY, high = -INFINITY, squares = 0;
  std::int64_t n = 0;
  for (std::int64_t r = 0; r < data.n_rows(value); ++r)
    for (float f : data.row(value, r)) {
      const auto x = static_cast<double>(f);
      low = std::min(low, x), high = std::max(high, x), squares += x * x, ++n;
    }
  if (n == 0) return "";
  return format("  min %.4g  max %.4g  rms %.4g", low, high,
                std::sqrt(squares / static_cast<double>(n)));
}

}  // namespace

std::string cat(std::initializer_list<std::string_view> parts) {
  std::string text;
  for (std::string_view part : parts) text += part;
  return text;
}

std::string token_text(const Model& model, TokenId id) {
  if (!model.tokenizer().has_vocab()) return std::to_string(id);
  return escaped(model.tokenizer().piece(id));
}

std::string text_of(const Model& model, std::span<const TokenId> ids) {
  if (model.tokenizer().has_vocab()) return escaped(model.tokenizer().decode(ids));
  std::string text;
  for (TokenId id : ids) text += cat({text.empty() ? "" : " ", std::to_string(id)});
  return text;
}

std::string shape_text(DebugRun& run, Value value) {
  const ValueInfo& info = run.graph().info(value);
  std::int64_t rows = run.pass_end() - run.pass_begin();
  if (info.cache_layer >= 0) rows = run.pass_end();
  if (info.rows == Rows::kOutputs) rows = run.view().n_outputs();
  return format("[%lld, %lld]", static_cast<long long>(rows), static_cast<long long>(info.width));
}

std::string op_line(DebugRun& run, int op, bool with_values) {
  const Op& o = run.graph().ops[static_cast<std::size_t>(op)];
  std::string text =
      format("%3d  %-22s %-14s %s", op, o.name.c_str(),
             std::string(op_kind_info(o.kind).name).c_str(), shape_text(run, o.output).c_str());
  if (with_values && run.data().is_made(o.output) && run.graph().info(o.output).cache_layer < 0)
    text += summary(run, o.output);
  return text;
}

std::string wrapped(const std::string& text, std::size_t width, const std::string& indent) {
  std::string lines, line;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t end = std::min(text.find(' ', i), text.size());
    const std::string word = text.substr(i, end - i);
    if (!line.empty() && indent.size() + line.size() + 1 + word.size() > width) {
      lines += indent + line + "\n";
      line.clear();
    }
    line += (line.empty() ? "" : " ") + word;
    i = end + 1;
  }
  return lines + indent + line + "\n";
}

std::string fitted(const std::string& text, std::size_t width) {
  std::string kept;
  std::size_t n = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool begins = (static_cast<unsigned char>(text[i]) & 0xC0) != 0x80;
    if (begins && ++n > width) break;
    kept += text[i];
  }
  n = std::min(n, width);
  return std::string(width - n, ' ') + kept;
}

std::string left(const std::string& text, std::size_t width) {
  const auto n = static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
  return text + std::string(n < width ? width - n : 0, ' ');
}

std::string number_text(double x) { return format("%.6g", x); }

std::string percent_text(double p) { return format("%.1f%%", 100 * p); }

}  // namespace galley::step
