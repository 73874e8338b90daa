// Attention: every instruction set gives the scalar bits, for any division of the work and any
// batch; the scalar one is near float64; what a token may not see has no influence.
#include <cstring>

#include "tests/kernels/kernel_test.h"

namespace galley::test {
namespace {

class Attention : public IsaTest {};
GALLEY_FOR_EACH_ISA(Attention);

using AttentionKernel = void (*)(const kernels::AttentionArgs&, Part);

// One layer's attention: its shape, its cache and a batch of queries.
struct Problem {
  DType type = DType::kF32;
  std::int64_t n_heads = 4;
  std::int64_t n_kv_heads = 2;
  std::int64_t head_size_k = 16;
  std::int64_t head_size_v = 16;
  std::int64_t n_slots = 256;
  float softcap = 0;
  std::int64_t window = 0;
  bool has_sinks = false;
  std::vector<std::int32_t> positions;
  std::vector<std::int32_t> sequences;

  std::vector<float> q;  // [tokens, n_heads * head_size_k]
  std::vector<float> sinks;
  std::vector<std::byte> k_bytes, v_bytes;

  std::int64_t tokens() const { return std::ssize(positions); }
  std::int64_t q_width() const { return n_heads * head_size_k; }
  std::int64_t out_width() const { return n_heads * head_size_v; }

  void add_tokens(std::int32_t sequence, std::int32_t first, std::int32_t n) {
    for (std::int32_t i = 0; i < n; ++i) {
      positions.push_back(first + i);
      sequences.push_back(sequence);
    }
  }

  kernels::KvTensor cache(const std::vector<std::byte>& bytes, std::int64_t head_size) const {
    kernels::KvTensor kv;
    kv.type = type;
    kv.data = const_cast<std::byte*>(bytes.data());
    kv.head_size = head_size;
    kv.n_slots = n_slots;
    kv.row_bytes = row_bytes(type, head_size);
    kv.head_bytes = n_slots * kv.row_bytes;
    kv.sequence_bytes = n_kv_heads * kv.head_bytes;
    return kv;
  }

  // Random queries, and a cache with random rows up to the last position of each sequence;
  // every other byte of it is 0xff, a NaN in all types, so that a row nobody may see shows.
  void fill(Random& random, float deviation = 1.0f, std::int64_t spoil_one_in = 0) {
    q = random.floats(tokens() * q_width(), deviation);
    sinks = random.floats(n_heads);
    const std::int64_t n_sequences = *std::max_element(sequences.begin(), sequences.end()) + 1;
    for (const bool is_key : {true, false}) {
      const std::int64_t head_size = is_key ? head_size_k : head_size_v;
      std::vector<std::byte>& bytes = is_key ? k_bytes : v_bytes;
      const std::int64_t rows = n_sequences * n_kv_heads * n_slots;
      bytes.assign(static_cast<std::size_t>(rows * row_bytes(type, head_size)), std::byte{0xff});
      for (std::int32_t sequence = 0; sequence < n_sequences; ++sequence) {
        std::int32_t last = -1;
        for (std::size_t t = 0; t < positions.size(); ++t) {
          if (sequences[t] == sequence) last = std::max(last, positions[t]);
        }
        store(random, sequence, last + 1, cache(bytes, head_size), spoil_one_in);
      }
    }
  }

  kernels::AttentionArgs args(std::vector<float>& out, const AlignedBuffer& scratch) const {
    kernels::AttentionArgs result;
    result.q = q.data();
    result.q_stride = q_width();
    result.tokens = tokens();
    result.n_heads = n_heads;
    result.n_kv_heads = n_kv_heads;
    result.positions = positions.data();
    result.sequences = sequences.data();
    result.k = cache(k_bytes, head_size_k);
    result.v = cache(v_bytes, head_size_v);
    result.scale = 1 / std::sqrt(static_cast<float>(head_size_k));
    result.softcap = softcap;
    result.window = window;
    result.sinks = has_sinks ? sinks.data() : nullptr;
    result.out = out.data();
    result.out_stride = out_width() + 1;
    result.scratch = scratch.data();
    return result;
  }

