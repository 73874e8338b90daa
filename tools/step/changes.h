// Changes to a run: parts of values that are overwritten as soon as an op has made them.
//
// Where it sits: `set`, `scale` and `patch` of the debugger add to the list, DebugRun applies it
// after every op. A change is tied to positions of the text, not to rows of a batch, so that it
// means the same however the text is cut into batches, and however often a batch is run again.
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "model/observer.h"

namespace galley::step {

// What happens to the columns [begin_column, end_column) of the rows of `op`'s output that belong
// to the positions [begin_position, end_position).
struct Change {
  enum class Kind {
    kSet,    // x = amount
    kScale,  // x = x * amount
    kCopy    // x = data[position - begin_position, column - begin_column]
  };
  static constexpr std::int64_t kForEver = std::numeric_limits<std::int64_t>::max();

  std::string text;  // as the user wrote it
  Kind kind = Kind::kSet;
  int op = -1;
  std::int64_t begin_position = 0;
  std::int64_t end_position = kForEver;
  std::int64_t begin_column = 0;
  std::int64_t end_column = 0;
  float amount = 0;
  std::vector<float> data;  // kCopy: [positions, columns]

  // Whether it holds for one or more positions, but not for all from some position on.
  bool is_bounded() const { return end_position != kForEver; }
};

// Applies those of `changes`, in order, that are for the op that has just run.
void apply_changes(std::span<const Change> changes, RunView& run, int op);

// The position of the text that row `r` of `value` belongs to.
std::int64_t position_of_row(RunView& run, Value value, std::int64_t r);

}  // namespace galley::step
