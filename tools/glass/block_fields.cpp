#include "tools/glass/block_fields.h"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstring>

#include "kernels/scalar/block_codes.h"
#include "kernels/scalar/block_types.h"
#include "kernels/weight_traits.h"
#include "tensor/dequantize.h"
#include "tensor/error.h"
#include "tensor/grid_codes.h"
#include "tensor/half.h"
#include "tensor/k_scales.h"

namespace galley::glass {
namespace {

using kernels::scalar::BlockCodes;
using kernels::scalar::kGroups;
using kernels::scalar::unpack;

// Collects fields of a block of type Block.
template <class Block>
class Fields {
 public:
  Fields(const Block& block, BlockFields& out) : block_(block), out_(out) {
    for (int g = 0; g < kGroups<Block>; ++g) groups_.push_back(unpack(block, g));
  }

  template <class T>
  void half(const char* name, const T& field, const char* meaning) {
    add(name, meaning, &field, sizeof(T), {static_cast<double>(half_to_float(field))}, false);
  }
  // One integer per group of weights.
  template <class T>
  void per_group(const char* name, const T& field, const char* meaning, int n_groups,
                 auto value_of) {
    std::vector<double> values;
    for (int g = 0; g < n_groups; ++g) values.push_back(static_cast<double>(value_of(g)));
    add(name, meaning, &field, sizeof(T), std::move(values), true);
  }
  // One integer per weight, from its code without sign.
  template <class T>
  void per_weight(const char* name, const T& field, const char* meaning, auto value_of) {
    std::vector<double> values;
    for (const BlockCodes& group : groups_)
      for (const std::int8_t code : group.code)
        values.push_back(value_of(code + kernels::WeightTraits<Block>::kOffset));
    add(name, meaning, &field, sizeof(T), std::move(values), true);
  }
  // The signed codes that products use.
  void codes(const char* meaning) {
    std::vector<double> values;
    for (const BlockCodes& group : groups_)
      for (const std::int8_t code : group.code) values.push_back(code);
    out_.fields.push_back({"code", meaning, 0, 0, std::move(values), true});
  }

 private:
  void add(const char* name, const char* meaning, const void* field, std::size_t size,
           std::vector<double> values, bool is_integer) {
    const auto begin = static_cast<int>(reinterpret_cast<const std::byte*>(field) -
                                        reinterpret_cast<const std::byte*>(&block_));
    out_.fields.push_back(
        {name, meaning, begin, begin + static_cast<int>(size), std::move(values), is_integer});
  }

