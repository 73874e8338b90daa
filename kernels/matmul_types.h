// What the matmuls of all instruction sets share: scratch sizes, and the end of the road for a type
// without a kernel. Declarations only.
#pragma once

#include <cstdint>

#include "tensor/dtype_enum.h"

namespace galley::kernels {

// Aborts, naming `type`: there is no matmul for it. (The model's loader refuses such files.)
[[noreturn]] void no_matmul_for(DType type);

// Bytes of scratch that the panels of BlockMatmul take, a multiple of 64.
std::int64_t panel_bytes(std::int64_t cols);

}  // namespace galley::kernels
