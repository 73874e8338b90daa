// The codebooks of the types IQ1, IQ2 and IQ3, as the matmuls look them up in memory.
//
// Where it sits: grid_entries.h reads them. Plain declarations only; nothing throws.
#pragma once

#include <cstdint>

namespace galley::kernels {

// The codebooks of tensor/grids.h with a byte for each level (IQ3: four in an entry, else eight),
// the first weight's lowest: 64 + level, of IQ1 64 + 8 times the level -1, 0 or 1.
struct Codebooks {
  std::uint64_t iq2_xxs[256], iq2_xs[512], iq2_s[1024];
  std::uint32_t iq3_xxs[256], iq3_s[512];
  std::uint64_t iq1[2048];
};

// Made from constants before main() begins.
extern const Codebooks kCodebooks;

}  // namespace galley::kernels
