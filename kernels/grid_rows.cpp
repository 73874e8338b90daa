#include "kernels/grid_rows.h"

#include <cstring>

#include "kernels/matmul_types.h"
#include "tensor/dtype.h"
#include "tensor/grid_codes.h"

namespace galley::kernels {
namespace {

template <class Block>
void look_up(const std::byte* rows, std::int64_t n_blocks, BlockGrid* out) {
  const auto* blocks = reinterpret_cast<const Block*>(rows);
  for (std::int64_t b = 0; b < n_blocks; ++b) {
    for (int g = 0; g < 8; ++g) {
      const GridCodes group = grid_codes(blocks[b], g);
      for (int i = 0; i < 32; ++i)
        out[b].codes[32 * g + i] = static_cast<std::uint8_t>(group.code[i] + 64);
      std::memcpy(out[b].scales + 2 * g, group.scale, 2);
      out[b].d = group.d;
    }
  }
}

}  // namespace

bool has_grid(DType type) {
  switch (type) {
    case DType::kIQ2_XXS:
    case DType::kIQ2_XS:
    case DType::kIQ2_S:
    case DType::kIQ3_XXS:
    case DType::kIQ3_S:
    case DType::kIQ1_S:
    case DType::kIQ1_M:
      return true;
    default:
      return false;
  }
}

std::int64_t grid_row_bytes(DType type, std::int64_t cols) { return row_bytes(type, cols); }

void look_up_rows(DType type, const std::byte* rows, std::int64_t n_rows, std::int64_t cols,
                  BlockGrid* out) {
  const std::int64_t n = n_rows * (cols / 256);
  switch (type) {
    case DType::kIQ2_XXS:
      return look_up<BlockIQ2_XXS>(rows, n, out);
    case DType::kIQ2_XS:
      return look_up<BlockIQ2_XS>(rows, n, out);
    case DType::kIQ2_S:
      return look_up<BlockIQ2_S>(rows, n, out);
    case DType::kIQ3_XXS:
      return look_up<BlockIQ3_XXS>(rows, n, out);
    case DType::kIQ3_S:
      return look_up<BlockIQ3_S>(rows, n, out);
    case DType::kIQ1_S:
      return look_up<BlockIQ1_S>(rows, n, out);
    case DType::kIQ1_M:
      return look_up<BlockIQ1_M>(rows, n, out);
    default:
      no_matmul_for(type);
  }
}

}  // namespace galley::kernels
