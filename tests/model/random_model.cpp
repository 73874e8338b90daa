#include "tests/model/random_model.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>

#include "tensor/quantize.h"

namespace galley::test {
namespace {

// The same numbers everywhere, unlike the standard library's distributions.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed * 2 + 1) {}
  // Roughly normal, variance 1: the sum of four uniform numbers.
  float normal() {
    double sum = 0;
    for (int i = 0; i < 4; ++i) sum += uniform() - 0.5;
    return static_cast<float>(sum * 1.7320508);
  }
  double uniform() {
    state_ = state_ * 6364136223846793005u + 1442695040888963407u;
    return static_cast<double>(state_ >> 40) / 16777216.0;
  }

 private:
  std::uint64_t state_;
};

class ModelMaker {
 public:
  explicit ModelMaker(const RandomModel& model) : m_(model) {}

  std::vector<std::byte> make() {
    set_metadata();
    add_matrix("token_embd.weight", m_.n_vocab, m_.width, 1);
    if (m_.learned_positions) add_matrix("position_embd.weight", m_.n_context, m_.width, 1);
    for (const std::string& name : m_.rope_factors)
      add_vector(name, m_.n_rotated / 2, name.find("long") != std::string::npos ? 3 : 1.5, 0.3);
    add_norm("output_norm");
    if (!m_.tied) add_matrix("output.weight", m_.n_vocab, m_.width, spread(m_.width));
    if (m_.output_bias) add_vector("output.bias", m_.n_vocab, 0, 0.5);
    for (std::int64_t layer = 0; layer < m_.n_layers; ++layer) add_layer(layer);
    for (const std::string& name : m_.extra) add_vector(name, 8, 0, 1);
    return writer_.to_bytes();
  }

 private:
  static double spread(std::int64_t cols) { return 1 / std::sqrt(static_cast<double>(cols)); }

  void set_metadata() {
    const std::string p = m_.architecture + ".";
    const auto set = [&](const char* key, std::int64_t value) {
      writer_.set_uint32(p + key, static_cast<std::uint32_t>(value));
    };
    writer_.set_string("general.architecture", m_.architecture);
    writer_.set_string("general.name", "random " + m_.architecture);
    writer_.set_string("tokenizer.ggml.model", "no_vocab");
    set("vocab_size", m_.n_vocab);
    set("block_count", m_.n_layers);
    set("context_length", m_.n_context);
    set("embedding_length", m_.width);
    set("feed_forward_length", m_.ffn_width);
    set("attention.head_count", m_.n_heads);
    set("attention.head_count_kv", m_.n_kv_heads);
    if (m_.head_size * m_.n_heads != m_.width) {
      set("attention.key_length", m_.head_size);
      set("attention.value_length", m_.head_size);
    }
    if (!m_.learned_positions) {
      set("rope.dimension_count", m_.n_rotated);
      writer_.set_float32(p + "rope.freq_base", 10000);
    }
    if (m_.n_experts > 0) {
      set("expert_count", m_.n_experts);
      set("expert_used_count", m_.n_experts_used);
      if (m_.expert_width > 0) set("expert_feed_forward_length", m_.expert_width);
      if (m_.shared_width > 0) set("expert_shared_feed_forward_length", m_.shared_width);
    }
    writer_.set_float32(
        p + (m_.layer_norm ? "attention.layer_norm_epsilon" : "attention.layer_norm_rms_epsilon"),
        1e-5f);
    if (m_.metadata) m_.metadata(writer_, p);
  }

  static bool contains(const std::vector<std::string>& names, const std::string& name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  }

  // A tensor of normal numbers around `mean`, with the given spread.
  void add(const std::string& name, std::vector<std::int64_t> shape, double mean, double deviation,
           DType type) {
    if (contains(m_.missing, name)) return;
    if (contains(m_.misshapen, name)) ++shape.front();
    std::int64_t n = 1;
    for (std::int64_t size : shape) n *= size;
    std::vector<float> values(static_cast<std::size_t>(n));
    Random random(++seed_);
    for (float& value : values)
      value = static_cast<float>(mean) + static_cast<float>(deviation) * random.normal();
    const std::int64_t cols = shape.back();
    auto& bytes = data_.emplace_back(
        std::make_unique<std::vector<std::byte>>(n / cols * row_bytes(type, cols)));
    for (std::int64_t row = 0; row < n / cols; ++row) {
      const std::span<const float> in(&values[static_cast<std::size_t>(row * cols)],
                                      static_cast<std::size_t>(cols));
      std::byte* out = bytes->data() + row * row_bytes(type, cols);
      if (type == DType::kF32)
        std::memcpy(out, in.data(), in.size_bytes());
      else
        quantize_row(type, in, out);
    }
    if (shape.size() == 3 && m_.experts_one_by_one)
      add_one_by_one(name, type, shape, *bytes);
    else
      writer_.add_tensor(name, type, shape, *bytes);
  }
  // blk.0.ffn_gate_exps.weight as blk.0.ffn_gate.0.weight, blk.0.ffn_gate.1.weight, ...
  void add_one_by_one(const std::string& name, DType type, const std::vector<std::int64_t>& shape,
                      std::span<const std::byte> bytes) {
    const std::size_t n_bytes = bytes.size() / static_cast<std::size_t>(shape[0]);
    for (std::int64_t i = 0; i < shape[0]; ++i) {
      std::string own = name;
      own.replace(own.find("_exps"), 5, "." + std::to_string(i));
      if (contains(m_.missing, own)) continue;
      writer_.add_tensor(own, type, std::span(shape).subspan(1),
                         bytes.subspan(static_cast<std::size_t>(i) * n_bytes, n_bytes));
    }
  }
  void add_matrix(const std::string& name, std::int64_t rows, std::int64_t cols, double deviation) {
    add(name, {rows, cols}, 0, deviation, m_.matrix_type);
  }
  void add_vector(const std::string& name, std::int64_t n, double mean, double deviation) {
    add(name, {n}, mean, deviation, DType::kF32);
  }
  void add_norm(const std::string& name) {
    add_vector(name + ".weight", m_.width, 1, 0.3);
    if (m_.norm_biases) add_vector(name + ".bias", m_.width, 0, 0.3);
  }
  void add_linear(const std::string& name, std::int64_t rows, std::int64_t cols, bool bias) {
    add_matrix(name + ".weight", rows, cols, spread(cols));
    if (bias) add_vector(name + ".bias", rows, 0, 0.3);
  }

