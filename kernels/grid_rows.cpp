#include "kernels/grid_rows.h"

#include <bit>
#include <cstring>

#include "kernels/matmul_types.h"
#include "tensor/blocks_grid.h"
#include "tensor/dtype.h"
#include "tensor/grids.h"
#include "tensor/half.h"

// The same weights as tensor/grid_codes.cpp, which is the one to read first. Here eight of them are
// the bytes of a 64-bit number, and its codes come from a codebook of such numbers.

namespace galley::kernels {
namespace {

using Eight = std::uint64_t;  // bytes, the first weight's lowest
constexpr Eight kOnes = 0x0101010101010101u;

// The codebooks, an entry's levels as bytes, and the signs: 255 in each byte that is negative.
struct Codebooks {
  Eight iq2_xxs[256], iq2_xs[512], iq2_s[1024];
  std::uint32_t iq3_xxs[256], iq3_s[512];
  Eight iq1[2048];  // 64 + 8 (level - 1)
  Eight eight_signs[256], seven_signs[128];

  Codebooks() {
    const auto level_iq2 = [](unsigned n) { return kLevelsIQ2[n]; };
    fill(iq2_xxs, kGridIQ2_XXS, 2, level_iq2);
    fill(iq2_xs, kGridIQ2_XS, 2, level_iq2);
    fill(iq2_s, kGridIQ2_S, 2, level_iq2);
    fill(iq3_xxs, kGridIQ3_XXS, 3, [](unsigned n) { return kLevelsIQ3_XXS[n]; });
    fill(iq3_s, kGridIQ3_S, 3, [](unsigned n) { return 2 * n + 1; });
    fill(iq1, kGridIQ1, 2, [](unsigned n) { return 64 + 8 * n - 8; });
    for (unsigned signs = 0; signs < 256; ++signs) {
      eight_signs[signs] = 0;
      for (int i = 0; i < 8; ++i)
        eight_signs[signs] |= Eight{signs >> i & 1 ? 255u : 0u} << (8 * i);
    }
    for (unsigned seven = 0; seven < 128; ++seven) {
      seven_signs[seven] = eight_signs[seven | (std::popcount(seven) & 1u) << 7];
    }
  }

