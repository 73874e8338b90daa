// The comparators of kernel_test.h reject what they should.
#include "tests/kernels/kernel_test.h"

namespace galley::test {
namespace {

TEST(KernelTest, SameBitsNoticesTheLastBit) {
  std::vector<float> a = Random(1).floats(100);
  std::vector<float> b = a;
  EXPECT_TRUE(same_bits(a, b));
  b[37] = std::nextafter(b[37], kInf);
  const auto result = same_bits(a, b, 10);
  EXPECT_FALSE(result);
  EXPECT_NE(std::string(result.message()).find("row 3, column 7"), std::string::npos)
      << result.message();
}

TEST(KernelTest, SameBitsNoticesSignsSizesAndNaNs) {
  const std::vector<float> zero = {0.0f};
  const std::vector<float> minus_zero = {-0.0f};
  const std::vector<float> nan = {kNaN};
  const std::vector<float> other_nan = {-kNaN};
  EXPECT_FALSE(same_bits(zero, minus_zero));
  EXPECT_FALSE(same_bits(zero, nan));
  EXPECT_TRUE(same_bits(nan, other_nan));
  EXPECT_FALSE(same_bits(zero, std::vector<float>{}));
}

TEST(KernelTest, WithinNoticesWhatIsOutside) {
  const std::vector<double> expected = {1.0, -2.0};
  const std::vector<double> bounds = {0.1, 0.1};
  EXPECT_TRUE(within(expected, bounds, std::vector<float>{1.05f, -2.05f}));
  EXPECT_FALSE(within(expected, bounds, std::vector<float>{1.05f, -2.15f}));
  EXPECT_FALSE(within(expected, bounds, std::vector<float>{-1.0f, -2.0f}));
  EXPECT_FALSE(within(expected, bounds, std::vector<float>{1.0f, kNaN}));
  EXPECT_FALSE(within(expected, bounds, std::vector<float>{1.0f}));
}

TEST(KernelTest, RunPartsRunsEachOnce) {
  struct Args {
    std::vector<int>* seen;
  };
  std::vector<int> seen;
  const auto kernel = [](const Args& args, Part part) {
    EXPECT_EQ(part.count, 3);
    args.seen->push_back(part.index);
  };
  run_parts<Args>(kernel, Args{&seen}, 3);
  EXPECT_EQ(seen, (std::vector<int>{2, 1, 0}));
}

}  // namespace
}  // namespace galley::test
