// Re-derives one number of a run from the numbers it was made of.
//
// Where it sits: behind `explain` of the debugger and the page. It works for every op of the
// graph and for attention scores and weights. The arithmetic is that of the scalar kernels'
// own building blocks (kernels/scalar/), which specify every bit.
#pragma once

#include <string_view>

#include "tools/glass/explanation.h"
#include "tools/glass/run_data.h"
#include "tools/glass/value_ref.h"

namespace galley::glass {

// Explains `cell` of `run`. Throws Error kUsage if an input was not recorded or the cell does not
// exist (a hidden position of attention is explained, not refused).
Explanation explain_cell(const RunData& run, const Cell& cell);
// The same from text such as "blk.0.ffn_up[5, 17]", inside `layer` if >= 0.
Explanation explain_cell(const RunData& run, std::string_view reference, int layer = -1);

}  // namespace galley::glass
