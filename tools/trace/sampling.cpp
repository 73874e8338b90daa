// Which rows and columns of a value a trace keeps.
#include <algorithm>

#include "tools/trace/trace.h"

namespace galley::trace {

std::vector<Range> kept_columns(const TraceSampling& sampling, std::int64_t width) {
  if (width <= sampling.max_columns) return {{0, width}};
  const std::int64_t n_runs = std::max<std::int64_t>(1, sampling.max_columns / TraceSampling::kRun);
  const std::int64_t length = std::min(TraceSampling::kRun, sampling.max_columns);
  // Runs begin at multiples of kRun, so that they are whole blocks of the quantized types.
  const std::int64_t n_blocks = (width + TraceSampling::kRun - 1) / TraceSampling::kRun;
  std::vector<Range> ranges;
  for (std::int64_t i = 0; i < n_runs; ++i) {
    const std::int64_t begin = i * n_blocks / n_runs * TraceSampling::kRun;
    ranges.emplace_back(begin, std::min(width, begin + length));
  }
  return ranges;
}

std::vector<Range> kept_positions(const TraceSampling& sampling, std::int64_t n_prompt) {
  if (n_prompt <= sampling.max_rows) return {{0, n_prompt}};
  const std::int64_t first = std::min(TraceSampling::kFirstRows, sampling.max_rows / 2);
  return {{0, first}, {n_prompt - (sampling.max_rows - first), n_prompt}};
}

std::int64_t count(const std::vector<Range>& ranges) {
  std::int64_t n = 0;
  for (const auto& [begin, end] : ranges) n += end - begin;
  return n;
}

bool contains(const std::vector<Range>& ranges, std::int64_t i) {
  return std::any_of(ranges.begin(), ranges.end(),
                     [i](const Range& r) { return i >= r.first && i < r.second; });
}

}  // namespace galley::trace
