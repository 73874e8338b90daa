// Looking up the codebook types (IQ1, IQ2, IQ3): 32 weights at once.
//
// Where it sits: grid_matmul.h, of all vector instruction sets (grid_entries.h says what is looked
// up where).
#include "kernels/grid_rows.h"

#include <immintrin.h>

#include "kernels/avx2/dword_lanes.h"
#include "kernels/grid_entries.h"
#include "kernels/matmul_types.h"

namespace galley::kernels::avx2 {
namespace {

// The codes of group g: 32 bytes in order. (To of_eights and with_signs they are two blocks of 16.)
template <class Block>
__m256i codes_of(const Block& block, int g) {
  const DwordLanes codes = DwordLanes::of_eights(
      [&](int /*row*/, int upper, int i) { return entry(block, g, 2 * upper + i); });
  if constexpr (requires { minus(block, g, 0); }) {
    const DwordLanes negative = DwordLanes::of_eights(
        [&](int /*row*/, int upper, int i) { return minus(block, g, 2 * upper + i); });
    return with_signs(codes, negative).v;
  } else if constexpr (requires { signs(block, g); }) {
    const std::uint32_t bits = signs(block, g);
    const auto half = [bits](int /*row*/, int upper) { return bits >> (16 * upper) & 0xffffu; };
    return DwordLanes::with_signs(codes, half).v;
  } else {
    return codes.v;
  }
}

template <class Block>
void look_up(const std::byte* rows, std::int64_t n_blocks, BlockGrid* out) {
  const auto* blocks = reinterpret_cast<const Block*>(rows);
  for (std::int64_t b = 0; b < n_blocks; ++b) {
    for (int g = 0; g < 8; ++g) {
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(out[b].codes + 32 * g),
                          codes_of(blocks[b], g));
      for (int half = 0; half < 2; ++half) {
        out[b].scales[2 * g + half] = static_cast<std::int8_t>(2 * scale(blocks[b], g, half) + 1);
      }
    }
    out[b].d = _cvtsh_ss(static_cast<std::uint16_t>(half_d(blocks[b]))) * kGridFactor<Block>;
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
