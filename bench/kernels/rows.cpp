// The kernels that work on rows and elements: one token (decode) and 512 (prefill) of width 2048,
// that of tinyllama-1.1b. Their data fits the CPU's caches, so %limit, a share of the speed of
// memory, may exceed 100.
#include <algorithm>
#include <cmath>

#include "bench/kernels/bench.h"

namespace galley::bench {
namespace {

constexpr std::int64_t kWidth = 2048;
constexpr std::int64_t kHeadSize = 64;

// Inputs and outputs for any of these kernels.
struct Values {
  std::int64_t tokens;
  std::vector<float> a, b, weight, y, table;
  std::vector<double> frequencies;
  std::vector<std::int32_t> positions, sequences;
  Buffer bytes;  // quantized rows, or a cache
  std::size_t n_bytes;

  explicit Values(std::int64_t n)
      : tokens(n),
        a(random_floats(n * kWidth)),
        b(random_floats(n * kWidth)),
        weight(random_floats(kWidth)),
        y(a.size()),
        table(static_cast<std::size_t>(n * kHeadSize)),
        sequences(static_cast<std::size_t>(n)),
        n_bytes(static_cast<std::size_t>((n + 63) / 64 * 64 * kWidth) * sizeof(float)) {
    bytes = make_buffer(n_bytes);
    for (std::int64_t i = 0; i < n; ++i) positions.push_back(static_cast<std::int32_t>(i));
    for (std::int64_t i = 0; i < kHeadSize / 2; ++i)
      frequencies.push_back(std::pow(10000.0, -2.0 * static_cast<double>(i) / kHeadSize));
    kernels::table().rope_table(rope_table_args(), Part{});
  }

  kernels::RopeTableArgs rope_table_args() {
    return {.positions = positions.data(),
            .tokens = tokens,
            .frequencies = frequencies.data(),
            .n_rotated = kHeadSize,
            .scale = 1,
            .table = table.data()};
  }

