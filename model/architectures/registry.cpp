#include <algorithm>
#include <array>

#include "model/architecture.h"
#include "model/architectures/builders.h"

namespace galley {
namespace {

// Sorted by name.
constexpr std::array kArchitectures = {
    Architecture{"chatglm", build_chatglm},
    Architecture{"cohere2", build_cohere2},
    Architecture{"command-r", build_cohere},
    Architecture{"deepseek", build_deepseek},
    Architecture{"exaone", build_qwen2},
    Architecture{"exaone4", build_exaone4},
    Architecture{"falcon", build_falcon},
    Architecture{"gemma", build_gemma},
    Architecture{"gemma2", build_gemma2},
    Architecture{"gemma3", build_gemma3},
    Architecture{"glm4", build_glm4},
    Architecture{"gpt2", build_gpt2},
    Architecture{"gptneox", build_gptneox},
    Architecture{"granite", build_granite},
    Architecture{"granitemoe", build_granite},
    Architecture{"internlm2", build_llama},
    Architecture{"llama", build_llama},
    Architecture{"minicpm", build_granite},
    Architecture{"mistral3", build_mistral3},
    Architecture{"nemotron", build_nemotron},
    Architecture{"olmo2", build_olmo2},
    Architecture{"olmoe", build_olmoe},
    Architecture{"phi2", build_phi2},
    Architecture{"phi3", build_phi3},
    Architecture{"qwen2", build_qwen2},
    Architecture{"qwen2moe", build_qwen2moe},
    Architecture{"qwen2vl", build_qwen2},
    Architecture{"qwen3", build_qwen3},
    Architecture{"qwen3moe", build_qwen3moe},
    Architecture{"qwen3vl", build_qwen3},
    Architecture{"qwen3vlmoe", build_qwen3moe},
    Architecture{"smollm3", build_smollm3},
    Architecture{"stablelm", build_stablelm},
    Architecture{"starcoder", build_gpt2},
    Architecture{"starcoder2", build_starcoder2},
};

}  // namespace

std::span<const Architecture> architectures() { return kArchitectures; }

const Architecture* find_architecture(std::string_view name) {
  const auto found = std::find_if(kArchitectures.begin(), kArchitectures.end(),
                                  [&](const Architecture& a) { return a.name == name; });
  return found == kArchitectures.end() ? nullptr : &*found;
}

std::string architecture_names() {
  std::string names;
  for (const Architecture& a : kArchitectures)
    names += (names.empty() ? "" : ", ") + std::string(a.name);
  return names;
}

}  // namespace galley
