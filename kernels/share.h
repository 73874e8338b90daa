// How the parts of the team divide the work of a kernel.
//
// Where it sits: every kernel calls it once, to turn its `Part` into a range of rows (or of
// whatever it loops over). Declarations only, so that instruction-set files may include it.
#pragma once

#include <cstdint>

#include "kernels/args.h"

namespace galley::kernels {

// The items begin .. end - 1.
struct Range {
  std::int64_t begin = 0;
  std::int64_t end = 0;
};

// The items of `part` when `n` of them are divided as equally as possible, in order: the
// parts' ranges follow one another and their sizes differ by at most one. n >= 0.
Range share(std::int64_t n, Part part);

// The columns of row `token` that fall to `part` when the elements of all rows are divided, in
// pieces of 16 columns: so one token keeps several parts busy. Empty for most tokens of a batch.
Range share_columns(std::int64_t tokens, std::int64_t width, std::int64_t token, Part part);

}  // namespace galley::kernels
