// print, stats and heat: the numbers of a value.
#include <algorithm>
#include <cmath>
#include <functional>

#include "tools/glass/explanation.h"
#include "tools/output.h"
#include "tools/step/command_functions.h"
#include "tools/step/show.h"
#include "tools/step/values.h"

namespace galley::step {
namespace {

using tools::format;

constexpr std::int64_t kAllColumns = 8;    // more are shortened, unless they were asked for
constexpr std::int64_t kAllRows = 16;      // likewise
constexpr std::int64_t kPerLine = 8;       // numbers
constexpr std::int64_t kHeatColumns = 64;  // characters
constexpr std::int64_t kHeatRows = 40;     // lines

// Indices to show of [begin, end): all, or the first and last ones with -1 for the gap between.
std::vector<std::int64_t> shown_indices(const glass::IndexRange& range, std::int64_t limit,
                                        bool is_given) {
  std::vector<std::int64_t> indices;
  const bool all = is_given || range.size() <= limit;
  for (std::int64_t i = range.begin; i < range.end; ++i) {
    // With the gap they are as many as the limit.
    const bool in_head = i < range.begin + limit / 2 + 1;
    const bool in_tail = i >= range.end - (limit / 2 - 2);
    if (all || in_head || in_tail)
      indices.push_back(i);
    else if (indices.back() != -1)
      indices.push_back(-1);
  }
  return indices;
}

// Eight numbers to a line, each line with its row and first column in front.
void print_row(const std::string& row_label, const std::vector<float>& row,
               std::int64_t first_column, const std::vector<std::int64_t>& columns, Reply& reply) {
  std::int64_t on_line = 0;
  for (std::int64_t c : columns) {
    if (on_line == 0)
      reply.text += format("%-12s", format("[%s, %lld]", row_label.c_str(), as_ll(c)).c_str());
    reply.text +=
        c < 0 ? std::string("        ...")
              : format(" %10.4g",
                       static_cast<double>(row[static_cast<std::size_t>(c - first_column)]));
    if (++on_line == kPerLine) on_line = 0, reply.text += "\n";
  }
  if (on_line != 0) reply.text += "\n";
}

Json row_json(const std::vector<float>& row) {
  Json values = Json::array();
  for (float x : row) values.push_back(glass::json_number(static_cast<double>(x)));
  return values;
}

// The rows of one head (or of a value without heads).
Json print_rows(const Selection& s, std::int64_t head, Reply& reply) {
  const std::size_t dim = s.n_dimensions() - 2;
  const glass::IndexRange& rows = s.ranges()[dim];
  const glass::IndexRange& columns = s.ranges()[dim + 1];
  const auto shown_columns = shown_indices(columns, kAllColumns, s.is_given(dim + 1));
  const auto shown_rows = shown_indices(rows, kAllRows, s.is_given(dim));
  Json all = Json::array();
  for (std::int64_t r = rows.begin; r < rows.end; ++r) {
    const std::vector<float> row = s.row(head, r);
    all.push_back(row_json(row));
    const auto shown = std::find(shown_rows.begin(), shown_rows.end(), r);
    if (shown == shown_rows.end()) continue;
    const std::string label =
        s.has_heads() ? format("%lld, %lld", as_ll(head), as_ll(r)) : format("%lld", as_ll(r));
    print_row(label, row, columns.begin, shown_columns, reply);
    if (shown + 1 != shown_rows.end() && shown[1] < 0) reply.text += "...\n";
  }
  return all;
}

// Calls `see` with every number of the selection and where it is.
void for_each(const Selection& s, const std::function<void(std::int64_t head, std::int64_t row,
                                                           std::int64_t column, double x)>& see) {
  const std::size_t dim = s.n_dimensions() - 2;
  const glass::IndexRange heads = s.has_heads() ? s.ranges()[0] : glass::IndexRange{0, 1};
  for (std::int64_t h = heads.begin; h < heads.end; ++h)
    for (std::int64_t r = s.ranges()[dim].begin; r < s.ranges()[dim].end; ++r) {
      const std::vector<float> row = s.row(h, r);
      for (std::size_t c = 0; c < row.size(); ++c)
        see(h, r, s.ranges()[dim + 1].begin + static_cast<std::int64_t>(c),
            static_cast<double>(row[c]));
    }
}

struct Stats {
  std::int64_t n = 0, n_zero = 0, n_infinite = 0;
  double low = INFINITY, high = -INFINITY, sum = 0, squares = 0;
  std::string low_at, high_at;

