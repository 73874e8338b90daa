// Whether this CPU's dot product of BF16 gives the bits that the other instruction sets give.
#pragma once

namespace galley::kernels::avx512bf16 {

// Compares vdpbf16ps with two fused multiply-adds, for thousands of made-up operands of all sizes:
// the odd products first, each sum rounded to nearest even, denormals as zeros. That is what the
// manual says; the promise of the same bits everywhere hangs on it, so the CPU is asked, too.
// REQUIRES: the CPU has AVX512-BF16. Source: Intel 64 and IA-32 Software Developer's Manual, volume
// 2, VDPBF16PS.
bool dot_product_is_as_specified();

}  // namespace galley::kernels::avx512bf16
