// Sizes that the matmul kernels and their callers agree on; the kernels are in scalar/, avx2/
// and avx512/.
#include <algorithm>
#include <string>

#include "kernels/kernels.h"
#include "tensor/error.h"

namespace galley::kernels {
namespace {

constexpr std::size_t kAlignment = 64;

std::size_t aligned(std::int64_t n_bytes) {
  return (static_cast<std::size_t>(n_bytes) + kAlignment - 1) / kAlignment * kAlignment;
}

}  // namespace

bool uses_quantized_rows(DType weight_type) { return dtype_info(weight_type).block_elements > 1; }

std::size_t matmul_scratch_bytes(DType weight_type, std::int64_t /*rows*/, std::int64_t cols,
                                 std::int64_t /*tokens*/) {
  // One unpacked row: floats, or the codes of each block (scalar/block_codes.h).
  constexpr std::int64_t kBlockCodesBytes = 64;
  return uses_quantized_rows(weight_type) ? aligned(cols / 32 * kBlockCodesBytes)
                                          : aligned(cols * 4);
}

}  // namespace galley::kernels
