// attention: one decode step and one prefill batch at several depths, for each type of cache, in
// the shape of tinyllama-1.1b (32 heads, 4 KV heads of 64) and of llama-2-7b (32 KV heads of 128,
// without sharing).
//
// In decode the caches of `layers` layers take turns, so that they are read from memory as in a
// model. GB/s counts the bytes of keys and values a token needs once; GMAC/s counts the products of
// scores and values.
#include <cmath>

#include "bench/kernels/bench.h"

namespace galley::bench {
namespace {

using kernels::AttentionArgs;

struct Shape {
  const char* name;
  std::int64_t n_heads;
  std::int64_t n_kv_heads;
  std::int64_t head_size;
  std::int64_t layers;
};
constexpr Shape kTinyllama = {"tinyllama", 32, 4, 64, 22};
constexpr Shape kLlama7b = {"llama-7b", 32, 32, 128, 2};

struct Layer {
  Buffer k_bytes, v_bytes;
  kernels::KvTensor k, v;
};

kernels::KvTensor make_cache(const Shape& shape, DType type, std::int64_t n_slots, Buffer& bytes) {
  kernels::KvTensor kv;
  kv.type = type;
  kv.head_size = shape.head_size;
  kv.n_slots = n_slots;
  kv.row_bytes = row_bytes(type, shape.head_size);
  kv.head_bytes = n_slots * kv.row_bytes;
  kv.sequence_bytes = shape.n_kv_heads * kv.head_bytes;
  bytes = make_buffer(static_cast<std::size_t>(kv.sequence_bytes));
  kv.data = bytes.get();
  return kv;
}

// Writes random rows to all positions of a cache.
void fill_cache(const Shape& shape, const kernels::KvTensor& kv) {
  const std::int64_t width = shape.n_kv_heads * shape.head_size;
  const std::vector<float> x = random_floats(width);
  for (std::int32_t position = 0; position < kv.n_slots; ++position) {
    const std::int32_t sequence = 0;
    kernels::table().store_kv(
        kernels::StoreKvArgs{x.data(), width, 1, shape.n_kv_heads, &position, &sequence, kv},
        Part{});
  }
}

// Attention of `tokens` tokens after `depth` others, with all memory it needs.
struct Problem {
  std::vector<Layer> layers;
  std::vector<float> q, out;
  std::vector<std::int32_t> positions, sequences;
  std::vector<Buffer> scratch;
  AttentionArgs args;

  Problem(const Shape& shape, DType type, std::int64_t tokens, std::int64_t depth, int n_threads)
      : layers(static_cast<std::size_t>(tokens > 1 ? 1 : shape.layers)),
        q(random_floats(tokens * shape.n_heads * shape.head_size)),
        out(q.size()) {
    const std::int64_t n_slots = (depth + tokens + 63) / 64 * 64;
    for (Layer& layer : layers) {
      layer.k = make_cache(shape, type, n_slots, layer.k_bytes);
      layer.v = make_cache(shape, type, n_slots, layer.v_bytes);
      fill_cache(shape, layer.k);
      fill_cache(shape, layer.v);
    }
    for (std::int64_t t = 0; t < tokens; ++t) {
      positions.push_back(static_cast<std::int32_t>(depth + t));
      sequences.push_back(0);
    }
    for (int i = 0; i < n_threads; ++i) {
      scratch.push_back(make_buffer(kernels::attention_scratch_bytes(
          shape.n_heads, shape.n_kv_heads, shape.head_size, shape.head_size, tokens)));
    }
    args.q = q.data();
    args.q_stride = args.out_stride = shape.n_heads * shape.head_size;
    args.tokens = tokens;
    args.n_heads = shape.n_heads;
    args.n_kv_heads = shape.n_kv_heads;
    args.positions = positions.data();
    args.sequences = sequences.data();
    args.scale = 1 / std::sqrt(static_cast<float>(shape.head_size));
    args.out = out.data();
    choose_layer(0);
  }

  void choose_layer(std::size_t i) {
    args.k = layers[i % layers.size()].k;
    args.v = layers[i % layers.size()].v;
  }

  // Whether `isa` gives the bits of the scalar kernel for the last token.
  bool equals_scalar(Isa isa) {
    AttentionArgs last = args;
    const std::int64_t t = args.tokens - 1;
    last.tokens = 1;
    last.q += t * args.q_stride;
    last.positions += t;
    run_parts(kernels::table(Isa::kScalar).attention, last, 1, scratch);
    const std::vector<float> expected = out;
    out.assign(out.size(), -1.0f);
    run_parts(kernels::table(isa).attention, last, 1, scratch);
    return std::equal(expected.begin(), expected.begin() + args.out_stride, out.begin());
  }
};

void attention(benchmark::State& state, const Shape& shape, Isa isa, DType type,
               std::int64_t tokens, std::int64_t depth, int n_threads) {
  Problem problem(shape, type, tokens, depth, n_threads);
  if (!problem.equals_scalar(isa)) return state.SkipWithError("differs from its scalar twin");
  std::size_t i = 0;
  const kernels::LoadMeter meter;
  for (auto _ : state) {
    problem.choose_layer(i++);
    run_parts(kernels::table(isa).attention, problem.args, n_threads, problem.scratch);
  }
  const double pairs = static_cast<double>(tokens * depth + tokens * (tokens + 1) / 2);
  const auto width = static_cast<double>(shape.n_heads * shape.head_size);
  const auto position_bytes = static_cast<double>(shape.n_kv_heads * problem.args.k.row_bytes);
  set_rates(state, isa, n_threads,
            {.macs = 2 * width * pairs,
             .bytes = 2 * position_bytes * static_cast<double>(depth + tokens)},
            meter);
}

void add_shape(const Shape& shape, Isa isa, DType type) {
  for (const int n_threads : thread_counts()) {
    for (const std::int64_t tokens : {1, 512}) {
      for (const std::int64_t depth : {0, 512, 4096}) {
        if (isa == Isa::kScalar && (tokens > 1 || depth > 512)) continue;  // minutes
        const std::string name = case_name(
            "attention", tokens, std::string(dtype_info(type).name), std::string(isa_name(isa)),
            std::string(shape.name) + "/depth:" + std::to_string(depth), n_threads);
        add(name, [=](benchmark::State& state) {
          attention(state, shape, isa, type, tokens, depth, n_threads);
        });
      }
    }
  }
}

}  // namespace

void add_attention() {
  for (const Shape& shape : {kTinyllama, kLlama7b}) {
    for (const DType type : {DType::kF16, DType::kQ8_0, DType::kF32}) {
      for (const Isa isa : kernels::available_isas()) add_shape(shape, isa, type);
    }
  }
}

}  // namespace galley::bench
