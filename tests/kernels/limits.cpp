// The machine's limits: which arithmetic a type has, and that measuring gives usable figures.
#include "kernels/limits.h"

#include <gtest/gtest.h>

#include "tests/kernels/kernel_test.h"
#include "tests/kernels/matmul_runner.h"

namespace galley::test {
namespace {

using kernels::Arithmetic;
using kernels::Limits;

class LimitsTest : public IsaTest {};
GALLEY_FOR_EACH_ISA(LimitsTest);

kernels::LimitsOptions quick() {
  kernels::LimitsOptions options;
  options.n_threads = 2;
  options.read_bytes = 1 << 24;
  options.read_seconds = 0.01;
  options.multiply_seconds = 0.01;
  return options;
}

TEST_P(LimitsTest, AreMeasured) {
  const Limits limits = kernels::measure_limits(GetParam(), quick());
  EXPECT_EQ(limits.isa, GetParam());
  EXPECT_EQ(limits.n_threads, 2);
  EXPECT_LE(limits.read_bytes, 1 << 24);
  EXPECT_GT(limits.read_gb_per_s, 0.05);
  for (const Arithmetic a :
       {Arithmetic::kF32, Arithmetic::kBf16, Arithmetic::kInt8, Arithmetic::kInt4}) {
    SCOPED_TRACE(kernels::arithmetic_name(a));
    // No CPU makes more than 4096 products in a cycle of 0.1 ns on two cores.
    EXPECT_LT(limits.peak(a), 2 * 4096 * 10.0);
    if (GetParam() == Isa::kScalar || (a == Arithmetic::kBf16 && GetParam() != Isa::kAvx512Bf16)) {
      EXPECT_EQ(limits.peak(a), 0);
    } else {
      EXPECT_GT(limits.peak(a), 0.1);
    }
  }
}

TEST_P(LimitsTest, EveryMatmulTypeHasAnArithmetic) {
  for (const DType type : kMatmulTypes) {
    const Arithmetic arithmetic = kernels::arithmetic_of(type, GetParam());
    EXPECT_EQ(arithmetic == Arithmetic::kF32 || arithmetic == Arithmetic::kBf16,
              !kernels::uses_quantized_rows(type));
  }
  EXPECT_EQ(kernels::arithmetic_of(DType::kQ8_0, GetParam()), Arithmetic::kInt8);
  EXPECT_EQ(kernels::arithmetic_of(DType::kQ4_K, GetParam()) == Arithmetic::kInt8,
            GetParam() >= Isa::kAvx512);
}

TEST(Limits, LeastTimeIsTheLongerOne) {
  const Limits limits = {.isa = Isa::kAvx2,
                         .n_threads = 1,
                         .read_bytes = 1,
                         .read_gb_per_s = 10,
                         .gmac_per_s = {50, 0, 100, 0}};
  EXPECT_DOUBLE_EQ(least_seconds(limits, Arithmetic::kF32, 50e9, 5e9), 1.0);
  EXPECT_DOUBLE_EQ(least_seconds(limits, Arithmetic::kInt8, 50e9, 5e9), 0.5);
  EXPECT_DOUBLE_EQ(least_seconds(limits, Arithmetic::kInt8, 50e9, 20e9), 2.0);
  EXPECT_DOUBLE_EQ(least_seconds(limits, Arithmetic::kInt4, 50e9, 5e9), 0.5);  // not measured
}

}  // namespace
}  // namespace galley::test
