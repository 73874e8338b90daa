// The end of the road for a type without a kernel, which the matmuls of all instruction sets share.
// Declarations only.
#pragma once

#include "tensor/dtype_enum.h"

namespace galley::kernels {

// Aborts, naming `type`: there is no matmul for it. (The model's loader refuses such files.)
[[noreturn]] void no_matmul_for(DType type);

}  // namespace galley::kernels
