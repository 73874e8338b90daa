// Products with weights: every instruction set gives the scalar bits, whatever the shape, the
// type, the weights' values and the division into parts; and the scalar ones are right.
#include "tests/kernels/kernel_test.h"

#include <string>
#include <vector>

#include "tensor/half.h"
#include "tests/kernels/matmul_runner.h"

namespace galley::test {
namespace {

constexpr DType kTypes[] = {
    DType::kF32,  DType::kF16,    DType::kBF16,   DType::kQ4_0,  DType::kQ4_1, DType::kQ5_0,
    DType::kQ5_1, DType::kQ8_0,   DType::kQ2_K,   DType::kQ3_K,  DType::kQ4_K, DType::kQ5_K,
    DType::kQ6_K, DType::kIQ4_NL, DType::kIQ4_XS, DType::kTQ1_0, DType::kTQ2_0};

class Matmul : public IsaTest {
 protected:
  std::vector<float> run(const kernels::KernelTable& isa, const Weights& w,
                         const std::vector<float>& x, std::int64_t tokens, int n_parts = 1) {
    return run_matmul(isa.quantize_rows, isa.matmul, w, x, tokens, n_parts);
  }
};

TEST_P(Matmul, IsTheScalarOne) {
  Random random(7);
  for (const DType type : kTypes) {
    const std::int64_t step = std::max<std::int64_t>(dtype_info(type).block_elements, 1);
    for (const std::int64_t tokens : {1, 2, 3, 4, 5, 6, 7, 12, 13, 40}) {
      for (const std::int64_t rows : {1, 15, 16, 40, 75}) {
        const std::int64_t cols = step * random.integer(1, step == 256 ? 5 : step == 32 ? 40 : 600);
        const Weights w = random_weights(type, rows, cols, random);
        const std::vector<float> x = random.floats(tokens * cols);
        EXPECT_TRUE(same_bits(run(scalar(), w, x, tokens), run(kernels(), w, x, tokens), rows))
            << dtype_info(type).name << " [" << rows << ", " << cols << "] times " << tokens;
      }
    }
  }
}

GALLEY_FOR_EACH_ISA(Matmul);

}  // namespace
}  // namespace galley::test
