#include "kernels/quantized_rows.h"

#include <string>

#include "kernels/kernels.h"
#include "tensor/error.h"

namespace galley::kernels {

BlockWalk block_walk(std::int64_t n_blocks) {
  BlockWalk walk{};
  std::int64_t place = 0;
  for (const int i : {0, 4, 2, 6, 1, 5, 3, 7}) {
    walk.start[i] = place;
    place += (n_blocks - i + 7) / 8;
  }
  return walk;
}

std::size_t quantized_rows_bytes(std::int64_t tokens, std::int64_t cols) {
  GALLEY_CHECK(cols % 32 == 0, "quantized rows of " + std::to_string(cols) + " columns");
  return static_cast<std::size_t>(tokens * (cols / 32) * kQuantizedBlockBytes);
}

}  // namespace galley::kernels