 private:
  // table[i] from the levels of grid[i], n_bits each, a byte from each.
  template <class Bytes, std::size_t n, class Level>
  static void fill(Bytes (&table)[n], const std::uint16_t (&grid)[n], int n_bits, Level level) {
    for (std::size_t i = 0; i < n; ++i) {
      table[i] = 0;
      for (int k = 0; k < static_cast<int>(sizeof(Bytes)); ++k) {
        const unsigned number = grid[i] >> (n_bits * k) & ((1u << n_bits) - 1);
        table[i] |= static_cast<Bytes>(level(number)) << (8 * k);
      }
    }
  }
};

const Codebooks& codebooks() {
  static const Codebooks all;
  return all;
}

// 64 + level or, with the byte of `minus` set, 64 - level. No byte carries into the next, since
// levels are at most 62.
Eight with_signs(Eight levels, Eight minus) {
  return 64 * kOnes + (levels & ~minus) - (levels & minus);
}

void put(Eight codes, std::uint8_t* to) { std::memcpy(to, &codes, 8); }

std::int8_t odd(unsigned scale) { return static_cast<std::int8_t>(2 * scale + 1); }

void put_scales(unsigned first, unsigned last, int g, BlockGrid& out) {
  out.scales[2 * g] = odd(first & 15u);
  out.scales[2 * g + 1] = odd(last & 15u);
}

std::uint32_t dword(const std::uint8_t* bytes) {
  std::uint32_t value;
  std::memcpy(&value, bytes, 4);
  return value;
}

// ---- group g of a block ----

void look_up_group(const Codebooks& books, const BlockIQ2_XXS& block, int g, BlockGrid& out) {
  const std::uint8_t* entries = block.qs + 8 * g;
  const std::uint32_t bits = dword(entries + 4);
  for (int l = 0; l < 4; ++l) {
    const Eight minus = books.seven_signs[bits >> (7 * l) & 127u];
    put(with_signs(books.iq2_xxs[entries[l]], minus), out.codes + 32 * g + 8 * l);
  }
  put_scales(bits >> 28, bits >> 28, g, out);
}

void look_up_group(const Codebooks& books, const BlockIQ2_XS& block, int g, BlockGrid& out) {
  for (int l = 0; l < 4; ++l) {
    const unsigned bits = block.qs[4 * g + l];
    const Eight codes = with_signs(books.iq2_xs[bits & 511u], books.seven_signs[bits >> 9]);
    put(codes, out.codes + 32 * g + 8 * l);
  }
  put_scales(block.scales[g], block.scales[g] >> 4, g, out);
}

void look_up_group(const Codebooks& books, const BlockIQ2_S& block, int g, BlockGrid& out) {
  for (int l = 0; l < 4; ++l) {
    const unsigned entry = block.qs[4 * g + l] | (block.qh[g] >> (2 * l) & 3u) << 8;
    const Eight minus = books.eight_signs[block.signs[4 * g + l]];
    put(with_signs(books.iq2_s[entry], minus), out.codes + 32 * g + 8 * l);
  }
  put_scales(block.scales[g], block.scales[g] >> 4, g, out);
}

void look_up_group(const Codebooks& books, const BlockIQ3_XXS& block, int g, BlockGrid& out) {
  const std::uint32_t bits = dword(block.signs + 4 * g);
  for (int l = 0; l < 4; ++l) {
    const std::uint8_t* entries = block.qs + 8 * g + 2 * l;
    const Eight levels = books.iq3_xxs[entries[0]] | Eight{books.iq3_xxs[entries[1]]} << 32;
    const Eight minus = books.seven_signs[bits >> (7 * l) & 127u];
    put(with_signs(levels, minus), out.codes + 32 * g + 8 * l);
  }
  put_scales(bits >> 28, bits >> 28, g, out);
}

void look_up_group(const Codebooks& books, const BlockIQ3_S& block, int g, BlockGrid& out) {
  const unsigned upper = block.qh[g];
  for (int l = 0; l < 4; ++l) {
    const std::uint8_t* entries = block.qs + 8 * g + 2 * l;
    const Eight low = books.iq3_s[entries[0] | (upper >> (2 * l) & 1u) << 8];
    const Eight high = books.iq3_s[entries[1] | (upper >> (2 * l + 1) & 1u) << 8];
    const Eight minus = books.eight_signs[block.signs[4 * g + l]];
    put(with_signs(low | high << 32, minus), out.codes + 32 * g + 8 * l);
  }
  const unsigned scale = block.scales[g / 2] >> (4 * (g % 2));
  put_scales(scale, scale, g, out);
}

// An entry of IQ1, an eighth more or less.
Eight iq1_codes(const Codebooks& books, unsigned entry, bool is_minus) {
  return is_minus ? books.iq1[entry] - kOnes : books.iq1[entry] + kOnes;
}

void look_up_group(const Codebooks& books, const BlockIQ1_S& block, int g, BlockGrid& out) {
  const unsigned bits = block.qh[g];
  for (int l = 0; l < 4; ++l) {
    const unsigned entry = block.qs[4 * g + l] | (bits >> (3 * l) & 7u) << 8;
    put(iq1_codes(books, entry, (bits & 0x8000u) != 0), out.codes + 32 * g + 8 * l);
  }
  put_scales(bits >> 12 & 7u, bits >> 12 & 7u, g, out);
}

void look_up_group(const Codebooks& books, const BlockIQ1_M& block, int g, BlockGrid& out) {
  for (int l = 0; l < 4; ++l) {
    const unsigned nibble = block.qh[2 * g + l / 2] >> (4 * (l % 2)) & 15u;
    const unsigned entry = block.qs[4 * g + l] | (nibble & 7u) << 8;
    put(iq1_codes(books, entry, (nibble & 8u) != 0), out.codes + 32 * g + 8 * l);
  }
  const unsigned scales = block.scales[g / 2] >> (6 * (g % 2));
  put_scales(scales & 7u, scales >> 3 & 7u, g, out);
}

// ---- what all groups of a block share ----

template <class Block>
float scale_of(const Block& block) {
  return half_to_float(block.d) * 0.125f;
}
float scale_of(const BlockIQ3_XXS& block) { return half_to_float(block.d) * 0.25f; }
float scale_of(const BlockIQ3_S& block) { return half_to_float(block.d); }
float scale_of(const BlockIQ1_M& block) {
  unsigned d = 0;
  for (int i = 0; i < 4; ++i) d |= (block.scales[i] >> 12 & 15u) << (4 * i);
  return half_to_float(static_cast<std::uint16_t>(d)) * 0.125f;
}

template <class Block>
void look_up(const std::byte* rows, std::int64_t n_blocks, BlockGrid* out) {
  const Codebooks& books = codebooks();
  const auto* blocks = reinterpret_cast<const Block*>(rows);
  for (std::int64_t b = 0; b < n_blocks; ++b) {
    for (int g = 0; g < 8; ++g) look_up_group(books, blocks[b], g, out[b]);
    out[b].d = scale_of(blocks[b]);
  }
}

}  // namespace

bool has_grid(DType type) {
  switch (type) {
    case DType::kIQ2_XXS:
    case DType::kIQ2_XS:
    case DType::kIQ2_S:
    case DType::kIQ3_XXS:
    case DType::kIQ3_S:
    case DType::kIQ1_S:
    case DType::kIQ1_M:
      return true;
    default:
      return false;
  }
}

std::int64_t grid_row_bytes(DType type, std::int64_t cols) { return row_bytes(type, cols); }

void look_up_rows(DType type, const std::byte* rows, std::int64_t n_rows, std::int64_t cols,
                  BlockGrid* out) {
  const std::int64_t n = n_rows * (cols / 256);
  switch (type) {
    case DType::kIQ2_XXS:
      return look_up<BlockIQ2_XXS>(rows, n, out);
    case DType::kIQ2_XS:
      return look_up<BlockIQ2_XS>(rows, n, out);
    case DType::kIQ2_S:
      return look_up<BlockIQ2_S>(rows, n, out);
    case DType::kIQ3_XXS:
      return look_up<BlockIQ3_XXS>(rows, n, out);
    case DType::kIQ3_S:
      return look_up<BlockIQ3_S>(rows, n, out);
    case DType::kIQ1_S:
      return look_up<BlockIQ1_S>(rows, n, out);
    case DType::kIQ1_M:
      return look_up<BlockIQ1_M>(rows, n, out);
    default:
      no_matmul_for(type);
  }
}

}  // namespace galley::kernels
