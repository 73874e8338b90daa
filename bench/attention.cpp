// How fast attention runs: one decode step and one prefill batch at several depths, for each
// instruction set and cache type, in the shape of tinyllama-1.1b (32 heads, 4 KV heads of 64)
// and of llama-2-7b (32 KV heads of 128, without sharing).
//
//   bench_attention --benchmark_filter=decode/avx512/f16
//
// The caches of `layers` layers take turns, so that decode reads them from memory as a model
// does. GB/s counts the bytes of keys and values a token needs once; GMAC/s counts the products of
// scores and values.
#include <benchmark/benchmark.h>
#include <omp.h>

#include <cmath>
#include <cstdlib>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "kernels/kernels.h"

namespace galley {
namespace {

using kernels::AttentionArgs;
using kernels::Isa;
using kernels::Part;

struct Shape {
  const char* name;
  std::int64_t n_heads;
  std::int64_t n_kv_heads;
  std::int64_t head_size;
  std::int64_t layers;
};
constexpr Shape kTinyllama = {"tinyllama", 32, 4, 64, 22};
constexpr Shape kLlama7b = {"llama-7b", 32, 32, 128, 2};

// Zeroed memory aligned to 64 bytes.
struct Free {
  void operator()(std::byte* data) const { std::free(data); }
};
using Buffer = std::unique_ptr<std::byte, Free>;
Buffer make_buffer(std::int64_t n_bytes) {
  const auto size = static_cast<std::size_t>((n_bytes + 63) / 64 * 64);
  Buffer buffer(static_cast<std::byte*>(std::aligned_alloc(64, size)));
  std::fill_n(buffer.get(), size, std::byte{0});
  return buffer;
}

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
  bytes = make_buffer(kv.sequence_bytes);
  kv.data = bytes.get();
  return kv;
}

std::vector<float> random_floats(std::int64_t n) {
  static std::mt19937 engine(1);
  std::normal_distribution<float> normal;
  std::vector<float> values(static_cast<std::size_t>(n));
  for (float& value : values) value = normal(engine);
  return values;
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

void attention(benchmark::State& state, const Shape& shape, Isa isa, DType type,
               std::int64_t tokens, std::int64_t depth, int n_threads) {
  const std::int64_t n_slots = (depth + tokens + 63) / 64 * 64;
  std::vector<Layer> layers(static_cast<std::size_t>(tokens > 1 ? 1 : shape.layers));
  for (Layer& layer : layers) {
    layer.k = make_cache(shape, type, n_slots, layer.k_bytes);
    layer.v = make_cache(shape, type, n_slots, layer.v_bytes);
    fill_cache(shape, layer.k);
    fill_cache(shape, layer.v);
  }
  const std::int64_t width = shape.n_heads * shape.head_size;
  const std::vector<float> q = random_floats(tokens * width);
  std::vector<float> out(q.size());
  std::vector<std::int32_t> positions, sequences;
  for (std::int64_t t = 0; t < tokens; ++t) {
    positions.push_back(static_cast<std::int32_t>(depth + t));
    sequences.push_back(0);
  }
  const std::size_t scratch_bytes = kernels::attention_scratch_bytes(
      shape.n_heads, shape.n_kv_heads, shape.head_size, shape.head_size, tokens);
  std::vector<Buffer> scratch;
  for (int i = 0; i < n_threads; ++i) {
    scratch.push_back(make_buffer(static_cast<std::int64_t>(scratch_bytes)));
  }
  const kernels::KernelTable& kernels = kernels::table(isa);

  std::size_t layer = 0;
  for (auto _ : state) {
    AttentionArgs args;
    args.q = q.data();
    args.q_stride = width;
    args.tokens = tokens;
    args.n_heads = shape.n_heads;
    args.n_kv_heads = shape.n_kv_heads;
    args.positions = positions.data();
    args.sequences = sequences.data();
    args.k = layers[layer].k;
    args.v = layers[layer].v;
    args.scale = 1 / std::sqrt(static_cast<float>(shape.head_size));
    args.out = out.data();
    args.out_stride = width;
#pragma omp parallel num_threads(n_threads) firstprivate(args)
    {
      const int index = omp_get_thread_num();
      args.scratch = scratch[static_cast<std::size_t>(index)].get();
      kernels.attention(args, Part{index, n_threads});
    }
    layer = (layer + 1) % layers.size();
  }

  const double pairs = static_cast<double>(tokens * depth + tokens * (tokens + 1) / 2);
  const double n = static_cast<double>(state.iterations());
  const double macs = 2.0 * static_cast<double>(width) * pairs;
  const double bytes = 2.0 * static_cast<double>(shape.n_kv_heads * layers[0].k.row_bytes) *
                       static_cast<double>(depth + tokens);
  state.counters["GMAC/s"] = benchmark::Counter(n * macs / 1e9, benchmark::Counter::kIsRate);
  state.counters["GB/s"] = benchmark::Counter(n * bytes / 1e9, benchmark::Counter::kIsRate);
}

void register_all() {
  for (const Shape& shape : {kTinyllama, kLlama7b}) {
    for (const Isa isa : kernels::available_isas()) {
      for (const DType type : {DType::kF16, DType::kQ8_0, DType::kF32}) {
        for (const int n_threads : {1, 2}) {
          for (const std::int64_t tokens : {1, 512}) {
            for (const std::int64_t depth : {0, 512, 4096}) {
              if (isa == Isa::kScalar && (tokens > 1 || depth > 512)) continue;  // minutes
              const std::string name =
                  std::string(tokens > 1 ? "prefill" : "decode") + "/" + shape.name + "/" +
                  std::string(kernels::isa_name(isa)) + "/" + std::string(dtype_info(type).name) +
                  "/depth:" + std::to_string(depth) + "/threads:" + std::to_string(n_threads);
              benchmark::RegisterBenchmark(name.c_str(),
                                           [=](benchmark::State& state) {
                                             attention(state, shape, isa, type, tokens, depth,
                                                       n_threads);
                                           })
                  ->UseRealTime()
                  ->Unit(benchmark::kMicrosecond);
            }
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace galley

int main(int argc, char** argv) {
  galley::register_all();
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
}
