// Floats too small to be normal count as zero, while an object of this kind exists.
//
// Where it sits: products of BF16 weights with activations rounded to BF16. The instruction that
// makes two of them at once (vdpbf16ps) always takes such floats for zero, so the code that does
// the same with ordinary multiply-adds has to as well.
#pragma once

#include <cstdint>

#include "kernels/unroll.h"

namespace galley::kernels {

// Sets two bits of this thread's MXCSR: denormals are zeros (inputs), flush to zero (results); and
// puts back what was there. The arithmetic must be in a function that is called, not inlined, or
// the compiler may move it out. Source: Intel 64 and IA-32 Software Developer's Manual, volume 1,
// chapter 10.2.3.
class FlushDenormals {
 public:
  GALLEY_INLINE FlushDenormals() : before_(control()) { set_control(before_ | 0x8040u); }
  GALLEY_INLINE ~FlushDenormals() { set_control(before_); }
  FlushDenormals(const FlushDenormals&) = delete;
  FlushDenormals& operator=(const FlushDenormals&) = delete;

 private:
  GALLEY_INLINE static std::uint32_t control() {
    std::uint32_t value;
    __asm__ volatile("stmxcsr %0" : "=m"(value));
    return value;
  }
  GALLEY_INLINE static void set_control(std::uint32_t value) {
    __asm__ volatile("ldmxcsr %0" : : "m"(value) : "memory");
  }

  std::uint32_t before_;
};

}  // namespace galley::kernels
