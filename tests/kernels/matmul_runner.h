// Runs quantize_rows and matmul of one instruction set on plain vectors, and makes weights.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "kernels/kernels.h"
#include "tests/kernels/kernel_test.h"

namespace galley::test {

// A matrix of weights as a file has it.
struct Weights {
  DType type{};
  std::int64_t rows = 0;
  std::int64_t cols = 0;
  std::vector<std::byte> bytes;
  bool rounds_to_bf16 = false;  // MatmulArgs::rounds_to_bf16, for BF16
};

// The types there are kernels for.
inline constexpr DType kMatmulTypes[] = {
    DType::kF32,    DType::kF16,    DType::kBF16,    DType::kQ4_0,  DType::kQ4_1,  DType::kQ5_0,
    DType::kQ5_1,   DType::kQ8_0,   DType::kQ2_K,    DType::kQ3_K,  DType::kQ4_K,  DType::kQ5_K,
    DType::kQ6_K,   DType::kIQ4_NL, DType::kIQ4_XS,  DType::kTQ1_0, DType::kTQ2_0, DType::kIQ2_XXS,
    DType::kIQ2_XS, DType::kIQ2_S,  DType::kIQ3_XXS, DType::kIQ3_S, DType::kIQ1_S, DType::kIQ1_M};

// What Weights::rounds_to_bf16 may be.
inline std::vector<bool> roundings(DType type) {
  return type == DType::kBF16 ? std::vector<bool>{false, true} : std::vector<bool>{false};
}

// Random bytes, but with scales and minimums that are ordinary numbers.
Weights random_weights(DType type, std::int64_t rows, std::int64_t cols, Random& random);

// The same with every byte of the codes (and small scales) equal to `byte`.
Weights constant_weights(DType type, std::int64_t rows, std::int64_t cols, std::byte byte);

// Replaces the F16 scales and minimums of all blocks (or the weights, if they are floats) by what
// `next` gives, one after the other.
void set_scales(Weights& w, const std::function<float()>& next);

// y[tokens, rows] = x[tokens, cols] times the weights, transposed; the activations are quantized
// where the type wants that. The parts run one after the other. Fails the test if anything
// beside the rows of y is written.
std::vector<float> run_matmul(const kernels::KernelTable& isa, const Weights& w,
                              std::span<const float> x, std::int64_t tokens, int n_parts = 1);

// What matmul promises: the exact products of the weights with the activations, as rounded, and
// how far from them its result may be.
struct ExactProducts {
  std::vector<double> y;       // [tokens, rows]
  std::vector<double> bounds;  // 4 n eps sum |products|, n the number of roundings in a row
};
ExactProducts exact_products(const Weights& w, std::span<const float> x, std::int64_t tokens);

}  // namespace galley::test
