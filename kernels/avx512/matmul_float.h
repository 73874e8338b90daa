// Products with F32, F16 and BF16 weights.
#pragma once

#include "kernels/args.h"

namespace galley::kernels::avx512 {

// kernels::matmul for these three types; args.x holds the activations.
void matmul_float(const MatmulArgs& args, Part part);

}  // namespace galley::kernels::avx512
