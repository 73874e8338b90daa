// What each kernel is given: plain structs of pointers, shapes and strides.
//
// Where it sits: the executor (model/) fills one of these per op and calls the kernel of the
// chosen instruction set through kernels/kernels.h. Every kernel has the signature
//   void name(const NameArgs& args, Part part);
// it computes the share `part` of the output, allocates nothing and knows no threads. The
// result never depends on how the work is divided (docs/exactness.md).
//
// This header and tensor/blocks.h are all that instruction-set files include of Galley, so it
// holds plain declarations only: no inline function is ever compiled under foreign flags.
// Strides are in elements (floats) unless the name says bytes. All pointers to floats may
// alias only where a comment says "in place".
#pragma once

#include <cstddef>
#include <cstdint>

namespace galley {

enum class DType : std::uint32_t;

namespace kernels {

// The share of the work: this is part `index` of `count` equal parts.
struct Part {
  int index = 0;
  int count = 1;
};

// Memory that is read from front to back.
struct Bytes {
  const std::byte* begin = nullptr;
  const std::byte* end = nullptr;
};

// ---- activations as int8 ------------------------------------------------------------------

// Rows of activations rounded to int8 in blocks of 32 columns, whatever the weight type:
//   x[t, 32 b + j]  ~  d[t, b] * q[t, 32 b + j],   q in [-127, 127], d = max|x| / 127
// rounded to nearest even. A non-finite value in a block makes d NaN: it surfaces in the
// output, it is never lost.
//
// The rows lie in the order in which products read them. Tokens are grouped in tiles of
// kTileTokens (the last tile has the rest); a tile of c tokens is its blocks in the order of
// BlockWalk (kernels/quantized_rows.h), each of them 48 * c bytes:
//   q     int8  [8][c][4]  columns 4 k .. 4 k + 3 of the block, of token i, at [k][i]
//   d     float [c]
//   sum   float [c]        d * (the sum of the 32 q), rounded once
//   sums  int16 [c][2]     the sums of the first and of the last 16 q
//   start int32 [c]        -128 * (the sum of the 32 q): where the sum of products with weights
//                          begins that have 128 added, to be without a sign
// The sums pay for the offsets and minimums of the weight types once per row of activations,
// not once per product.
inline constexpr std::int64_t kTileTokens = 6;
inline constexpr std::int64_t kQuantizedBlockBytes = 48;  // of one token

struct QuantizedRows {
  std::byte* tiles = nullptr;
  std::int64_t tokens = 0;  // in all
};

struct QuantizeRowsArgs {
  const float* x = nullptr;  // [tokens, cols]
  std::int64_t x_stride = 0;
  std::int64_t tokens = 0;
  std::int64_t cols = 0;  // a multiple of 32
  QuantizedRows out;
  std::int64_t first_token = 0;  // the place of x[0] in `out`
  // What rounding took away: x - d q, each value rounded once; or nullptr. [tokens, cols]
  float* remainder = nullptr;
};

// ---- products with weights ----------------------------------------------------------------

// y[t, r] = sum over c of W[r, c] * x[t, c], in the order of docs/exactness.md.
struct MatmulArgs {
  DType type{};                        // of the weights
  const std::byte* weights = nullptr;  // [rows, cols], rows packed one after another
  std::int64_t rows = 0;
  std::int64_t cols = 0;
  std::int64_t tokens = 0;
  // The input: float rows if the weights are F32, F16 or BF16, else the same rows quantized
  // (kernels::uses_quantized_rows tells).
  const float* x = nullptr;  // [tokens, cols]
  std::int64_t x_stride = 0;
  QuantizedRows xq;
  float* y = nullptr;  // [tokens, rows]
  std::int64_t y_stride = 0;
  // kernels::matmul_scratch_bytes bytes for this part alone, aligned to 64.
  std::byte* scratch = nullptr;
  // BF16 weights: round x to BF16 too, and add products in pairs (docs/exactness.md).
  bool rounds_to_bf16 = false;
  // What this part will read after its weights, if that is known: where weights are read once, it
  // is asked for in time.
  Bytes next{};
};

// ---- rows and elements ---------------------------------------------------------------------

// y[t] = x[t] / sqrt(mean(x[t]^2) + eps) * weight; each row of x is `groups` vectors of `width`
// (1 for the layer norms; the number of heads for norms on each head, which share `weight`).
// Source: Zhang & Sennrich 2019, "Root Mean Square Layer Normalization". In place allowed.
struct RmsNormArgs {
  const float* x = nullptr;
  std::int64_t x_stride = 0;
  std::int64_t tokens = 0;
  std::int64_t groups = 1;
  std::int64_t width = 0;
  const float* weight = nullptr;  // [width], or nullptr for 1
  float eps = 0;
  float* y = nullptr;
  std::int64_t y_stride = 0;
};

// y = (x - mean) / sqrt(variance + eps) * weight + bias, per vector, as above.
// Source: Ba et al. 2016, "Layer Normalization". `weight_stride` is 0 where the groups share
// the weight, `width` where each has its own. In place allowed.
struct LayerNormArgs {
  const float* x = nullptr;
  std::int64_t x_stride = 0;
  std::int64_t tokens = 0;
  std::int64_t groups = 1;
  std::int64_t width = 0;
  const float* weight = nullptr;
  const float* bias = nullptr;  // or nullptr for 0
  std::int64_t weight_stride = 0;
  float eps = 0;
  float* y = nullptr;
  std::int64_t y_stride = 0;
};

// y[t, i] = a[t, i] + b[t, i]; b_stride 0 adds one row (a bias) to every token. In place allowed.
struct AddArgs {
  const float* a = nullptr;
  std::int64_t a_stride = 0;
  const float* b = nullptr;
  std::int64_t b_stride = 0;
  std::int64_t tokens = 0;
  std::int64_t width = 0;
  float* y = nullptr;
  std::int64_t y_stride = 0;
};

// y = x * factor. In place allowed.
struct ScaleArgs {
  const float* x = nullptr;
  std::int64_t x_stride = 0;
  std::int64_t tokens = 0;
  std::int64_t width = 0;
  float factor = 1;
  float* y = nullptr;
  std::int64_t y_stride = 0;
};

// y = cap * tanh(x / cap) (Gemma 2's soft cap). In place allowed.
struct SoftcapArgs {
  const float* x = nullptr;
  std::int64_t x_stride = 0;
  std::int64_t tokens = 0;
  std::int64_t width = 0;
  float cap = 1;
  float* y = nullptr;
  std::int64_t y_stride = 0;
};

enum class Activation {
  kSilu,      // x * sigmoid(x)
  kGeluTanh,  // 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))
  kGeluErf,   // 0.5 x (1 + erf(x / sqrt 2))
  kRelu,
  kReluSquared,
  kSigmoid,
};

// y = f(x), or f(x) * up where `up` is given (SwiGLU, GeGLU: Shazeer 2020). In place allowed.
struct ActivateArgs {
  Activation f = Activation::kSilu;
  const float* x = nullptr;
  std::int64_t x_stride = 0;
  const float* up = nullptr;
  std::int64_t up_stride = 0;
  std::int64_t tokens = 0;
  std::int64_t width = 0;
  float* y = nullptr;
  std::int64_t y_stride = 0;
};

// y[t] = softmax(x[t]) over `width` values. In place allowed.
struct SoftmaxArgs {
  const float* x = nullptr;
  std::int64_t x_stride = 0;
  std::int64_t tokens = 0;
  std::int64_t width = 0;
  float* y = nullptr;
  std::int64_t y_stride = 0;
};

// ---- positions -----------------------------------------------------------------------------

// table[t, 2 i] = scale * cos(position[t] * frequency[i]), table[t, 2 i + 1] the same with sin.
// The angle is formed in double, so position 100,000 is as exact as position 1.
struct RopeTableArgs {
  const std::int32_t* positions = nullptr;  // [tokens]
  std::int64_t tokens = 0;
  const double* frequencies = nullptr;  // [n_rotated / 2], radians per position
  std::int64_t n_rotated = 0;
  float scale = 1;
  float* table = nullptr;  // [tokens, n_rotated]
};

enum class RopeLayout {
  kInterleaved,  // pairs (2i, 2i + 1): the llama files
  kHalfSplit,    // pairs (i, i + n_rotated / 2): "neox"
};

// Rotates the first `n_rotated` values of each head by the angles of its token; copies the rest.
// Source: Su et al. 2021, "RoFormer". In place allowed.
struct RopeArgs {
  const float* x = nullptr;  // [tokens, heads * head_size]
  std::int64_t x_stride = 0;
  std::int64_t tokens = 0;
  std::int64_t heads = 0;
  std::int64_t head_size = 0;
  std::int64_t n_rotated = 0;
  RopeLayout layout = RopeLayout::kInterleaved;
  const float* table = nullptr;  // of RopeTableArgs
  float* y = nullptr;
  std::int64_t y_stride = 0;
};

// ---- KV cache and attention ------------------------------------------------------------------

// Cached positions are worked on in blocks of this many; block b holds positions
// [b * kAttentionBlock, (b + 1) * kAttentionBlock), whoever asks.
inline constexpr std::int64_t kAttentionBlock = 64;

// The keys or the values of one layer: [sequences, kv_heads, slots, head_size] of `type` (F32,
// F16 or Q8_0). Position p of a sequence is in slot p % n_slots; n_slots is a multiple of
// kAttentionBlock, so the positions of a block are always next to one another. A full-context
// layer has a slot per position; a sliding-window layer reuses them.
struct KvTensor {
  DType type{};
  std::byte* data = nullptr;
  std::int64_t head_size = 0;
  std::int64_t n_slots = 0;
  std::int64_t row_bytes = 0;       // of one head at one position
  std::int64_t head_bytes = 0;      // n_slots * row_bytes, to the next head
  std::int64_t sequence_bytes = 0;  // to the next sequence
};

// Writes x[t] into the cache at (sequences[t], positions[t]), rounded to the cache's type.
struct StoreKvArgs {
  const float* x = nullptr;  // [tokens, kv_heads * head_size]
  std::int64_t x_stride = 0;
  std::int64_t tokens = 0;
  std::int64_t n_kv_heads = 0;
  const std::int32_t* positions = nullptr;  // [tokens]
  const std::int32_t* sequences = nullptr;  // [tokens]
  KvTensor out;
};

// out[t, h] = sum over p of softmax_p(score(t, h, p)) * v[p, h / group], where
// score = q[t, h] . k[p, h / group] * scale, soft-capped if `softcap` > 0, over the positions
// p <= positions[t] of the token's own sequence, and p > positions[t] - window if window > 0;
// group = n_heads / n_kv_heads. If k is Q8_0, q is rounded as by quantize_rows first; if v is, the
// weights are rounded to 16 bits (docs/attention.md).
// Order (docs/exactness.md): each block of positions gives its own maximum m_b, sum l_b of
// exp(score - m_b) and weighted values o_b; blocks are then merged in ascending order.
// Sources: Vaswani et al. 2017; Milakov & Gimelshein 2018 (running softmax); Ainslie et al.
// 2023 (grouped queries); Dao et al. 2022 (blocks).
struct AttentionArgs {
  const float* q = nullptr;  // [tokens, heads * head_size of k]
  std::int64_t q_stride = 0;
  std::int64_t tokens = 0;
  std::int64_t n_heads = 0;
  std::int64_t n_kv_heads = 0;
  const std::int32_t* positions = nullptr;  // [tokens]
  const std::int32_t* sequences = nullptr;  // [tokens]
  KvTensor k;
  KvTensor v;  // head_size may differ from k's
  float scale = 1;
  float softcap = 0;
  std::int64_t window = 0;
  const float* sinks = nullptr;  // [heads] extra scores without a value, or nullptr
  float* out = nullptr;          // [tokens, heads * head_size of v]
  std::int64_t out_stride = 0;
  // kernels::attention_scratch_bytes bytes for this part alone, aligned to 64.
  std::byte* scratch = nullptr;
};

}  // namespace kernels
}  // namespace galley
