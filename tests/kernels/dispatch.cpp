// Which kernels run: what the CPU has, what GALLEY_ISA and select_isa say.
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "kernels/cpu.h"
#include "kernels/kernels.h"
#include "tensor/error.h"

namespace galley::kernels {
namespace {

TEST(Dispatch, NamesGoBothWays) {
  for (const Isa isa : {Isa::kScalar, Isa::kAvx2, Isa::kAvxVnni, Isa::kAvx512, Isa::kAvx512Bf16}) {
    EXPECT_EQ(isa_from_name(isa_name(isa)), isa);
  }
  EXPECT_FALSE(isa_from_name("sse9"));
  EXPECT_FALSE(isa_from_name(""));
}

TEST(Dispatch, TheCompilersRuntimeSeesTheSameCpu) {
  const CpuFeatures cpu = cpu_features();
  EXPECT_EQ(cpu.avx2, __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"));
  EXPECT_EQ(cpu.avxvnni, cpu.avx2 && __builtin_cpu_supports("avxvnni"));
  EXPECT_EQ(cpu.avx512, __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                            __builtin_cpu_supports("avx512dq") &&
                            __builtin_cpu_supports("avx512vl") &&
                            __builtin_cpu_supports("avx512vnni"));
  EXPECT_EQ(cpu.avx512bf16, cpu.avx512 && __builtin_cpu_supports("avx512bf16"));
  EXPECT_EQ(is_amd_cpu(), __builtin_cpu_is("amd") != 0);
}

TEST(Dispatch, TheBestComesFirstAndScalarIsAlwaysThere) {
  const auto isas = available_isas();
  ASSERT_FALSE(isas.empty());
  EXPECT_EQ(isas.back(), Isa::kScalar);
  for (std::size_t i = 1; i < isas.size(); ++i) EXPECT_GT(isas[i - 1], isas[i]);
}

// A CPU that has the dot product of BF16 and makes it differently would be news.
TEST(Dispatch, TheDotProductOfBf16IsTheSpecifiedOne) {
  if (!cpu_features().avx512bf16) GTEST_SKIP() << "this CPU has no AVX512-BF16";
  EXPECT_EQ(available_isas().front(), Isa::kAvx512Bf16);
}

// That a table holds the functions of its own instruction set, every one of them.
TEST(Dispatch, TablesHoldTheirOwnKernels) {
  for (const Isa isa : available_isas()) {
    const KernelTable& kernels = table(isa);
    EXPECT_EQ(kernels.isa, isa);
#define GALLEY_EXPECT_OWN(name, Args)                                \
  EXPECT_EQ(kernels.name, isa == Isa::kScalar    ? &scalar::name     \
                          : isa == Isa::kAvx2    ? &avx2::name       \
                          : isa == Isa::kAvxVnni ? &avxvnni::name    \
                          : isa == Isa::kAvx512  ? &avx512::name     \
                                                 : &avx512bf16::name) \
      << #name;
    GALLEY_KERNELS(GALLEY_EXPECT_OWN)
#undef GALLEY_EXPECT_OWN
  }
}

TEST(Dispatch, SelectIsaChangesTheTableInUse) {
  const Isa before = table().isa;
  for (const Isa isa : available_isas()) {
    select_isa(isa);
    EXPECT_EQ(table().isa, isa);
    EXPECT_EQ(&table(), &table(isa));
  }
  select_isa(before);
}

// In a process of its own, as the environment is read once: exits with the number of the
// instruction set in use, or prints the error and exits with 99.
[[noreturn]] void exit_with_isa(const char* environment) {
  setenv("GALLEY_ISA", environment, 1);
  try {
    std::exit(static_cast<int>(table().isa));
  } catch (const Error& error) {
    std::fputs(error.what(), stderr);
    std::exit(error.kind() == ErrorKind::kUsage ? 99 : 98);
  }
}

TEST(DispatchDeathTest, TheEnvironmentChooses) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  for (const Isa isa : available_isas()) {
    EXPECT_EXIT(exit_with_isa(std::string(isa_name(isa)).c_str()),
                testing::ExitedWithCode(static_cast<int>(isa)), "");
  }
  EXPECT_EXIT(exit_with_isa(""), testing::ExitedWithCode(static_cast<int>(available_isas()[0])),
              "");
  EXPECT_EXIT(exit_with_isa("sse9"), testing::ExitedWithCode(99),
              "GALLEY_ISA: unknown instruction set 'sse9'; this CPU has .*scalar");
}

}  // namespace
}  // namespace galley::kernels
