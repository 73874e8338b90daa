// store_kv: rows land where positions and sequences say, rounded to the cache's type, the same
// bytes from every instruction set.
#include <cstring>

#include "tensor/blocks.h"
#include "tensor/half.h"
#include "tests/kernels/kernel_test.h"

namespace galley::test {
namespace {

class StoreKv : public IsaTest {};
GALLEY_FOR_EACH_ISA(StoreKv);

constexpr std::int64_t kSlots = 64;
constexpr std::int64_t kSequences = 3;

struct Cache {
  Cache(DType type, std::int64_t n_kv_heads, std::int64_t head_size) {
    view.type = type;
    view.head_size = head_size;
    view.n_slots = kSlots;
    view.row_bytes = row_bytes(type, head_size);
    view.head_bytes = kSlots * view.row_bytes;
    view.sequence_bytes = n_kv_heads * view.head_bytes;
    bytes.assign(static_cast<std::size_t>(kSequences * view.sequence_bytes), std::byte{0xa5});
    view.data = bytes.data();
  }
  std::vector<std::byte> bytes;
  kernels::KvTensor view;
};

struct Batch {
  std::vector<std::int32_t> positions = {0, 5, 63, 64, 200, 5};
  std::vector<std::int32_t> sequences = {0, 2, 1, 1, 0, 0};
  std::int64_t tokens() const { return std::ssize(positions); }
};

std::vector<std::byte> store(void (*kernel)(const kernels::StoreKvArgs&, Part), DType type,
                             std::int64_t n_kv_heads, std::int64_t head_size,
                             const std::vector<float>& x, int n_parts) {
  Cache cache(type, n_kv_heads, head_size);
  const Batch batch;
  kernels::StoreKvArgs args;
  args.x = x.data();
  args.x_stride = std::ssize(x) / batch.tokens();
  args.tokens = batch.tokens();
  args.n_kv_heads = n_kv_heads;
  args.positions = batch.positions.data();
  args.sequences = batch.sequences.data();
  args.out = cache.view;
  run_parts(kernel, args, n_parts);
  return cache.bytes;
}

TEST_P(StoreKv, IsTheScalarOne) {
  Random random(1);
  for (const DType type : {DType::kF32, DType::kF16, DType::kQ8_0}) {
    for (const std::int64_t head_size : {1, 8, 13, 16, 24, 32, 64, 80, 96, 128}) {
      if (type == DType::kQ8_0 && head_size % 32 != 0) continue;
      for (int round = 0; round < 4; ++round) {
        const std::int64_t n_kv_heads = random.integer(1, 4);
        const std::int64_t stride = n_kv_heads * head_size + round;
        std::vector<float> x = random.floats(Batch().tokens() * stride, round == 3 ? 3e4f : 1.0f);
        if (round >= 1) random.spoil(x, 100);
        if (round == 2) x = random.bit_patterns(std::ssize(x));
        // The payload of a NaN is not promised, but the conversions keep what fits of it.
        const auto expected = store(scalar().store_kv, type, n_kv_heads, head_size, x, 1);
        for (const int n_parts : kPartCounts) {
          EXPECT_EQ(expected, store(kernels().store_kv, type, n_kv_heads, head_size, x, n_parts))
              << dtype_info(type).name << " " << head_size << " x " << n_parts;
        }
      }
    }
  }
}

TEST_P(StoreKv, RowsLandInTheirSlots) {
  const Batch batch;
  const std::vector<float> x = Random(2).floats(batch.tokens() * 2 * 3);
  const auto bytes = store(kernels().store_kv, DType::kF32, 2, 3, x, 2);
  const auto at = [&](std::int64_t sequence, std::int64_t head, std::int64_t slot) {
    std::vector<float> row(3);
    std::memcpy(row.data(), bytes.data() + ((sequence * 2 + head) * kSlots + slot) * 12, 12);
    return row;
  };
  for (std::int64_t t = 0; t < batch.tokens(); ++t) {
    const auto i = static_cast<std::size_t>(t);
    for (std::int64_t head = 0; head < 2; ++head) {
      const auto begin = x.begin() + 6 * t + 3 * head;
      EXPECT_EQ(at(batch.sequences[i], head, batch.positions[i] % kSlots),
                std::vector<float>(begin, begin + 3));
    }
  }
  // 12 rows of 12 bytes were written and nothing else.
  EXPECT_EQ(std::count(bytes.begin(), bytes.end(), std::byte{0xa5}), std::ssize(bytes) - 12 * 12);
}

TEST_P(StoreKv, F16IsTheNearest) {
  const std::vector<float> values = {1.0f,     1.0f + 0x1p-11f, 1.0f + 0x1.8p-10f, 65519.0f,
                                     65520.0f, 0x1p-24f,        0x1p-25f,          -0.0f};
  std::vector<float> x;
  for (int t = 0; t < 6; ++t) x.insert(x.end(), values.begin(), values.end());
  const auto bytes = store(kernels().store_kv, DType::kF16, 1, 8, x, 1);
  std::uint16_t halves[8];
  std::memcpy(halves, bytes.data(), sizeof(halves));  // position 0 of sequence 0
  const std::uint16_t expected[8] = {0x3c00, 0x3c00, 0x3c02, 0x7bff, 0x7c00, 0x0001, 0, 0x8000};
  for (int i = 0; i < 8; ++i)
    EXPECT_EQ(halves[i], expected[i]) << values[static_cast<std::size_t>(i)];
}

TEST_P(StoreKv, Q8_0IsWithinHalfAStep) {
  const std::vector<float> x = Random(3).floats(6 * 64, 2.0f);
  const auto bytes = store(kernels().store_kv, DType::kQ8_0, 1, 64, x, 1);
  BlockQ8_0 blocks[2];
  std::memcpy(blocks, bytes.data(), sizeof(blocks));
  for (std::size_t b = 0; b < 2; ++b) {
    float largest = 0;
    for (std::size_t i = 0; i < 32; ++i) largest = std::max(largest, std::abs(x[32 * b + i]));
    const float d = half_to_float(blocks[b].d);
    EXPECT_EQ(blocks[b].d, float_to_half(largest / 127));
    for (std::size_t i = 0; i < 32; ++i) {
      // Half a step of rounding, and what rounding the scale to F16 moves 127 steps by.
      EXPECT_NEAR(d * blocks[b].qs[i], x[32 * b + i], (0.5 + 127 * 0x1p-11) * d * 1.001);
    }
  }
}

TEST_P(StoreKv, Q8_0KeepsWhatIsNotFinite) {
  for (const float bad : {kInf, -kInf, kNaN}) {
    std::vector<float> x(6 * 32, 1.0f);
    x[20] = bad;
    const auto bytes = store(kernels().store_kv, DType::kQ8_0, 1, 32, x, 1);
    BlockQ8_0 block;
    std::memcpy(&block, bytes.data(), sizeof(block));
    EXPECT_TRUE(std::isnan(half_to_float(block.d)));
  }
}

}  // namespace
}  // namespace galley::test
