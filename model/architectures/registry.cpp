#include <algorithm>
#include <array>

#include "model/architecture.h"
#include "model/architectures/builders.h"

namespace galley {
namespace {

// Sorted by name.
constexpr std::array kArchitectures = {
    Architecture{"gpt2", build_gpt2},
    Architecture{"llama", build_llama},
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
