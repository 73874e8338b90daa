// Weights with codebooks (IQ1, IQ2, IQ3) as rows of plain 8-bit blocks.
//
// Where it sits: a look-up in a codebook does not go well with one row per vector lane. So the
// vector matmuls let some rows be looked up first (grid_matmul.h; avx2/grid_rows.cpp does it for
// all of them), and then treat them as any other type. Plain declarations only.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tensor/dtype_enum.h"

namespace galley::kernels {

// 256 weights looked up, in 276 bytes: w[i] = d * scales[i / 16] * (codes[i] - 64)
//   0..3 d (float32) | 4..19 scales (1 to 31) | 20..275 codes (2 to 126)
struct BlockGrid {
  float d;
  std::int8_t scales[16];
  std::uint8_t codes[256];
};
static_assert(sizeof(BlockGrid) == 276);

// The codebooks of tensor/grids.h with a byte for each level (IQ3: four in an entry, else eight),
// the first weight's lowest: 64 + level, of IQ1 64 + 8 times the level -1, 0 or 1.
struct Codebooks {
  std::uint64_t iq2_xxs[256], iq2_xs[512], iq2_s[1024];
  std::uint32_t iq3_xxs[256], iq3_s[512];
  std::uint64_t iq1[2048];
};

// Made from constants before main() begins.
extern const Codebooks kCodebooks;

// Rows that are looked up at once.
inline constexpr std::int64_t kGridRows = 32;

// True for the types that go this way.
bool has_grid(DType type);

// Bytes of a row of `type`. REQUIRES: has_grid(type); cols a multiple of 256.
std::int64_t grid_row_bytes(DType type, std::int64_t cols);

namespace avx2 {
// Looks up n_rows rows of `type`, [n_rows, cols], into `out`, [n_rows, cols / 256].
// REQUIRES: has_grid(type); cols a multiple of 256.
void look_up_rows(DType type, const std::byte* rows, std::int64_t n_rows, std::int64_t cols,
                  BlockGrid* out);
}  // namespace avx2

}  // namespace galley::kernels
