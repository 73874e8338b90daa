#include "tools/step/changes.h"

#include <algorithm>

namespace galley::step {
namespace {

void apply(const Change& change, std::int64_t position, std::span<float> row) {
  const auto columns =
      row.subspan(static_cast<std::size_t>(change.begin_column),
                  static_cast<std::size_t>(change.end_column - change.begin_column));
  switch (change.kind) {
    case Change::Kind::kSet:
      std::fill(columns.begin(), columns.end(), change.amount);
      break;
    case Change::Kind::kScale:
      for (float& x : columns) x *= change.amount;
      break;
    case Change::Kind::kCopy:
      std::copy_n(change.data.begin() + (position - change.begin_position) *
                                            static_cast<std::int64_t>(columns.size()),
                  columns.size(), columns.begin());
      break;
  }
}

}  // namespace

std::int64_t position_of_row(RunView& run, Value value, std::int64_t r) {
  const bool is_output = run.graph().info(value).rows == Rows::kOutputs;
  const std::int64_t token = is_output ? run.outputs()[static_cast<std::size_t>(r)] : r;
  return run.positions()[static_cast<std::size_t>(token)];
}

void apply_changes(std::span<const Change> changes, RunView& run, int op) {
  for (const Change& change : changes) {
    if (change.op != op) continue;
    const Value value = run.graph().ops[static_cast<std::size_t>(op)].output;
    const bool is_output = run.graph().info(value).rows == Rows::kOutputs;
    const std::int64_t n_rows = is_output ? run.n_outputs() : run.n_tokens();
    for (std::int64_t r = 0; r < n_rows; ++r) {
      const std::int64_t position = position_of_row(run, value, r);
      if (position >= change.begin_position && position < change.end_position)
        apply(change, position, run.row(value, r));
    }
  }
}

}  // namespace galley::step
