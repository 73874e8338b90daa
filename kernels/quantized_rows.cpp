#include "kernels/quantized_rows.h"

#include <string>

#include "kernels/kernels.h"
#include "kernels/panel_walk.h"
#include "tensor/error.h"

namespace galley::kernels {

BlockWalk block_walk(std::int64_t n_blocks) {
  const Walk<8> turns(n_blocks);
  BlockWalk walk{};
  for (int turn = 0; turn < 8; ++turn) walk.start[partial_of_turn<8>(turn)] = turns.start[turn];
  return walk;
}

std::size_t quantized_rows_bytes(std::int64_t tokens, std::int64_t cols) {
  GALLEY_CHECK(cols % 32 == 0, "quantized rows of " + std::to_string(cols) + " columns");
  return static_cast<std::size_t>(tokens * (cols / 32) * kQuantizedBlockBytes);
}

}  // namespace galley::kernels
