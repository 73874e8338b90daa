// Activations as int8: what the rounding promises, and that all instruction sets agree.
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "kernels/quantized_rows.h"
#include "tests/kernels/kernel_test.h"

namespace galley::test {
namespace {

using kernels::kQuantizedBlockBytes;
using kernels::kTileTokens;

struct Quantized {
  std::vector<std::byte> tiles;
  std::vector<float> remainder;
};

Quantized quantize(const kernels::KernelTable& isa, const std::vector<float>& x,
                   std::int64_t tokens, std::int64_t cols, int n_parts) {
  Quantized out;
  out.tiles.resize(kernels::quantized_rows_bytes(tokens, cols), std::byte{0xee});
  out.remainder.resize(x.size());
  kernels::QuantizeRowsArgs args = {x.data(), cols, tokens, cols, {out.tiles.data(), tokens}};
  run_parts(isa.quantize_rows, args, n_parts);
  const std::vector<std::byte> tiles = out.tiles;
  args.remainder = out.remainder.data();
  run_parts(isa.quantize_rows, args, n_parts);
  EXPECT_TRUE(tiles == out.tiles) << "another result with remainders";
  return out;
}

// The activation that `q` and `d` of column `col` of `token` stand for, read as args.h says.
struct Rounded {
  int q;
  float d;
  float sum;
  int half_sum;  // of the half of the block that the column is in
  std::int32_t start;
};

Rounded read(const std::vector<std::byte>& tiles, std::int64_t tokens, std::int64_t cols,
             std::int64_t token, std::int64_t col) {
  const std::int64_t n_blocks = cols / 32;
  const std::int64_t block = col / 32;
  const std::int64_t tile = token / kTileTokens * kTileTokens;
  const std::int64_t c = std::min(kTileTokens, tokens - tile);
  const std::int64_t i = token - tile;
  std::int64_t place = 0;  // blocks walked before this one
  for (const std::int64_t residue : {0, 4, 2, 6, 1, 5, 3, 7}) {
    for (std::int64_t b = residue; b < n_blocks; b += 8, ++place) {
      if (b != block) continue;
      const std::byte* at = tiles.data() + (tile * n_blocks + c * place) * kQuantizedBlockBytes;
      Rounded out{};
      std::int8_t q = 0;
      std::memcpy(&q, at + 4 * (col % 32 / 4 * c + i) + col % 4, 1);
      out.q = q;
      std::memcpy(&out.d, at + 32 * c + 4 * i, 4);
      std::memcpy(&out.sum, at + 36 * c + 4 * i, 4);
      std::int16_t sums[2];
      std::memcpy(sums, at + 40 * c + 4 * i, 4);
      out.half_sum = sums[col % 32 / 16];
      std::memcpy(&out.start, at + 44 * c + 4 * i, 4);
      return out;
    }
  }
  return {};
}

class QuantizeRows : public IsaTest {};

TEST_P(QuantizeRows, IsTheScalarOne) {
  Random random(11);
  for (const std::int64_t tokens : {1, 2, 5, 6, 7, 12, 20}) {
    for (const std::int64_t cols : {32, 96, 256, 288, 1056}) {
      for (const int kind : {0, 1, 2}) {
        std::vector<float> x = random.floats(tokens * cols, kind == 1 ? 1e-38f : 3.0f);
        if (kind == 1) random.spoil(x, 40);
        if (kind == 2) x = random.bit_patterns(tokens * cols);
        const Quantized expected = quantize(scalar(), x, tokens, cols, 1);
        for (const int n_parts : kPartCounts) {
          const Quantized actual = quantize(kernels(), x, tokens, cols, n_parts);
          EXPECT_TRUE(same_bits(expected.remainder, actual.remainder, cols));
          for (std::int64_t t = 0; t < tokens; ++t) {
            for (std::int64_t col = 0; col < cols; ++col) {
              const Rounded a = read(expected.tiles, tokens, cols, t, col);
              const Rounded b = read(actual.tiles, tokens, cols, t, col);
              ASSERT_TRUE(a.q == b.q && same_bits(a.d, b.d) && same_bits(a.sum, b.sum) &&
                          a.half_sum == b.half_sum && a.start == b.start)
                  << "token " << t << ", column " << col << " of " << cols
                  << ": x = " << x[static_cast<std::size_t>(t * cols + col)] << ", q " << a.q << " "
                  << b.q << ", d " << a.d << " " << b.d;
            }
          }
        }
      }
    }
  }
}

TEST_P(QuantizeRows, RoundsToNearestAndSumsUp) {
  Random random(12);
  const std::int64_t tokens = 13;
  const std::int64_t cols = 352;
  std::vector<float> x = random.floats(tokens * cols);
  for (std::int64_t i = 0; i < tokens * cols; ++i)
    x[static_cast<std::size_t>(i)] *= static_cast<float>(1 + i % 1000);
  const Quantized out = quantize(kernels(), x, tokens, cols, 3);
  for (std::int64_t t = 0; t < tokens; ++t) {
    for (std::int64_t first = 0; first < cols; first += 16) {
      int sum = 0;
      for (std::int64_t col = first; col < first + 16; ++col) {
        const Rounded r = read(out.tiles, tokens, cols, t, col);
        const double value = x[static_cast<std::size_t>(t * cols + col)];
        EXPECT_LE(std::abs(value - double{r.d} * r.q), 0.5001 * double{r.d});
        EXPECT_LE(std::abs(r.q), 127);
        sum += r.q;
        const float rest = out.remainder[static_cast<std::size_t>(t * cols + col)];
        EXPECT_FLOAT_EQ(rest, static_cast<float>(value - double{r.d} * r.q));
      }
      const Rounded half = read(out.tiles, tokens, cols, t, first);
      EXPECT_EQ(half.half_sum, sum);
      const std::int64_t other = first % 32 == 0 ? first + 16 : first - 16;
      EXPECT_EQ(half.start, -128 * (sum + read(out.tiles, tokens, cols, t, other).half_sum));
    }
  }
}

TEST_P(QuantizeRows, ANonFiniteValueMakesItsBlockNaN) {
  for (const float bad : {kInf, -kInf, kNaN}) {
    std::vector<float> x(3 * 64, 1.0f);
    x[64 + 40] = bad;
    const Quantized out = quantize(kernels(), x, 3, 64, 1);
    EXPECT_TRUE(std::isnan(read(out.tiles, 3, 64, 1, 40).d));
    EXPECT_TRUE(std::isnan(read(out.tiles, 3, 64, 1, 40).sum));
    EXPECT_EQ(read(out.tiles, 3, 64, 1, 0).q, 127);  // the block beside it
    EXPECT_EQ(read(out.tiles, 3, 64, 0, 40).q, 127);
  }
}

// Values whose scale would overflow are zeros; the smallest that are not keep their precision.
TEST_P(QuantizeRows, TinyBlocksAreZeros) {
  for (const float tiny : {0.0f, 1e-45f, 1e-38f, 0x1p-111f}) {
    const Quantized out = quantize(kernels(), std::vector<float>(32, tiny), 1, 32, 1);
    EXPECT_EQ(read(out.tiles, 1, 32, 0, 7).q, 0);
    EXPECT_EQ(read(out.tiles, 1, 32, 0, 7).d, 0.0f);
  }
  const Quantized out = quantize(kernels(), std::vector<float>(32, -0x1p-110f), 1, 32, 1);
  EXPECT_EQ(read(out.tiles, 1, 32, 0, 7).q, -127);
}

// A row written into a larger set lands where the whole set would have put it.
TEST_P(QuantizeRows, FirstTokenPlacesRows) {
  Random random(13);
  const std::int64_t tokens = 9;
  const std::int64_t cols = 160;
  const std::vector<float> x = random.floats(tokens * cols);
  const Quantized whole = quantize(kernels(), x, tokens, cols, 1);
  std::vector<std::byte> tiles(whole.tiles.size());
  for (std::int64_t t = 0; t < tokens; ++t) {
    kernels().quantize_rows({x.data() + t * cols, cols, 1, cols, {tiles.data(), tokens}, t},
                            {0, 1});
  }
  EXPECT_EQ(whole.tiles, tiles);
}

GALLEY_FOR_EACH_ISA(QuantizeRows);

}  // namespace
}  // namespace galley::test