  const Block& block_;
  BlockFields& out_;
  std::vector<BlockCodes> groups_;
};

constexpr const char* kScaleOfBlock = "the scale of the block, F16";
constexpr const char* kScaleOfScales = "what the scales of the groups are multiplied by, F16";
constexpr const char* kScaleOfMins = "what the minimums of the groups are multiplied by, F16";
constexpr const char* kMinimum = "the minimum of the block, F16";
constexpr const char* kNibbles = "four bits for each weight";
constexpr const char* kLowBits = "the low four bits of each q";
constexpr const char* kFifthBits = "the fifth bit of each q";

int whole(int q) { return q; }
int low_four(int q) { return q & 15; }
int above_four(int q) { return q >> 4; }

// The place of `code` among the 16 levels.
int iq4_index(int code) {
  return static_cast<int>(std::find(std::begin(kIq4Values), std::end(kIq4Values), code) -
                          std::begin(kIq4Values));
}

void describe(const BlockQ4_0& b, BlockFields& out) {
  Fields f(b, out);
  out.formula = "w = d * (q - 8)";
  f.half("d", b.d, kScaleOfBlock);
  f.per_weight("qs", b.qs, kNibbles, whole);
  f.codes("q - 8");
}

void describe(const BlockQ4_1& b, BlockFields& out) {
  Fields f(b, out);
  out.formula = "w = d * q + m";
  f.half("d", b.d, kScaleOfBlock);
  f.half("m", b.m, kMinimum);
  f.per_weight("qs", b.qs, kNibbles, whole);
}

void describe(const BlockQ5_0& b, BlockFields& out) {
  Fields f(b, out);
  out.formula = "w = d * (q - 16)";
  f.half("d", b.d, kScaleOfBlock);
  f.per_weight("qh", b.qh, kFifthBits, above_four);
  f.per_weight("qs", b.qs, kLowBits, low_four);
  f.codes("q - 16");
}

void describe(const BlockQ5_1& b, BlockFields& out) {
  Fields f(b, out);
  out.formula = "w = d * q + m";
  f.half("d", b.d, kScaleOfBlock);
  f.half("m", b.m, kMinimum);
  f.per_weight("qh", b.qh, kFifthBits, above_four);
  f.per_weight("qs", b.qs, kLowBits, low_four);
  f.codes("q");
}

void describe(const BlockQ8_0& b, BlockFields& out) {
  Fields f(b, out);
  out.formula = "w = d * q";
  f.half("d", b.d, kScaleOfBlock);
  f.per_weight("qs", b.qs, "eight bits for each weight, with a sign", whole);
}

void describe(const BlockIQ4_NL& b, BlockFields& out) {
  Fields f(b, out);
  out.formula = "w = d * level[q]";
  f.half("d", b.d, kScaleOfBlock);
  f.per_weight("qs", b.qs, "four bits for each weight: which of 16 levels", iq4_index);
  f.codes("level[q]");
}

void describe(const BlockQ2_K& b, BlockFields& out) {
  Fields f(b, out);
  out.formula = "w = d * scale * q - dmin * min";
  f.half("d", b.d, kScaleOfScales);
  f.half("dmin", b.dmin, kScaleOfMins);
  f.per_group("scales", b.scales, "low nibbles: the scales of 16 groups", 16,
              [&](int g) { return b.scales[g] & 15; });
  f.per_group("mins", b.scales, "high nibbles of the same bytes: the minimums", 16,
              [&](int g) { return b.scales[g] >> 4; });
  f.per_weight("qs", b.qs, "two bits for each weight", whole);
}

void describe(const BlockQ3_K& b, BlockFields& out) {
  Fields f(b, out);
  out.formula = "w = d * scale * (q - 4)";
  f.half("d", b.d, kScaleOfScales);
  f.per_group("scales", b.scales, "six bits for each of 16 groups, minus 32", 16,
              [&](int g) { return unpack_q3_scale(b.scales, g) - 32; });
  f.per_weight("hmask", b.hmask, "the third bit of each q", [](int q) { return q >> 2; });
  f.per_weight("qs", b.qs, "the low two bits of each q", [](int q) { return q & 3; });
  f.codes("q - 4");
}

// What Q4_K and Q5_K share.
template <class Block>
void describe_k_scales(Fields<Block>& f, const Block& b, BlockFields& out) {
  out.formula = "w = d * scale * q - dmin * min";
  f.half("d", b.d, kScaleOfScales);
  f.half("dmin", b.dmin, kScaleOfMins);
  f.per_group("scales", b.scales, "six bits for each of 8 groups: the scales", 8,
              [&](int g) { return unpack_scale_and_min(b.scales, g).scale; });
  f.per_group("mins", b.scales, "six bits more, in the same bytes: the minimums", 8,
              [&](int g) { return unpack_scale_and_min(b.scales, g).min; });
}

void describe(const BlockQ4_K& b, BlockFields& out) {
  Fields f(b, out);
  describe_k_scales(f, b, out);
  f.per_weight("qs", b.qs, kNibbles, whole);
}

void describe(const BlockQ5_K& b, BlockFields& out) {
  Fields f(b, out);
  describe_k_scales(f, b, out);
  f.per_weight("qh", b.qh, kFifthBits, above_four);
  f.per_weight("qs", b.qs, kLowBits, low_four);
  f.codes("q");
}

void describe(const BlockQ6_K& b, BlockFields& out) {
  Fields f(b, out);
  out.formula = "w = d * scale * (q - 32)";
  f.half("d", b.d, kScaleOfScales);
  f.per_group("scales", b.scales, "eight bits, with a sign, for each of 16 groups", 16,
              [&](int g) { return b.scales[g]; });
  f.per_weight("qh", b.qh, "the upper two bits of each q", above_four);
  f.per_weight("ql", b.ql, kLowBits, low_four);
  f.codes("q - 32");
}

void describe(const BlockIQ4_XS& b, BlockFields& out) {
  Fields f(b, out);
  out.formula = "w = d * (scale - 32) * level[q]";
  const auto low = [&](int g) { return b.scales_l[g / 2] >> (g % 2 * 4) & 15; };
  const auto high = [&](int g) { return b.scales_h >> (2 * g) & 3; };
  f.half("d", b.d, kScaleOfScales);
  f.per_group("scales_h", b.scales_h, "the upper two bits of the scales of 8 groups", 8, high);
  f.per_group("scales_l", b.scales_l, "the low four bits of the scales", 8, low);
  f.per_weight("qs", b.qs, "four bits for each weight: which of 16 levels", iq4_index);
  f.codes("level[q]");
}

void describe(const BlockTQ1_0& b, BlockFields& out) {
  Fields f(b, out);
  out.formula = "w = d * (t - 1)";
  f.half("d", b.d, kScaleOfBlock);
  f.codes("t - 1: -1, 0 or 1; five digits of base 3 share a byte of qs, four a byte of qh");
}

void describe(const BlockTQ2_0& b, BlockFields& out) {
  Fields f(b, out);
  out.formula = "w = d * (q - 1)";
  f.half("d", b.d, kScaleOfBlock);
  f.per_weight("qs", b.qs, "two bits for each weight", whole);
  f.codes("q - 1");
}

// The types with codebooks: what is looked up, not where its bits lie (tensor/blocks_grid.h).
template <class Block>
requires requires(Block b) { grid_codes(b, 0); }
void describe(const Block& b, BlockFields& out) {
  const bool in_eighths = out.type == DType::kIQ1_S || out.type == DType::kIQ1_M;
  out.formula = "w = d * scale * level";
  BlockField d = {"d", "the F16 scale, with the constant of the type", 0, 0, {}, false};
  BlockField scales = {"scales", "2 s + 1, s of three or four bits", 0, 0, {}, true};
  BlockField codes = {"code",
                      in_eighths ? "the level: 8 times -1, 0 or 1 of the codebook, plus or minus 1"
                                 : "the level of the codebook, with the weight's sign",
                      0,
                      static_cast<int>(sizeof(Block)),
                      {},
                      true};
  for (int g = 0; g < 8; ++g) {
    const GridCodes group = grid_codes(b, g);
    d.values.assign(1, static_cast<double>(group.d));
    scales.values.insert(scales.values.end(), group.scale, group.scale + 2);
    codes.values.insert(codes.values.end(), group.code, group.code + 32);
  }
  out.fields = {d, scales, codes};
}

// Sign, exponent and fraction of a float with `n_exponent` and `n_fraction` bits.
void describe_float(std::uint32_t bits, int n_exponent, int n_fraction, BlockFields& out) {
  const std::uint32_t fraction = bits & ((1u << n_fraction) - 1);
  const std::uint32_t exponent = bits >> n_fraction & ((1u << n_exponent) - 1);
  const std::uint32_t sign = bits >> (n_fraction + n_exponent);
  const auto size = static_cast<int>(out.bytes.size());
  const std::string bias = std::to_string((1 << (n_exponent - 1)) - 1);
  out.formula = "w = (-1)^sign * 2^(exponent - " + bias + ") * (1 + fraction / 2^" +
                std::to_string(n_fraction) + ")";
  out.fields = {
      {"sign", "1 bit", 0, size, {double(sign)}, true},
      {"exponent", std::to_string(n_exponent) + " bits", 0, size, {double(exponent)}, true},
      {"fraction", std::to_string(n_fraction) + " bits", 0, size, {double(fraction)}, true}};
}

}  // namespace

BlockFields decode_block(DType type, const std::byte* block) {
  const DTypeInfo& info = dtype_info(type);
  BlockFields out;
  out.type = type;
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(block);
  out.bytes.assign(bytes, bytes + info.block_bytes);
  out.weights.resize(static_cast<std::size_t>(info.block_elements));
  dequantize_row(type, block, out.weights);
  std::uint32_t bits = 0;
  if (info.block_elements == 1) std::memcpy(&bits, block, out.bytes.size());
  if (type == DType::kF32) {
    describe_float(bits, 8, 23, out);
  } else if (type == DType::kF16) {
    describe_float(bits, 5, 10, out);
  } else if (type == DType::kBF16) {
    describe_float(bits, 8, 7, out);
  } else {
    kernels::scalar::with_block_type(type, [&](auto example) {
      std::memcpy(&example, block, sizeof example);
      describe(example, out);
    });
  }
  std::size_t n_groups = 1;
  for (const BlockField& field : out.fields)
    if (field.values.size() < out.weights.size())
      n_groups = std::max(n_groups, field.values.size());
  out.group_size = static_cast<int>(out.weights.size() / n_groups);
  return out;
}

std::int64_t blocks_per_row(const Tensor& tensor) {
  return tensor.cols() / dtype_info(tensor.type).block_elements;
}

BlockFields decode_block(const Tensor& tensor, std::int64_t r, std::int64_t b) {
  const auto check = [&](const char* what, std::int64_t i, std::int64_t n) {
    if (i >= 0 && i < n) return;
    throw Error(ErrorKind::kUsage, tensor.name + " has no " + what + " " + std::to_string(i) +
                                       "; it has " + std::to_string(n) + ", from 0");
  };
  check("row", r, tensor.rows());
  check("block", b, blocks_per_row(tensor));
  return decode_block(tensor.type, tensor.row(r) + b * dtype_info(tensor.type).block_bytes);
}

}  // namespace galley::glass
