// Which numbers a change is about: `blk.2.attn_out[4, :]` as an op, positions and columns.
#pragma once

#include <string_view>

#include "tools/glass/value_ref.h"
#include "tools/step/debugger.h"

namespace galley::step {

struct ChangeTarget {
  Change change;           // op, positions and columns are filled in
  Value value;             // of the op
  glass::IndexRange rows;  // of this pass; all of them where none are named
  bool names_rows = false;
};

// Reads `text`. Rows that are named are positions of this pass; without them the change holds from
// this pass on. Throws Error kUsage if there is no such value or part, or if it cannot be changed.
ChangeTarget change_target(Debugger& d, std::string_view text);

}  // namespace galley::step