  void clear() {
    std::fill(y.begin(), y.end(), -1.0f);
    std::fill(table.begin(), table.end(), -1.0f);
    std::fill_n(bytes.get(), n_bytes, std::byte{0});
  }
  // Everything a kernel may have written.
  std::vector<std::byte> written() const {
    std::vector<std::byte> all(bytes.get(), bytes.get() + n_bytes);
    for (const auto* values : {&y, &table}) {
      const auto view = std::as_bytes(std::span(*values));
      all.insert(all.end(), view.begin(), view.end());
    }
    return all;
  }
};

template <class Args>
using Kernel = void (*kernels::KernelTable::*)(const Args&, Part);

// Whether `isa` writes the bits that the scalar kernel writes. The table that RoPE reads is an
// output too (of rope_table), so it is made anew.
template <class Args>
bool equals_scalar(Values& values, Kernel<Args> kernel, const Args& args, Isa isa) {
  const auto run = [&](Isa which) {
    values.clear();
    kernels::table().rope_table(values.rope_table_args(), Part{});
    (kernels::table(which).*kernel)(args, Part{});
    return values.written();
  };
  return run(Isa::kScalar) == run(isa);
}

// Benchmarks of one kernel. `make` gives its arguments; `bytes` is what an element takes, read and
// written.
template <class Args>
void add_kernel(const std::string& name, const std::string& type, Kernel<Args> kernel,
                const std::function<Args(Values&)>& make, double bytes) {
  for (const std::int64_t tokens : {1, 512}) {
    for (const Isa isa : kernels::available_isas()) {
      for (const int n_threads : thread_counts()) {
        if (tokens == 1 && n_threads > 1) continue;  // starting the threads would take longer
        const auto run = [=](benchmark::State& state) {
          Values values(tokens);
          const Args args = make(values);
          if (!equals_scalar(values, kernel, args, isa))
            return state.SkipWithError("differs from its scalar twin");
          const kernels::LoadMeter meter;
          for (auto _ : state) run_parts(kernels::table(isa).*kernel, args, n_threads);
          set_rates(state, isa, n_threads,
                    {.macs = 0, .bytes = bytes * static_cast<double>(tokens * kWidth)}, meter);
        };
        add(case_name(name, tokens, type, std::string(isa_name(isa)), std::to_string(kWidth),
                      n_threads),
            run);
      }
    }
  }
}

kernels::KvTensor cache(Values& v, DType type) {
  kernels::KvTensor kv;
  kv.type = type;
  kv.data = v.bytes.get();
  kv.head_size = kHeadSize;
  kv.n_slots = (v.tokens + 63) / 64 * 64;
  kv.row_bytes = row_bytes(type, kHeadSize);
  kv.head_bytes = kv.n_slots * kv.row_bytes;
  kv.sequence_bytes = kWidth / kHeadSize * kv.head_bytes;
  return kv;
}

void add_norms() {
  using kernels::KernelTable;
  add_kernel<kernels::RmsNormArgs>(
      "rms_norm", "F32", &KernelTable::rms_norm,
      [](Values& v) {
        return kernels::RmsNormArgs{.x = v.a.data(),
                                    .x_stride = kWidth,
                                    .tokens = v.tokens,
                                    .groups = 1,
                                    .width = kWidth,
                                    .weight = v.weight.data(),
                                    .eps = 1e-5f,
                                    .y = v.y.data(),
                                    .y_stride = kWidth};
      },
      8);
  add_kernel<kernels::LayerNormArgs>(
      "layer_norm", "F32", &KernelTable::layer_norm,
      [](Values& v) {
        return kernels::LayerNormArgs{.x = v.a.data(),
                                      .x_stride = kWidth,
                                      .tokens = v.tokens,
                                      .groups = 1,
                                      .width = kWidth,
                                      .weight = v.weight.data(),
                                      .bias = nullptr,
                                      .weight_stride = 0,
                                      .eps = 1e-5f,
                                      .y = v.y.data(),
                                      .y_stride = kWidth};
      },
      8);
}

void add_elementwise() {
  using kernels::KernelTable;
  add_kernel<kernels::AddArgs>(
      "add", "F32", &KernelTable::add,
      [](Values& v) {
        return kernels::AddArgs{v.a.data(), kWidth, v.b.data(), kWidth,
                                v.tokens,   kWidth, v.y.data(), kWidth};
      },
      12);
  add_kernel<kernels::ScaleArgs>(
      "scale", "F32", &KernelTable::scale,
      [](Values& v) {
        return kernels::ScaleArgs{v.a.data(), kWidth, v.tokens, kWidth, 0.5f, v.y.data(), kWidth};
      },
      8);
  add_kernel<kernels::SoftcapArgs>(
      "softcap", "F32", &KernelTable::softcap,
      [](Values& v) {
        return kernels::SoftcapArgs{v.a.data(), kWidth, v.tokens, kWidth, 30, v.y.data(), kWidth};
      },
      8);
  for (const auto& [name, f] : {std::pair("silu", kernels::Activation::kSilu),
                                std::pair("gelu_tanh", kernels::Activation::kGeluTanh),
                                std::pair("gelu_erf", kernels::Activation::kGeluErf)}) {
    add_kernel<kernels::ActivateArgs>(
        "activate", name, &KernelTable::activate,
        [f = f](Values& v) {
          return kernels::ActivateArgs{f,        v.a.data(), kWidth,     v.b.data(), kWidth,
                                       v.tokens, kWidth,     v.y.data(), kWidth};
        },
        12);
  }
  add_kernel<kernels::SoftmaxArgs>(
      "softmax", "F32", &KernelTable::softmax,
      [](Values& v) {
        return kernels::SoftmaxArgs{v.a.data(), kWidth, v.tokens, kWidth, v.y.data(), kWidth};
      },
      8);
}

void add_positions_and_types() {
  using kernels::KernelTable;
  add_kernel<kernels::QuantizeRowsArgs>(
      "quantize_rows", "int8", &KernelTable::quantize_rows,
      [](Values& v) {
        kernels::QuantizeRowsArgs args;
        args.x = v.a.data();
        args.x_stride = kWidth;
        args.tokens = v.tokens;
        args.cols = kWidth;
        args.out = {v.bytes.get(), v.tokens};
        return args;
      },
      4 + static_cast<double>(kernels::kQuantizedBlockBytes) / 32);
  // One table serves all heads: only head_size values per token.
  add_kernel<kernels::RopeTableArgs>(
      "rope_table", "F32", &KernelTable::rope_table, [](Values& v) { return v.rope_table_args(); },
      4.0 * kHeadSize / kWidth);
  for (const auto& [name, layout] : {std::pair("interleaved", kernels::RopeLayout::kInterleaved),
                                     std::pair("half_split", kernels::RopeLayout::kHalfSplit)}) {
    add_kernel<kernels::RopeArgs>(
        "rope", name, &KernelTable::rope,
        [layout = layout](Values& v) {
          return kernels::RopeArgs{.x = v.a.data(),
                                   .x_stride = kWidth,
                                   .tokens = v.tokens,
                                   .heads = kWidth / kHeadSize,
                                   .head_size = kHeadSize,
                                   .n_rotated = kHeadSize,
                                   .layout = layout,
                                   .table = v.table.data(),
                                   .y = v.y.data(),
                                   .y_stride = kWidth};
        },
        8);
  }
  for (const DType type : {DType::kF32, DType::kF16, DType::kQ8_0}) {
    const DTypeInfo& info = dtype_info(type);
    add_kernel<kernels::StoreKvArgs>(
        "store_kv", std::string(info.name), &KernelTable::store_kv,
        [type](Values& v) {
          return kernels::StoreKvArgs{
              v.a.data(),         kWidth,        v.tokens, kWidth / kHeadSize, v.positions.data(),
              v.sequences.data(), cache(v, type)};
        },
        4 + static_cast<double>(info.block_bytes) / static_cast<double>(info.block_elements));
  }
}

}  // namespace

void add_rows() {
  add_norms();
  add_elementwise();
  add_positions_and_types();
}

}  // namespace galley::bench
