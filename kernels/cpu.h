// What the CPU, and the operating system under it, can run.
//
// Where it sits: kernels.cpp asks once to choose a table of kernels, read_ahead.cpp to choose a way
// of reading.
#pragma once

namespace galley::kernels {

struct CpuFeatures {
  bool avx2 = false;        // AVX2, FMA and F16C, and the system saves the 256-bit registers
  bool avxvnni = false;     // avx2 and AVX-VNNI
  bool avx512 = false;      // avx2, and AVX-512 F, BW, DQ, VL and VNNI with 512-bit registers saved
  bool avx512bf16 = false;  // avx512 and AVX512-BF16
};

// Asks CPUID and XGETBV. Source: Intel 64 and IA-32 Software Developer's Manual, volume 1,
// chapters 14.3 and 15.2 (what to check before using AVX and AVX-512).
CpuFeatures cpu_features();

// Whether CPUID names AMD as its maker. For what is a matter of speed only. Source: AMD64
// Architecture Programmer's Manual, volume 3, appendix E.3 (function 0).
bool is_amd_cpu();

}  // namespace galley::kernels
