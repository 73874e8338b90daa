// Products with weights of every type against float64: the golden data says how far the
// reference engine is from it, and we must not be further.
#include <gtest/gtest.h>

#include <cmath>
#include <span>
#include <string>
#include <vector>

#include "tensor/gguf.h"
#include "tests/conformance.h"
#include "tests/kernels/matmul_runner.h"

namespace galley::test {
namespace {

constexpr std::int64_t kTokens = 8;

// The root mean square of y - exact.
double rms_error(std::span<const float> y, std::span<const float> exact) {
  double squares = 0;
  for (std::size_t i = 0; i < y.size(); ++i) {
    const double error = static_cast<double>(y[i]) - static_cast<double>(exact[i]);
    squares += error * error;
  }
  return std::sqrt(squares / static_cast<double>(y.size()));
}

// Rounding errors are random: two right ways to quantize activations to 8 bits may differ by this
// much over the 64 outputs of a row. (Blocks of 32 make ours a quarter smaller than the
// reference's for the types with super-blocks.)
constexpr double kLuck = 1.1;

class MatmulConformance : public IsaTest {};

TEST_P(MatmulConformance, ErrorsAreAtMostTheReferences) {
  GALLEY_NEED_CONFORMANCE("dequant");
  const auto folder = conformance_dir() / "dequant";
  const GgufFile file = GgufFile::open((folder / "matmul.gguf").string());
  const std::vector<float> x = read_f32(folder / "matmul" / "x.f32");
  int n_types = 0;
  for (const DTypeInfo& type : all_dtypes()) {
    const std::string name(type.name);
    const Tensor* w = file.find_tensor("W." + name);
    if (w == nullptr || !type.is_supported) continue;
    ++n_types;
    const std::vector<float> exact = read_f32(folder / "matmul" / ("y." + name + ".exact.f32"));
    const std::vector<float> ggml = read_f32(folder / "matmul" / ("y." + name + ".ggml.f32"));
    const Weights weights = {w->type, w->rows(), w->cols(), {w->data, w->data + w->n_bytes}};
    const std::vector<float> y = run_matmul(kernels(), weights, x, kTokens);
    const auto rows = static_cast<std::size_t>(w->rows());
    for (std::size_t t = 0; t < kTokens; ++t) {
      const auto row = [&](const std::vector<float>& all) {
        return std::span(all).subspan(t * rows, rows);
      };
      EXPECT_LE(rms_error(row(y), row(exact)), kLuck * rms_error(row(ggml), row(exact)))
          << name << ", row " << t;
    }
  }
  EXPECT_EQ(n_types, 24);
}

GALLEY_FOR_EACH_ISA(MatmulConformance);

}  // namespace
}  // namespace galley::test
