// The whole engine's twin: one forward pass in float64, scalar, in textbook order, with nothing
// of the engine but its file reader. It was written from the papers and the conventions of GGUF,
// not from the kernels or the graphs, and agrees with the golden logits (arch_golden_test.cpp);
// where there are none it stands in for them.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "tensor/gguf.h"

namespace galley::test {

// The logits of every position: [tokens, n_vocab]. `n_context` is that of the session to compare
// with (long-rope depends on it); 0: what the model was trained for.
std::vector<std::vector<double>> reference_logits(const GgufFile& file,
                                                  std::span<const std::int32_t> ids,
                                                  std::int64_t n_context = 0);

// The `n` greedy tokens after `ids`. Recomputes everything for each: for tiny models.
std::vector<std::int32_t> reference_greedy(const GgufFile& file, std::vector<std::int32_t> ids,
                                           int n);

}  // namespace galley::test