  std::vector<float> run(AttentionKernel kernel, int n_parts = 1) const {
    std::vector<float> out(static_cast<std::size_t>(tokens() * (out_width() + 1)), 42.0f);
    for (int index = n_parts - 1; index >= 0; --index) {
      const AlignedBuffer scratch(kernels::attention_scratch_bytes(n_heads, n_kv_heads, head_size_k,
                                                                   head_size_v, tokens()));
      kernel(args(out, scratch), Part{index, n_parts});
    }
    return out;
  }

  std::string describe() const {
    return std::string(dtype_info(type).name) + " heads " + std::to_string(n_heads) + "/" +
           std::to_string(n_kv_heads) + " sizes " + std::to_string(head_size_k) + "/" +
           std::to_string(head_size_v) + " tokens " + std::to_string(tokens()) + " first " +
           std::to_string(positions[0]) + " window " + std::to_string(window) + " softcap " +
           std::to_string(softcap) + " sinks " + std::to_string(has_sinks);
  }

 private:
  void store(Random& random, std::int32_t sequence, std::int32_t n, kernels::KvTensor kv,
             std::int64_t spoil_one_in) const {
    const std::int64_t width = n_kv_heads * kv.head_size;
    std::vector<float> x = random.floats(n * width);
    if (spoil_one_in > 0) random.spoil(x, spoil_one_in);
    std::vector<std::int32_t> row_positions, row_sequences;
    for (std::int32_t p = 0; p < n; ++p) {
      row_positions.push_back(p);
      row_sequences.push_back(sequence);
    }
    kernels::StoreKvArgs args;
    args.x = x.data();
    args.x_stride = width;
    args.tokens = n;
    args.n_kv_heads = n_kv_heads;
    args.positions = row_positions.data();
    args.sequences = row_sequences.data();
    args.out = kv;
    kernels::scalar::store_kv(args, Part{});
  }
};

void expect_scalar_bits(const Problem& problem, AttentionKernel kernel) {
  const std::vector<float> expected = problem.run(kernels::scalar::attention);
  for (const int n_parts : kPartCounts) {
    EXPECT_TRUE(same_bits(expected, problem.run(kernel, n_parts), problem.out_width() + 1))
        << problem.describe() << " parts " << n_parts;
  }
}

Problem random_problem(Random& random) {
  constexpr std::int64_t kGroups[] = {1, 1, 2, 3, 4, 7, 8};
  constexpr std::int64_t kHeadSizes[] = {8, 13, 16, 24, 32, 64, 80, 96, 128};
  Problem problem;
  constexpr DType kTypes[] = {DType::kF32, DType::kF16, DType::kQ8_0};
  problem.type = kTypes[random.integer(0, 2)];
  problem.n_kv_heads = random.integer(1, 3);
  problem.n_heads = problem.n_kv_heads * kGroups[random.integer(0, 6)];
  problem.head_size_k = kHeadSizes[random.integer(0, 8)];
  problem.head_size_v =
      random.integer(0, 3) > 0 ? problem.head_size_k : kHeadSizes[random.integer(0, 8)];
  if (problem.type == DType::kQ8_0) {
    problem.head_size_k = (problem.head_size_k + 31) / 32 * 32;
    problem.head_size_v = (problem.head_size_v + 31) / 32 * 32;
  }
  if (random.integer(0, 3) == 0) problem.softcap = 5.0f;
  if (random.integer(0, 3) == 0) problem.window = random.integer(1, 150);
  problem.has_sinks = random.integer(0, 3) == 0;
  const std::int64_t n_runs = random.integer(1, 3);
  for (std::int64_t run = 0; run < n_runs; ++run) {
    problem.add_tokens(static_cast<std::int32_t>(random.integer(0, 1)),
                       static_cast<std::int32_t>(random.integer(0, 150)),
                       static_cast<std::int32_t>(random.integer(0, 1) * random.integer(0, 30) + 1));
  }
  return problem;
}

TEST_P(Attention, IsTheScalarOne) {
  Random random(1);
  for (int round = 0; round < rounds(60); ++round) {
    Problem problem = random_problem(random);
    problem.fill(random);
    expect_scalar_bits(problem, kernels().attention);
  }
}

TEST_P(Attention, IsTheScalarOneForExtremeValues) {
  Random random(2);
  for (int round = 0; round < rounds(60); ++round) {
    Problem problem = random_problem(random);
    problem.fill(random, round % 2 == 0 ? 1.0f : 1e19f, round % 3 == 0 ? 200 : 10000);
    if (round % 4 == 0) random.spoil(problem.q, 1000);
    expect_scalar_bits(problem, kernels().attention);
  }
}

// More tokens and rows than a tile holds, heads that no number of parts divides.
TEST_P(Attention, IsTheScalarOneForLongBatches) {
  Random random(3);
  for (const std::int64_t n_kv_heads : {1, 3}) {
    for (const std::int64_t group : {1, 3, 71}) {
      Problem problem;
      problem.type = DType::kF16;
      problem.n_kv_heads = n_kv_heads;
      problem.n_heads = n_kv_heads * group;
      problem.add_tokens(0, 3, group == 71 ? 3 : 140);
      problem.add_tokens(1, 60, 10);
      problem.fill(random);
      expect_scalar_bits(problem, kernels().attention);
    }
  }
}

// A window's cache reuses its slots: position p is in slot p % n_slots.
TEST_P(Attention, IsTheScalarOneForReusedSlots) {
  Random random(4);
  Problem problem;
  problem.n_slots = 128;
  problem.window = 50;
  problem.add_tokens(0, 195, 12);
  problem.fill(random);
  expect_scalar_bits(problem, kernels().attention);
}

TEST_P(Attention, PrefillIsSingleSteps) {
  Random random(5);
  for (const DType type : {DType::kF32, DType::kF16, DType::kQ8_0}) {
    Problem all;
    all.type = type;
    all.head_size_k = all.head_size_v = 32;
    all.add_tokens(0, 0, 130);
    all.fill(random);
    const std::vector<float> expected = all.run(kernels().attention, 2);
    for (std::int64_t t = 0; t < all.tokens(); ++t) {
      Problem one = all;
      one.positions = {static_cast<std::int32_t>(t)};
      one.sequences = {0};
      one.q.assign(all.q.begin() + t * all.q_width(), all.q.begin() + (t + 1) * all.q_width());
      const std::vector<float> step = one.run(kernels().attention, 3);
      const auto row = expected.begin() + t * std::ssize(step);
      EXPECT_TRUE(same_bits(std::vector<float>(row, row + std::ssize(step)), step)) << t;
    }
  }
}

// ---- against float64 --------------------------------------------------------------------------

// The cached value as a double, the cache being of F32.
double cached(const std::vector<std::byte>& bytes, const Problem& problem, std::int64_t head_size,
              std::int64_t sequence, std::int64_t head, std::int64_t position, std::int64_t i) {
  const std::int64_t row =
      (sequence * problem.n_kv_heads + head) * problem.n_slots + position % problem.n_slots;
  float value;
  std::memcpy(&value, bytes.data() + (row * head_size + i) * 4, 4);
  return value;
}

// The textbook formula in float64, and a bound for the float32 kernel's distance from it.
struct Exact {
  std::vector<double> out, bounds;
};

Exact exact_attention(const Problem& problem) {
  Exact result;
  const std::int64_t group = problem.n_heads / problem.n_kv_heads;
  const double scale = 1 / std::sqrt(static_cast<float>(problem.head_size_k));
  for (std::int64_t t = 0; t < problem.tokens(); ++t) {
    const auto token = static_cast<std::size_t>(t);
    const std::int64_t end = problem.positions[token] + 1;
    const std::int64_t begin =
        problem.window > 0 ? std::max<std::int64_t>(0, end - problem.window) : 0;
    for (std::int64_t h = 0; h < problem.n_heads; ++h) {
      const float* q = problem.q.data() + t * problem.q_width() + h * problem.head_size_k;
      std::vector<double> weights;
      double sum =
          problem.has_sinks ? std::exp(double{problem.sinks[static_cast<std::size_t>(h)]}) : 0;
      double score_error = 0;  // of the scores, in units of epsilon
      for (std::int64_t p = begin; p < end; ++p) {
        double score = 0;
        double magnitude = 0;
        for (std::int64_t i = 0; i < problem.head_size_k; ++i) {
          const double product =
              double{q[i]} * cached(problem.k_bytes, problem, problem.head_size_k,
                                    problem.sequences[token], h / group, p, i);
          score += product * scale;
          magnitude += std::abs(product) * scale;
        }
        score_error =
            std::max(score_error, (static_cast<double>(problem.head_size_k) / 16 + 8) * magnitude);
        if (problem.softcap > 0) {
          const double cap = problem.softcap;
          score = cap * std::tanh(score / cap);
        }
        weights.push_back(std::exp(score));
        sum += weights.back();
      }
      for (std::int64_t i = 0; i < problem.head_size_v; ++i) {
        double value = 0;
        double magnitude = 0;
        for (std::int64_t p = begin; p < end; ++p) {
          const double product = weights[static_cast<std::size_t>(p - begin)] / sum *
                                 cached(problem.v_bytes, problem, problem.head_size_v,
                                        problem.sequences[token], h / group, p, i);
          value += product;
          magnitude += std::abs(product);
        }
        // Scores enter the exponent above and in the sum below; blocks of 64 roundings, and a
        // few for each merge.
        const double roundings =
            2 * (score_error + 40) + 2 * 64 + 10 * (static_cast<double>(end) / 64 + 1);
        result.out.push_back(value);
        result.bounds.push_back(roundings * kEpsilon * magnitude);
      }
    }
  }
  return result;
}

std::vector<float> without_padding(const std::vector<float>& out, std::int64_t width) {
  std::vector<float> result;
  for (std::int64_t i = 0; i < std::ssize(out); ++i) {
    if (i % (width + 1) < width) result.push_back(out[static_cast<std::size_t>(i)]);
  }
  return result;
}

TEST(AttentionScalar, IsNearFloat64) {
  Random random(6);
  for (int round = 0; round < rounds(40); ++round) {
    Problem problem = random_problem(random);
    problem.type = DType::kF32;
    problem.fill(random, 3.0f);
    const Exact exact = exact_attention(problem);
    const std::vector<float> out =
        without_padding(problem.run(kernels::scalar::attention), problem.out_width());
    EXPECT_TRUE(within(exact.out, exact.bounds, out)) << problem.describe();
  }
}

// The bound is not so wide that a wrong formula passes.
TEST(AttentionScalar, TheBoundNoticesMutants) {
  Random random(7);
  Problem problem;
  problem.add_tokens(0, 100, 2);
  problem.has_sinks = true;
  problem.window = 70;
  problem.softcap = 4.0f;
  problem.fill(random);
  const std::vector<float> out =
      without_padding(problem.run(kernels::scalar::attention), problem.out_width());
  const auto fits = [&](const Problem& mutant) {
    const Exact exact = exact_attention(mutant);
    return bool{within(exact.out, exact.bounds, out)};
  };
  EXPECT_TRUE(fits(problem));
  Problem mutant = problem;
  mutant.has_sinks = false;
  EXPECT_FALSE(fits(mutant));
  mutant = problem;
  mutant.window = 69;
  EXPECT_FALSE(fits(mutant));
  mutant = problem;
  mutant.softcap = 4.01f;
  EXPECT_FALSE(fits(mutant));
  mutant = problem;
  mutant.positions[1] = 100;
  EXPECT_FALSE(fits(mutant));
  mutant = problem;
  std::swap(mutant.sinks[0], mutant.sinks[1]);
  EXPECT_FALSE(fits(mutant));
}

// ---- by hand ----------------------------------------------------------------------------------

// The example of docs/attention.md: scores 0, ln 2 and ln 4 of three positions, values 1, 2, 4.
Problem three_positions() {
  Problem problem;
  problem.n_heads = problem.n_kv_heads = 1;
  problem.head_size_k = problem.head_size_v = 1;
  problem.n_slots = 64;
  problem.add_tokens(0, 2, 1);
  Random random(8);
  problem.fill(random);
  problem.q = {1.0f};
  const float ln2 = std::log(2.0f);
  const float keys[3] = {0.0f, ln2, 2 * ln2};
  const float values[3] = {1.0f, 2.0f, 4.0f};
  std::memcpy(problem.k_bytes.data(), keys, sizeof(keys));
  std::memcpy(problem.v_bytes.data(), values, sizeof(values));
  return problem;
}

TEST_P(Attention, ThreePositionsByHand) {
  Problem problem = three_positions();
  EXPECT_NEAR(problem.run(kernels().attention)[0], (1.0 + 4.0 + 16.0) / 7, 1e-6);
  problem.window = 2;  // the first position is too far away
  EXPECT_NEAR(problem.run(kernels().attention)[0], (4.0 + 16.0) / 6, 1e-6);
  problem.has_sinks = true;
  problem.sinks = {0.0f};  // a seventh unit of weight on nothing
  EXPECT_NEAR(problem.run(kernels().attention)[0], (4.0 + 16.0) / 7, 1e-6);
}

// A score of -inf is a weight of 0; if there is nothing else, the average of nothing is NaN.
TEST_P(Attention, ScoresOfMinusInfinity) {
  Problem problem = three_positions();
  const float keys[3] = {-kInf, 1.0f, -kInf};
  std::memcpy(problem.k_bytes.data(), keys, sizeof(keys));
  EXPECT_EQ(problem.run(kernels().attention)[0], 2.0f);
  const float no_keys[3] = {-kInf, -kInf, -kInf};
  std::memcpy(problem.k_bytes.data(), no_keys, sizeof(no_keys));
  EXPECT_TRUE(std::isnan(problem.run(kernels().attention)[0]));
  problem.has_sinks = true;
  EXPECT_EQ(problem.run(kernels().attention)[0], 0.0f);
}

// Later tokens of the batch, though already in the cache, do not reach earlier ones.
TEST_P(Attention, TheFutureHasNoInfluence) {
  Random random(9);
  Problem problem;
  problem.add_tokens(0, 55, 20);
  problem.fill(random);
  const std::vector<float> expected = problem.run(kernels().attention);
  // NaN in the key and value of position 65, in all heads.
  for (std::int64_t head = 0; head < problem.n_kv_heads; ++head) {
    const std::int64_t row = (head * problem.n_slots + 65) * 16;
    std::fill_n(problem.k_bytes.begin() + 4 * row, 64, std::byte{0xff});
    std::fill_n(problem.v_bytes.begin() + 4 * row, 64, std::byte{0xff});
  }
  const std::vector<float> actual = problem.run(kernels().attention);
  const std::int64_t stride = problem.out_width() + 1;
  EXPECT_TRUE(same_bits(std::span(expected).first(static_cast<std::size_t>(10 * stride)),
                        std::span(actual).first(static_cast<std::size_t>(10 * stride))));
  EXPECT_TRUE(std::isnan(actual[static_cast<std::size_t>(10 * stride)]));
}

// A value that is not finite makes the output of the tokens that see it NaN, and only of those.
TEST_P(Attention, ANaNAmongRoundedValues) {
  Random random(11);
  Problem problem;
  problem.type = DType::kQ8_0;
  problem.head_size_k = problem.head_size_v = 64;
  problem.add_tokens(0, 55, 20);
  problem.fill(random);
  const std::vector<float> expected = problem.run(kernels().attention);
  const std::int64_t row_size = row_bytes(DType::kQ8_0, 64);
  for (std::int64_t head = 0; head < problem.n_kv_heads; ++head) {  // the scale of columns 32 .. 63
    const std::int64_t at = (head * problem.n_slots + 65) * row_size + row_size / 2;
    std::fill_n(problem.v_bytes.begin() + at, 2, std::byte{0xff});
  }
  const std::vector<float> actual = problem.run(kernels().attention);
  const std::int64_t stride = problem.out_width() + 1;
  EXPECT_TRUE(same_bits(std::span(expected).first(static_cast<std::size_t>(10 * stride)),
                        std::span(actual).first(static_cast<std::size_t>(10 * stride))));
  const std::span<const float> of_token_65 = std::span(actual).subspan(
      static_cast<std::size_t>(10 * stride), static_cast<std::size_t>(problem.head_size_v));
  EXPECT_TRUE(same_bits(std::span(expected).subspan(static_cast<std::size_t>(10 * stride), 32),
                        of_token_65.first(32)));
  for (const float y : of_token_65.subspan(32)) EXPECT_TRUE(std::isnan(y));
}

}  // namespace
}  // namespace galley::test
