// Looking up the codebook types (IQ1, IQ2, IQ3), a super-block at once.
//
// Where it sits: grid_matmul.h, of all vector instruction sets.
#include "kernels/grid_rows.h"

#include <immintrin.h>

#include "kernels/avx2/dword_lanes.h"
#include "kernels/matmul_types.h"
#include "kernels/row_unpack_grid.h"

namespace galley::kernels::avx2 {
namespace {

// What was unpacked for a product with one token, as a BlockGrid.
void store(const RowGroup<DwordLanes>& group, BlockGrid* out) {
  for (int i = 0; i < 8; ++i) {  // halves of blocks 2 j and 2 j + 1
    auto* to = reinterpret_cast<__m128i*>(out->codes + i / 2 * 64 + i % 2 * 16);
    _mm_storeu_si128(to, _mm256_castsi256_si128(group.codes[i].v));
    _mm_storeu_si128(to + 2, _mm256_extracti128_si256(group.codes[i].v, 1));
  }
  for (int half = 0; half < 2; ++half) {
    alignas(32) std::int32_t scale[8];
    _mm256_store_si256(reinterpret_cast<__m256i*>(scale), group.scales.scale[half].v);
    for (int b = 0; b < 8; ++b) {
      out->scales[2 * b + half] = static_cast<std::int8_t>(scale[lane_of_block(b)]);
    }
  }
  out->d = _mm256_cvtss_f32(group.scales.d.v);
}

template <class Block>
void look_up(const std::byte* rows, std::int64_t n_blocks, BlockGrid* out) {
  const auto* type = static_cast<const Block*>(nullptr);
  for (std::int64_t b = 0; b < n_blocks; ++b) {
    const std::byte* block = rows + b * static_cast<std::int64_t>(sizeof(Block));
    store(unpack_row_group<DwordLanes>(type, block, 0), out + b);
  }
}

}  // namespace

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

}  // namespace galley::kernels::avx2
