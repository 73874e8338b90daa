#include "kernels/cpu.h"

#include <cpuid.h>

#include <cstdint>

namespace galley::kernels {
namespace {

// The four result registers of CPUID; all zero for a leaf the CPU does not have.
struct Cpuid {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
};

Cpuid cpuid(unsigned leaf, unsigned subleaf = 0) {
  Cpuid r;
  if (__get_cpuid_count(leaf, subleaf, &r.eax, &r.ebx, &r.ecx, &r.edx) == 0) return {};
  return r;
}

// The register sets that the operating system saves on a switch (XCR0). Only after CPUID has
// said that the instruction exists (OSXSAVE).
std::uint64_t saved_register_sets() {
  std::uint32_t low = 0;
  std::uint32_t high = 0;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return static_cast<std::uint64_t>(high) << 32 | low;
}

bool has(unsigned reg, int bit) { return (reg >> bit & 1u) != 0; }

}  // namespace

CpuFeatures cpu_features() {
  const Cpuid one = cpuid(1);
  const Cpuid seven = cpuid(7);
  const Cpuid seven_1 = cpuid(7, 1);
  const bool osxsave = has(one.ecx, 27);
  if (!osxsave) return {};
  const std::uint64_t saved = saved_register_sets();
  constexpr std::uint64_t kYmm = 0x06;  // SSE and AVX state
  constexpr std::uint64_t kZmm = 0xe6;  // and the mask registers and both parts of ZMM

  const bool avx = has(one.ecx, 28);
  const bool fma = has(one.ecx, 12);
  const bool f16c = has(one.ecx, 29);
  const bool avx2 = has(seven.ebx, 5);
  const bool f = has(seven.ebx, 16);
  const bool dq = has(seven.ebx, 17);
  const bool bw = has(seven.ebx, 30);
  const bool vl = has(seven.ebx, 31);
  const bool vnni = has(seven.ecx, 11);

  CpuFeatures found;
  found.avx2 = avx && fma && f16c && avx2 && (saved & kYmm) == kYmm;
  found.avxvnni = found.avx2 && has(seven_1.eax, 4);
  found.avx512 = found.avx2 && f && dq && bw && vl && vnni && (saved & kZmm) == kZmm;
  found.avx512bf16 = found.avx512 && has(seven_1.eax, 5);
  return found;
}

bool is_amd_cpu() {
  const Cpuid maker = cpuid(0);  // its name, in this order of registers
  return maker.ebx == signature_AMD_ebx && maker.edx == signature_AMD_edx &&
         maker.ecx == signature_AMD_ecx;
}

}  // namespace galley::kernels
