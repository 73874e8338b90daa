// add, scale, softcap, activate: every instruction set gives the scalar bits, for any input.
#include "tests/kernels/kernel_test.h"

namespace galley::test {
namespace {

using kernels::Activation;

class Elementwise : public IsaTest {};
GALLEY_FOR_EACH_ISA(Elementwise);

constexpr Activation kActivations[] = {Activation::kSilu,        Activation::kGeluTanh,
                                       Activation::kGeluErf,     Activation::kRelu,
                                       Activation::kReluSquared, Activation::kSigmoid};

constexpr std::int64_t kWidths[] = {1, 5, 8, 15, 16, 17, 23, 40, 100, 333};

// Rows of different strides, mixing everyday values with every kind of float.
struct Rows {
  Rows(Random& random, std::int64_t n_tokens, std::int64_t n_columns)
      : tokens(n_tokens),
        width(n_columns),
        a_stride(n_columns + random.integer(0, 2)),
        b_stride(n_columns + random.integer(0, 2)),
        y_stride(n_columns + 1),
        a(random.floats(n_tokens * a_stride, 4.0f)),
        b(random.bit_patterns(n_tokens * b_stride)) {
    random.spoil(a, 20);
  }
  std::vector<float> output() const {
    return std::vector<float>(static_cast<std::size_t>(tokens * y_stride), 42.0f);
  }
  std::int64_t tokens, width, a_stride, b_stride, y_stride;
  std::vector<float> a, b;
};

TEST_P(Elementwise, AddIsTheScalarOne) {
  Random random(1);
  for (const std::int64_t width : kWidths) {
    const Rows rows(random, random.integer(1, 4), width);
    for (const std::int64_t b_stride : {std::int64_t{0}, rows.b_stride}) {
      std::vector<float> expected = rows.output();
      kernels::AddArgs args{rows.a.data(), rows.a_stride, rows.b.data(),   b_stride,
                            rows.tokens,   width,         expected.data(), rows.y_stride};
      scalar().add(args, Part{});
      for (const int n_parts : kPartCounts) {
        std::vector<float> actual = rows.output();
        args.y = actual.data();
        run_parts(kernels().add, args, n_parts);
        EXPECT_TRUE(same_bits(expected, actual, rows.y_stride)) << width << " x " << n_parts;
      }
    }
  }
}

TEST_P(Elementwise, ScaleIsTheScalarOne) {
  Random random(2);
  for (const std::int64_t width : kWidths) {
    const Rows rows(random, random.integer(1, 4), width);
    std::vector<float> expected = rows.output();
    kernels::ScaleArgs args{rows.b.data(), rows.b_stride,   rows.tokens,  width,
                            0.3f,          expected.data(), rows.y_stride};
    scalar().scale(args, Part{});
    for (const int n_parts : kPartCounts) {
      std::vector<float> actual = rows.output();
      args.y = actual.data();
      run_parts(kernels().scale, args, n_parts);
      EXPECT_TRUE(same_bits(expected, actual, rows.y_stride)) << width << " x " << n_parts;
    }
  }
}

TEST_P(Elementwise, SoftcapIsTheScalarOne) {
  Random random(3);
  for (const std::int64_t width : kWidths) {
    const Rows rows(random, random.integer(1, 4), width);
    for (const auto* x : {&rows.a, &rows.b}) {
      std::vector<float> expected = rows.output();
      kernels::SoftcapArgs args{x->data(),    x == &rows.a ? rows.a_stride : rows.b_stride,
                                rows.tokens,  width,
                                0.9f,         expected.data(),
                                rows.y_stride};
      scalar().softcap(args, Part{});
      for (const int n_parts : kPartCounts) {
        std::vector<float> actual = rows.output();
        args.y = actual.data();
        run_parts(kernels().softcap, args, n_parts);
        EXPECT_TRUE(same_bits(expected, actual, rows.y_stride)) << width << " x " << n_parts;
      }
    }
  }
}

TEST_P(Elementwise, ActivateIsTheScalarOne) {
  Random random(4);
  for (const Activation f : kActivations) {
    for (const std::int64_t width : kWidths) {
      const Rows rows(random, random.integer(1, 4), width);
      for (const float* up : {rows.b.data(), static_cast<const float*>(nullptr)}) {
        std::vector<float> expected = rows.output();
        kernels::ActivateArgs args{f,     rows.a.data(),   rows.a_stride,
                                   up,    rows.b_stride,   rows.tokens,
                                   width, expected.data(), rows.y_stride};
        scalar().activate(args, Part{});
        for (const int n_parts : kPartCounts) {
          std::vector<float> actual = rows.output();
          args.y = actual.data();
          run_parts(kernels().activate, args, n_parts);
          EXPECT_TRUE(same_bits(expected, actual, rows.y_stride))
              << static_cast<int>(f) << ": " << width << " x " << n_parts;
        }
      }
    }
  }
}

// A quarter of a million floats spread over all bit patterns through each function: the SIMD
// polynomials are the scalar ones everywhere.
TEST_P(Elementwise, FunctionsAreTheScalarOnesOverTheWholeRange) {
  constexpr std::uint64_t kStride = 16381;
  std::vector<float> x;
  for (std::uint64_t bits = 0; bits < (std::uint64_t{1} << 32); bits += kStride) {
    x.push_back(std::bit_cast<float>(static_cast<std::uint32_t>(bits)));
  }
  const std::int64_t n = std::ssize(x);
  std::vector<float> expected(x.size());
  std::vector<float> actual(x.size());
  for (const Activation f : kActivations) {
    kernels::ActivateArgs args{f, x.data(), n, nullptr, 0, 1, n, expected.data(), n};
    scalar().activate(args, Part{});
    args.y = actual.data();
    kernels().activate(args, Part{});
    EXPECT_TRUE(same_bits(expected, actual)) << static_cast<int>(f);
  }
  kernels::SoftcapArgs args{x.data(), n, 1, n, 1.0f, expected.data(), n};
  scalar().softcap(args, Part{});
  args.y = actual.data();
  kernels().softcap(args, Part{});
  EXPECT_TRUE(same_bits(expected, actual));
}

TEST_P(Elementwise, InPlace) {
  std::vector<float> x = Random(5).floats(50);
  std::vector<float> expected(50);
  kernels::ActivateArgs args{Activation::kSilu, x.data(), 50, x.data(), 50, 1, 50,
                             expected.data(),   50};
  kernels().activate(args, Part{});
  args.y = x.data();
  kernels().activate(args, Part{});
  EXPECT_TRUE(same_bits(expected, x));
}

TEST_P(Elementwise, ValuesByHand) {
  const std::vector<float> x = {-2.0f, -0.0f, 0.0f, 3.0f};
  const std::vector<float> up = {10.0f, 10.0f, 10.0f, 10.0f};
  std::vector<float> y(4);
  kernels::ActivateArgs args{Activation::kRelu, x.data(), 4, nullptr, 0, 1, 4, y.data(), 4};
  kernels().activate(args, Part{});
  EXPECT_TRUE(same_bits(std::vector<float>{0.0f, -0.0f, 0.0f, 3.0f}, y));
  args.f = Activation::kReluSquared;
  kernels().activate(args, Part{});
  EXPECT_TRUE(same_bits(std::vector<float>{0.0f, 0.0f, 0.0f, 9.0f}, y));
  args.f = Activation::kSilu;
  args.up = up.data();
  kernels().activate(args, Part{});
  EXPECT_NEAR(y[0], -20 / (1 + std::exp(2.0)), 1e-6);
  EXPECT_NEAR(y[3], 30 / (1 + std::exp(-3.0)), 1e-5);
}

}  // namespace
}  // namespace galley::test