  void add_layer(std::int64_t layer) {
    const std::string blk = "blk." + std::to_string(layer) + ".";
    if (m_.pre_norms) add_norm(blk + "attn_norm");
    if (m_.second_attn_norm) add_norm(blk + "attn_norm_2");
    add_attention(blk);
    if (m_.post_norms) add_norm(blk + "post_attention_norm");
    if (m_.pre_norms && m_.ffn_norm) add_norm(blk + "ffn_norm");
    if (m_.n_experts > 0 && layer >= m_.n_dense_layers)
      add_experts(blk);
    else
      add_ffn(blk, "", m_.ffn_width);
    if (m_.post_norms) add_norm(blk + "post_ffw_norm");
  }

  void add_attention(const std::string& blk) {
    const std::int64_t q = m_.n_heads * m_.head_size;
    const std::int64_t kv = m_.n_kv_heads * m_.head_size;
    const bool bias = m_.linear_biases || m_.qkv_biases;
    if (m_.fused_qkv) {
      add_linear(blk + "attn_qkv", q + 2 * kv, m_.width, bias);
    } else {
      add_linear(blk + "attn_q", q, m_.width, bias);
      add_linear(blk + "attn_k", kv, m_.width, bias);
      add_linear(blk + "attn_v", kv, m_.width, bias);
    }
    for (const auto& [name, heads] : {std::pair{"attn_q_norm.weight", m_.n_heads},
                                      std::pair{"attn_k_norm.weight", m_.n_kv_heads}}) {
      using QkNorm = RandomModel::QkNorm;
      if (m_.qk_norm == QkNorm::kHead) add_vector(blk + name, m_.head_size, 1, 0.3);
      if (m_.qk_norm == QkNorm::kRow) add_vector(blk + name, heads * m_.head_size, 1, 0.3);
      if (m_.qk_norm == QkNorm::kEachHead)
        add(blk + name, {heads, m_.head_size}, 1, 0.3, DType::kF32);
    }
    add_linear(blk + "attn_output", m_.width, q, m_.linear_biases);
  }

  void add_ffn(const std::string& blk, const std::string& suffix, std::int64_t ffn) {
    if (m_.gated) add_linear(blk + "ffn_gate" + suffix, ffn, m_.width, m_.linear_biases);
    add_linear(blk + "ffn_up" + suffix, m_.fused_gate_up ? 2 * ffn : ffn, m_.width,
               m_.linear_biases);
    add_linear(blk + "ffn_down" + suffix, m_.width, ffn, m_.linear_biases);
  }

  void add_experts(const std::string& blk) {
    const std::int64_t n = m_.n_experts, width = m_.width;
    const std::int64_t ffn = m_.expert_width > 0 ? m_.expert_width : m_.ffn_width;
    add(blk + "ffn_gate_inp.weight", {n, width}, 0, spread(width), DType::kF32);
    add(blk + "ffn_gate_exps.weight", {n, ffn, width}, 0, spread(width), m_.matrix_type);
    add(blk + "ffn_up_exps.weight", {n, ffn, width}, 0, spread(width), m_.matrix_type);
    add(blk + "ffn_down_exps.weight", {n, width, ffn}, 0, spread(ffn), m_.matrix_type);
    if (m_.shared_width == 0) return;
    add_ffn(blk, "_shexp", m_.shared_width);
    if (m_.architecture == "qwen2moe")
      add_vector(blk + "ffn_gate_inp_shexp.weight", width, 0, spread(width));
  }

  const RandomModel& m_;
  GgufWriter writer_;
  std::vector<std::unique_ptr<std::vector<std::byte>>> data_;
  std::uint64_t seed_ = 0;
};

}  // namespace

std::vector<std::byte> write_random_model(const RandomModel& model) {
  return ModelMaker(model).make();
}

}  // namespace galley::test