  // Infinite numbers (hidden positions) and not-a-number are counted, not added.
  void add(double x, const std::string& at) {
    ++n;
    if (!std::isfinite(x)) {
      ++n_infinite;
      return;
    }
    if (x == 0) ++n_zero;
    if (x < low) low = x, low_at = at;
    if (x > high) high = x, high_at = at;
    sum += x;
    squares += x * x;
  }
  double count() const { return static_cast<double>(std::max<std::int64_t>(1, n - n_infinite)); }
  double mean() const { return sum / count(); }
  double rms() const { return std::sqrt(squares / count()); }
  double deviation() const { return std::sqrt(std::max(0.0, squares / count() - mean() * mean())); }
};

Json stats_json(const Stats& s) {
  return {
      {"n", s.n},          {"min", glass::json_number(s.low)}, {"max", glass::json_number(s.high)},
      {"mean", s.mean()},  {"deviation", s.deviation()},       {"rms", s.rms()},
      {"zeros", s.n_zero}, {"not_finite", s.n_infinite}};
}

}  // namespace

void print(Debugger& d, const Arguments& a, Reply& reply) {
  const Selection s(d, a.rest);
  reply.data = {{"name", s.name()}, {"shape", s.sizes()}, {"part", s.part_text()}};
  if (s.is_one_number()) {
    const std::int64_t head = s.has_heads() ? s.ranges()[0].begin : 0;
    const float x = s.row(head, s.ranges()[s.n_dimensions() - 2].begin)[0];
    reply.text = s.name() + s.part_text() + " = " + glass::float_text(x) + "\n";
    reply.data["values"] = glass::json_number(static_cast<double>(x));
    return;
  }
  reply.text = s.name() + s.part_text() + "\n";
  Json all = Json::array();
  if (s.has_heads()) {
    for (std::int64_t h = s.ranges()[0].begin; h < s.ranges()[0].end; ++h)
      all.push_back(print_rows(s, h, reply));
  } else {
    all = print_rows(s, 0, reply);
  }
  reply.data["values"] = std::move(all);
}

void stats(Debugger& d, const Arguments& a, Reply& reply) {
  const Selection s(d, a.rest);
  Stats all;
  std::vector<std::pair<std::string, Stats>> rows;
  for_each(s, [&](std::int64_t h, std::int64_t r, std::int64_t c, double x) {
    const std::string row =
        s.has_heads() ? format("[%lld, %lld", as_ll(h), as_ll(r)) : format("[%lld", as_ll(r));
    if (rows.empty() || rows.back().first != row) rows.push_back({row, {}});
    const std::string at = row + format(", %lld]", as_ll(c));
    rows.back().second.add(x, at);
    all.add(x, at);
  });
  reply.text = s.name() + s.part_text() + "\n";
  reply.text += format("  numbers    %lld, %lld of them zero", as_ll(all.n), as_ll(all.n_zero));
  if (all.n_infinite > 0) reply.text += format(", %lld not finite", as_ll(all.n_infinite));
  reply.text += format("\n  min        %-12.6g at %s\n  max        %-12.6g at %s\n", all.low,
                       all.low_at.c_str(), all.high, all.high_at.c_str());
  reply.text += format("  mean       %.6g\n  deviation  %.6g\n  rms        %.6g\n", all.mean(),
                       all.deviation(), all.rms());
  reply.data = stats_json(all);
  reply.data["name"] = s.name();
  if (rows.size() < 2 || static_cast<std::int64_t>(rows.size()) > kAllRows) return;
  reply.text += "  row              min         max        mean         rms\n";
  for (const auto& [row, st] : rows)
    reply.text += format("  %-8s %11.4g %11.4g %11.4g %11.4g\n", (row + "]").c_str(), st.low,
                         st.high, st.mean(), st.rms());
}

namespace {

// Where each of `n` cells begins when [0, size) is cut into them.
std::int64_t cell_begin(std::int64_t cell, std::int64_t n, std::int64_t size) {
  return cell * size / n;
}

// One character for `x` in [-1, 1]: its size as a shade, or with colours its sign, too.
std::string heat_cell(double x, bool color) {
  if (!color) {
    static const char* const kShades[] = {" ", "░", "▒", "▓", "█"};
    const auto i = static_cast<std::size_t>(std::min(4.0, std::ceil(std::abs(x) * 4 - 1e-9)));
    return kShades[i];
  }
  // The 6 x 6 x 6 colours of a terminal: from white to red above zero, to blue below.
  const int fade = 5 - static_cast<int>(std::lround(std::min(1.0, std::abs(x)) * 5));
  const int red = x >= 0 ? 5 : fade, blue = x >= 0 ? fade : 5;
  return format("\033[48;5;%dm \033[0m", 16 + 36 * red + 6 * fade + blue);
}

}  // namespace

void heat(Debugger& d, const Arguments& a, Reply& reply) {
  const Selection s(d, a.rest);
  const std::size_t dim = s.n_dimensions() - 2;
  const std::int64_t width = s.ranges()[dim + 1].size();
  const std::int64_t n_cells = std::min(width, kHeatColumns);
  struct Line {
    std::string label;
    std::vector<double> cells;  // of each, the number farthest from zero
  };
  std::vector<Line> lines;
  double largest = 0;
  for_each(s, [&](std::int64_t h, std::int64_t r, std::int64_t c, double x) {
    const std::string label =
        s.has_heads() ? format("[%lld, %lld]", as_ll(h), as_ll(r)) : format("[%lld]", as_ll(r));
    if (lines.empty() || lines.back().label != label)
      lines.push_back({label, std::vector<double>(static_cast<std::size_t>(n_cells), 0.0)});
    if (!std::isfinite(x)) return;
    const std::int64_t offset = c - s.ranges()[dim + 1].begin;
    std::int64_t cell = offset * n_cells / width;
    while (cell + 1 < n_cells && cell_begin(cell + 1, n_cells, width) <= offset) ++cell;
    double& kept = lines.back().cells[static_cast<std::size_t>(cell)];
    if (std::abs(x) > std::abs(kept)) kept = x;
    largest = std::max(largest, std::abs(x));
  });
  reply.text = s.name() + s.part_text();
  reply.text += width > n_cells ? format(", %.3g columns in each cell: the one farthest from 0\n",
                                         static_cast<double>(width) / static_cast<double>(n_cells))
                                : "\n";
  reply.data = {{"name", s.name()}, {"part", s.part_text()}, {"largest", largest}};
  Json cells = Json::array();
  const auto n_lines = static_cast<std::int64_t>(lines.size());
  for (std::int64_t i = 0; i < n_lines; ++i) {
    if (n_lines > kHeatRows && i >= kHeatRows - 8 && i < n_lines - 8) continue;
    if (n_lines > kHeatRows && i == n_lines - 8) reply.text += "...\n";
    const Line& line = lines[static_cast<std::size_t>(i)];
    std::string bar;
    for (double x : line.cells) bar += heat_cell(largest > 0 ? x / largest : 0, d.color());
    reply.text += format("%-9s |", line.label.c_str()) + bar + "|\n";
    cells.push_back(line.cells);
  }
  reply.data["cells"] = std::move(cells);
  reply.text += d.color() ? heat_cell(-1, true) + format(" -%.4g  ", largest) + heat_cell(0, true) +
                                " 0  " + heat_cell(1, true) + format(" %.4g\n", largest)
                          : format("░ to %.4g, ▒ to %.4g, ▓ to %.4g, █ to %.4g from zero\n",
                                   largest / 4, largest / 2, largest * 3 / 4, largest);
}

}  // namespace galley::step
