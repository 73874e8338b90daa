// A LLaMA written down once more, with Eigen in float64 from the dequantized weights: what the
// debugger's numbers are checked against. It shares nothing with the engine but the file reader
// and the dequantizer.
#pragma once

#include <Eigen/Dense>
#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "model/session.h"

namespace galley::test {

using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

struct LlamaValues {
  // By the names of docs/names.md: [tokens, width]; logits of every token.
  std::map<std::string, Matrix> values;
  // Attention weights of each layer and head: [tokens, positions].
  std::vector<std::vector<Matrix>> attention;
};

// Called with every value once it is made; may change it.
using ChangeValue = std::function<void(const std::string& name, Matrix& value)>;

// Runs `ids` from position 0 on. Throws std::runtime_error for a model that is no plain LLaMA.
LlamaValues eigen_llama(const Model& model, std::span<const TokenId> ids,
                        const ChangeValue& change = nullptr);

}  // namespace galley::test
