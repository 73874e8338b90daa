// Products with F32, F16 and BF16 weights.
#pragma once

#include "kernels/args.h"

namespace galley::kernels::avx512 {

// kernels::matmul for these three types: y [tokens, rows] from args.x [tokens, cols] and weights
// [rows, cols], this part's rows, added up in the order of docs/exactness.md. Throws nothing.
void matmul_float(const MatmulArgs& args, Part part);

}  // namespace galley::kernels::avx512
