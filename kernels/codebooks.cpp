#include "kernels/codebooks.h"

#include "tensor/grids.h"

namespace galley::kernels {
namespace {

// table[i] from the levels of grid[i], n_bits each, a byte from each.
template <class Bytes, std::size_t n, class Level>
void fill(Bytes (&table)[n], const std::uint16_t (&grid)[n], int n_bits, Level level) {
  for (std::size_t i = 0; i < n; ++i) {
    table[i] = 0;
    for (int k = 0; k < static_cast<int>(sizeof(Bytes)); ++k) {
      const unsigned number = grid[i] >> (n_bits * k) & ((1u << n_bits) - 1);
      table[i] |= static_cast<Bytes>(level(number)) << (8 * k);
    }
  }
}

Codebooks make_codebooks() {
  Codebooks all;
  const auto level_iq2 = [](unsigned n) { return 64 + kLevelsIQ2[n]; };
  fill(all.iq2_xxs, kGridIQ2_XXS, 2, level_iq2);
  fill(all.iq2_xs, kGridIQ2_XS, 2, level_iq2);
  fill(all.iq2_s, kGridIQ2_S, 2, level_iq2);
  fill(all.iq3_xxs, kGridIQ3_XXS, 3, [](unsigned n) { return 64 + kLevelsIQ3_XXS[n]; });
  fill(all.iq3_s, kGridIQ3_S, 3, [](unsigned n) { return 64 + 2 * n + 1; });
  fill(all.iq1, kGridIQ1, 2, [](unsigned n) { return 64 + 8 * n - 8; });
  return all;
}

}  // namespace

const Codebooks kCodebooks = make_codebooks();

}  // namespace galley::kernels
