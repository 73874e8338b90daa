// The kernels by name, and the one place where an instruction set is chosen.
//
// Where it sits: model/ calls `kernels::table().matmul(args, part)`; the table holds the
// functions of one instruction set, chosen once by what the CPU can do. All give the
// same bits (docs/exactness.md). The scalar ones are the specification: read those first.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "kernels/args.h"
#include "tensor/dtype.h"

// One line per kernel: X(name, its argument struct). Declarations, dispatch tables, twin tests
// and benchmarks all read this list.
#define GALLEY_KERNELS(X)            \
  X(quantize_rows, QuantizeRowsArgs) \
  X(matmul, MatmulArgs)              \
  X(rms_norm, RmsNormArgs)           \
  X(layer_norm, LayerNormArgs)       \
  X(add, AddArgs)                    \
  X(scale, ScaleArgs)                \
  X(softcap, SoftcapArgs)            \
  X(activate, ActivateArgs)          \
  X(softmax, SoftmaxArgs)            \
  X(rope_table, RopeTableArgs)       \
  X(rope, RopeArgs)                  \
  X(store_kv, StoreKvArgs)           \
  X(attention, AttentionArgs)

namespace galley::kernels {

#define GALLEY_DECLARE_KERNEL(name, Args) void name(const Args& args, Part part);
namespace scalar {
GALLEY_KERNELS(GALLEY_DECLARE_KERNEL)
}
namespace avx2 {
GALLEY_KERNELS(GALLEY_DECLARE_KERNEL)
}
namespace avxvnni {  // one kernel of its own; the others gain nothing from VNNI
void matmul(const MatmulArgs& args, Part part);
using avx2::activate;
using avx2::add;
using avx2::attention;
using avx2::layer_norm;
using avx2::quantize_rows;
using avx2::rms_norm;
using avx2::rope;
using avx2::rope_table;
using avx2::scale;
using avx2::softcap;
using avx2::softmax;
using avx2::store_kv;
}  // namespace avxvnni
namespace avx512 {
GALLEY_KERNELS(GALLEY_DECLARE_KERNEL)
}
namespace avx512bf16 {  // likewise: only products with BF16 weights gain
void matmul(const MatmulArgs& args, Part part);
using avx512::activate;
using avx512::add;
using avx512::attention;
using avx512::layer_norm;
using avx512::quantize_rows;
using avx512::rms_norm;
using avx512::rope;
using avx512::rope_table;
using avx512::scale;
using avx512::softcap;
using avx512::softmax;
using avx512::store_kv;
}  // namespace avx512bf16
#undef GALLEY_DECLARE_KERNEL

enum class Isa { kScalar, kAvx2, kAvxVnni, kAvx512, kAvx512Bf16 };

struct KernelTable {
  Isa isa;
#define GALLEY_KERNEL_MEMBER(name, Args) void (*name)(const Args& args, Part part);
  GALLEY_KERNELS(GALLEY_KERNEL_MEMBER)
#undef GALLEY_KERNEL_MEMBER
};

// "scalar", "avx2", "avxvnni", "avx512", "avx512bf16".
std::string_view isa_name(Isa isa);
// The instruction set with this name, or nothing.
std::optional<Isa> isa_from_name(std::string_view name);
// The sets this CPU (and its operating system) can run, the best first; scalar is always there.
// AVX2 needs FMA and F16C too, AVX-VNNI AVX2; AVX-512 needs F, BW, DQ, VL and VNNI, AVX512-BF16
// those too (and its dot product must be the one that the manual specifies).
std::span<const Isa> available_isas();

// The kernels of `isa`. Throws Error kUsage, naming the available ones, if the CPU lacks it.
const KernelTable& table(Isa isa);
// The kernels in use: the best available, unless GALLEY_ISA or select_isa says otherwise.
// Throws as above if GALLEY_ISA is wrong.
const KernelTable& table();
// Makes `isa` the one in use. Call it before the first forward pass, from one thread.
void select_isa(Isa isa);

// True for the block types, whose products are int8: their input is quantized_rows.
bool uses_quantized_rows(DType weight_type);

// Bytes a QuantizedRows of this shape needs: those of one row, times tokens. cols is a multiple
// of 32.
std::size_t quantized_rows_bytes(std::int64_t tokens, std::int64_t cols);

// Scratch bytes that one part of these ops needs, whatever the ISA.
std::size_t matmul_scratch_bytes(DType weight_type, std::int64_t rows, std::int64_t cols,
                                 std::int64_t tokens);
std::size_t attention_scratch_bytes(std::int64_t n_heads, std::int64_t n_kv_heads,
                                    std::int64_t head_size_k, std::int64_t head_size_v,
                                    std::int64_t tokens);

}  // namespace galley::kernels
