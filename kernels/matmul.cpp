// Sizes that the matmul kernels and their callers agree on; the kernels are in scalar/, avx2/,
// avxvnni/ and avx512/.
#include <algorithm>
#include <cstdlib>
#include <string>

#include "kernels/float_panels.h"
#include "kernels/kernels.h"
#include "kernels/matmul_types.h"
#include "kernels/token_groups.h"
#include "tensor/error.h"

namespace galley::kernels {
namespace {

constexpr std::int64_t kAlignment = 64;

std::size_t aligned(std::int64_t n_bytes) {
  return static_cast<std::size_t>((n_bytes + kAlignment - 1) / kAlignment * kAlignment);
}

}  // namespace

void no_matmul_for(DType type) {
  GALLEY_CHECK(false,
               "matmul: no kernel for weights of type " + std::string(dtype_info(type).name));
  std::abort();
}

bool uses_quantized_rows(DType weight_type) { return dtype_info(weight_type).block_elements > 1; }

std::size_t matmul_scratch_bytes(DType weight_type, std::int64_t /*rows*/, std::int64_t cols,
                                 std::int64_t tokens) {
  if (!uses_quantized_rows(weight_type)) {
    // Whole tiles of activations and a panel (or, for few tokens, rows of whole registers).
    const std::int64_t n_rows = tokens + kFloatTileMaxTokens + kFloatPanelMaxRows;
    return aligned(4 * n_rows * (cols + 1) + kAlignment);
  }
  // A panel: two units of 16 rows, and for each block 8 registers of codes and up to 5 of scales
  // and minimums (avx512/block_step.h). That is also enough for the other instruction sets, and for
  // the groups of a tile of tokens (token_groups.h).
  constexpr std::int64_t kPanelBlockBytes = 2 * (8 + 5) * 64;
  static_assert(8 * kPanelBlockBytes >=
                kTileTokens * static_cast<std::int64_t>(sizeof(TokenGroup)));
  return aligned((cols + 255) / 256 * 8 * kPanelBlockBytes);
}

}  // namespace galley::kernels
