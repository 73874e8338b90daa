// Products with weights that have codebooks: some rows are looked up, then multiplied.
//
// Where it sits: the vector matmuls call this for the types of grid_rows.h. Looking up costs
// more than multiplying with one token, so decoding is bound by it, not by memory; in prefill it is
// done once for all tokens.
#pragma once

#include "kernels/grid_rows.h"
#include "kernels/matmul_types.h"
#include "kernels/quantized_matmul.h"

namespace galley::kernels {

// The eight groups of a super-block that has been looked up.
template <class V, class Sink>
GALLEY_INLINE inline void unpack_group(const BlockGrid* /*type*/, const std::byte* rows,
                                       std::int64_t stride, Sink& sink) {
  V dword[69];
  load_dwords<276>(rows, stride, dword);
  const auto d = as_floats(dword[0]);
  unroll<8>([&](auto i) GALLEY_INLINE {
    constexpr int g = decltype(i)::value;
    constexpr int byte = 2 * g % 4;
    V codes[8];
    for (int k = 0; k < 8; ++k) codes[k] = dword[5 + 8 * g + k];
    Scales<V> scales = {.d = d};
    scales.scale[0] = signed_byte_of<byte>(dword[1 + g / 2]);
    scales.scale[1] = signed_byte_of<byte + 1>(dword[1 + g / 2]);
    sink.block(g, codes, scales);
  });
}

// One token: rows are looked up in registers, on the way. More: in chunks, which are then products
// of BlockGrid; args.scratch begins with the panels of BlockMatmul; behind them the rows looked up
// (matmul_scratch_bytes).
template <class BlockIsa, class RowIsa, class Block>
void grid_matmul(const MatmulArgs& args, Part part) {
  if (args.tokens == 1) return RowMatmul<RowIsa, Block>::run(args, part);
  auto* looked_up = reinterpret_cast<BlockGrid*>(args.scratch + panel_bytes(args.cols));
  const std::int64_t row_bytes = grid_row_bytes(args.type, args.cols);
  const Range chunks = share((args.rows + kGridRows - 1) / kGridRows, part);
  for (std::int64_t chunk = chunks.begin; chunk < chunks.end; ++chunk) {
    const std::int64_t row = chunk * kGridRows;
    MatmulArgs some = args;
    some.rows = args.rows - row < kGridRows ? args.rows - row : kGridRows;
    some.weights = reinterpret_cast<const std::byte*>(looked_up);
    some.y = args.y + row;
    avx2::look_up_rows(args.type, args.weights + row * row_bytes, some.rows, args.cols, looked_up);
    quantized_matmul<BlockIsa, RowIsa, BlockGrid>(some, {0, 1});
  }
}

}  // namespace galley::kernels
