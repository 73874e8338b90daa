// The types with codebooks: tensor/grid_codes.h looks the weights up.
#include <cstring>

#include "kernels/scalar/block_codes.h"
#include "tensor/grid_codes.h"

namespace galley::kernels::scalar {
namespace {

// |isum| <= 32 * 62 * 31 * 127 < 2^24
template <class Block>
BlockCodes unpack_halves(const Block& block, int g) {
  const GridCodes group = grid_codes(block, g);
  BlockCodes out;
  std::memcpy(out.code, group.code, sizeof out.code);
  for (int half = 0; half < 2; ++half) out.scale[half] = group.scale[half];
  out.d = group.d;
  return out;
}

// For types with one scale for both halves, which makes d an odd multiple (below 32) of a half.
template <class Block>
BlockCodes unpack_whole(const Block& block, int g) {
  BlockCodes out = unpack_halves(block, g);
  out.d *= static_cast<float>(out.scale[0]);
  out.scale[0] = out.scale[1] = 1;
  return out;
}

}  // namespace

BlockCodes unpack(const BlockIQ2_XXS& block, int g) { return unpack_whole(block, g); }
BlockCodes unpack(const BlockIQ2_XS& block, int g) { return unpack_halves(block, g); }
BlockCodes unpack(const BlockIQ2_S& block, int g) { return unpack_halves(block, g); }
BlockCodes unpack(const BlockIQ3_XXS& block, int g) { return unpack_whole(block, g); }
BlockCodes unpack(const BlockIQ3_S& block, int g) { return unpack_whole(block, g); }
BlockCodes unpack(const BlockIQ1_S& block, int g) { return unpack_whole(block, g); }
BlockCodes unpack(const BlockIQ1_M& block, int g) { return unpack_halves(block, g); }

}  // namespace galley::kernels::scalar
