// The codebooks ("grids") of the IQ types: which short vectors of weights a file can name.
//
// Where it sits: tensor/grid_codes.cpp looks weights up here. A code of 8 to 11 bits in the file
// names an entry, and an entry holds 8 (IQ1, IQ2) or 4 (IQ3) small levels, the first in the lowest
// bits. Neighbouring weights are therefore chosen together: that is how these types get below two
// bits per weight. The numbers are part of the file format (ggml's tensor types IQ1 to IQ3).
#pragma once

#include <cstdint>

namespace galley {

// (Aligned, so that parts of them can be loaded as vector registers.)

// 8 levels of 2 bits: 0, 1, 2 stand for kLevelsIQ2.
alignas(64) extern const std::uint16_t kGridIQ2_XXS[256];
alignas(64) extern const std::uint16_t kGridIQ2_XS[512];
alignas(64) extern const std::uint16_t kGridIQ2_S[1024];
// 4 levels of 3 bits: they stand for kLevelsIQ3_XXS; in IQ3_S level n stands for 2 n + 1.
alignas(64) extern const std::uint16_t kGridIQ3_XXS[256];
alignas(64) extern const std::uint16_t kGridIQ3_S[512];
// 8 levels of 2 bits: 0, 1, 2 stand for -1, 0, 1.
alignas(64) extern const std::uint16_t kGridIQ1[2048];

inline constexpr std::int8_t kLevelsIQ2[4] = {8, 25, 43, 0};
inline constexpr std::int8_t kLevelsIQ3_XXS[8] = {4, 12, 20, 28, 36, 44, 52, 62};

}  // namespace galley
