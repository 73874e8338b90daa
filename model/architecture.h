// The architectures Galley has: GGUF's general.architecture -> the function that builds its graph.
//
// Each one is a short file in model/architectures/ that reads like the paper's diagram;
// CONTRIBUTING.md walks through adding one.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "model/config.h"
#include "model/graph.h"
#include "model/weights.h"

namespace galley {

struct Architecture {
  std::string_view name;  // general.architecture
  // Reads what else it needs from `meta`, asks `weights` for its tensors and returns the graph.
  // Throws Error kBadModel for missing keys or tensors and wrong shapes.
  Graph (*build)(const Config& config, const Metadata& meta, Weights& weights);
};

// All architectures, sorted by name.
std::span<const Architecture> architectures();

// The architecture named `name`, or nullptr.
const Architecture* find_architecture(std::string_view name);

// "gpt2, llama, ...", for messages.
std::string architecture_names();

}  // namespace galley
