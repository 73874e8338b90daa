#include "tests/model/reference.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>
#include <string>

#include "tests/model/reference_file.h"
#include "tests/model/reference_rows.h"

namespace galley::test {
namespace {

class Reference : ReferenceFile {
 public:
  Reference(const GgufFile& file, std::int64_t n_context);
  Rows logits(std::span<const std::int32_t> ids);

 private:
  Rows embed(std::span<const std::int32_t> ids) const;
  Row product(const std::vector<float>& w, std::size_t first_row, std::size_t rows,
              const Row& x) const;
  Rows linear(const Rows& x, const std::string& tensor) const;
  void normalize(double* x, std::size_t n, const float* weight, const float* bias) const;
  Rows norm(const Rows& x, const std::string& tensor, std::size_t heads = 1) const;
  bool windowed(std::size_t layer) const;
  Row angles(bool local) const;
  void rotate(Rows& x, std::size_t heads, bool local) const;
  Rows attend(const Rows& q, const Rows& k, const Rows& v, bool local) const;
  Rows attention(const Rows& h, std::size_t layer) const;
  double activation(double x) const;
  Rows feed_forward(const Rows& h, const std::string& blk, const std::string& suffix) const;
  Rows experts(const Rows& h, const std::string& blk) const;
  Rows mixture(const Rows& h, const std::string& blk) const;
  void run_layer(Rows& x, std::size_t layer) const;

  std::int64_t n_context_;
  std::size_t n_heads_, n_kv_heads_, head_k_, head_v_, n_layers_;
  double eps_;
  bool layer_norm_;
};

Reference::Reference(const GgufFile& file, std::int64_t n_context) : ReferenceFile(file) {
  n_context_ = n_context ? n_context : integer("context_length", 0);
  const std::int64_t width = integer("embedding_length", 0);
  const std::int64_t heads = integer("attention.head_count", 0);
  n_layers_ = static_cast<std::size_t>(integer("block_count", 0));
  n_heads_ = static_cast<std::size_t>(heads);
  n_kv_heads_ = static_cast<std::size_t>(integer("attention.head_count_kv", heads));
  head_k_ = static_cast<std::size_t>(integer("attention.key_length", width / heads));
  head_v_ = static_cast<std::size_t>(integer("attention.value_length", width / heads));
  layer_norm_ = is({"gpt2", "starcoder", "gptneox", "falcon", "phi2", "starcoder2", "stablelm",
                    "command-r", "cohere2", "nemotron"});
  eps_ =
      number(layer_norm_ ? "attention.layer_norm_epsilon" : "attention.layer_norm_rms_epsilon", 0);
}

Rows Reference::embed(std::span<const std::int32_t> ids) const {
  const Tensor& table = *file_.find_tensor("token_embd.weight");
  const std::vector<float> all = dequantize(table);
  const auto width = static_cast<std::ptrdiff_t>(table.cols());
  Rows x;
  for (std::int32_t id : ids)
    x.emplace_back(all.begin() + id * width, all.begin() + (id + 1) * width);
  if (is({"gemma", "gemma2", "gemma3"})) x = times(x, std::sqrt(static_cast<double>(width)));
  if (is({"granite", "granitemoe", "minicpm"}) && number("embedding_scale", 0) != 0)
    x = times(x, number("embedding_scale", 0));
  if (is({"gpt2", "starcoder"})) {
    const std::vector<float> positions = values("position_embd.weight");
    for (std::size_t t = 0; t < x.size(); ++t)
      for (std::size_t i = 0; i < x[t].size(); ++i)
        x[t][i] += static_cast<double>(positions[t * x[t].size() + i]);
  }
  return x;
}

// Rows [first_row, first_row + rows) of the matrix w times x.
Row Reference::product(const std::vector<float>& w, std::size_t first_row, std::size_t rows,
                       const Row& x) const {
  Row y(rows, 0);
  for (std::size_t r = 0; r < rows; ++r)
    for (std::size_t c = 0; c < x.size(); ++c)
      y[r] += static_cast<double>(w[(first_row + r) * x.size() + c]) * x[c];
  return y;
}

Rows Reference::linear(const Rows& x, const std::string& tensor) const {
  const std::vector<float> w = values(tensor + ".weight");
  const std::vector<float> bias =
      has(tensor + ".bias") ? values(tensor + ".bias") : std::vector<float>{};
  Rows y;
  for (const Row& row : x) {
    y.push_back(product(w, 0, w.size() / row.size(), row));
    for (std::size_t i = 0; i < bias.size(); ++i) y.back()[i] += static_cast<double>(bias[i]);
  }
  return y;
}

void Reference::normalize(double* x, std::size_t n, const float* weight, const float* bias) const {
  double mean = 0, variance = 0;
  if (layer_norm_) mean = std::accumulate(x, x + n, 0.0) / static_cast<double>(n);
  for (std::size_t i = 0; i < n; ++i) variance += (x[i] - mean) * (x[i] - mean);
  variance /= static_cast<double>(n);
  for (std::size_t i = 0; i < n; ++i) {
    x[i] = (x[i] - mean) / std::sqrt(variance + eps_) * static_cast<double>(weight[i]);
    if (bias) x[i] += static_cast<double>(bias[i]);
  }
}

// The norm TENSOR of each row, or of each of its heads; a weight shorter than the row is shared.
Rows Reference::norm(const Rows& x, const std::string& tensor, std::size_t heads) const {
  const std::vector<float> weight = values(tensor + ".weight");
  const std::vector<float> bias =
      has(tensor + ".bias") ? values(tensor + ".bias") : std::vector<float>{};
  Rows y = x;
  for (Row& row : y) {
    const std::size_t n = row.size() / heads;
    for (std::size_t h = 0; h < heads; ++h)
      normalize(&row[h * n], n, &weight[weight.size() == n ? 0 : h * n],
                bias.empty() ? nullptr : bias.data());
  }
  return y;
}

// Whether a layer looks back over a sliding window only.
bool Reference::windowed(std::size_t layer) const {
  if (integer("attention.sliding_window", 0) == 0) return false;
  if (arch_ == "phi3") return true;
  const GgufArray* flags = nullptr;
  const GgufValue* pattern = file_.find(arch_ + ".attention.sliding_window_pattern");
  if (pattern) flags = std::get_if<GgufArray>(&pattern->value);
  if (flags) return flags->as_int(layer) != 0;
  if (arch_ == "gemma2") return layer % 2 == 0;
  if (arch_ == "gemma3") return layer % 6 != 5;
  if (is({"cohere2", "olmo2", "exaone4"})) return layer % 4 != 3;
  return false;
}

// Radians per position of each pair, after whatever scaling the file asks for, then (last) the
// factor of cos and sin.
Row Reference::angles(bool local) const {
  const auto n =
      static_cast<double>(integer("rope.dimension_count", static_cast<std::int64_t>(head_k_)));
  double base = number("rope.freq_base", 10000);
  if (local && arch_ == "gemma3") base = 10000;
  Row w;
  for (double i = 0; i < n / 2; ++i) w.push_back(std::pow(base, -2 * i / n));
  w.push_back(1);
  if (local && is({"gemma3", "olmo2"})) return w;

  const std::string kind{file_.get_string(arch_ + ".rope.scaling.type").value_or("linear")};
  const double s = number("rope.scaling.factor", 1);
  const double trained =
      number("rope.scaling.original_context_length", number("context_length", 0));
  const bool is_long = static_cast<double>(n_context_) > trained;
  for (const char* name :
       {"rope_freqs.weight", is_long ? "rope_factors_long.weight" : "rope_factors_short.weight"})
    if (has(name)) {
      const std::vector<float> factors = values(name);
      for (std::size_t i = 0; i < factors.size(); ++i) w[i] /= static_cast<double>(factors[i]);
    }
  for (std::size_t i = 0; i + 1 < w.size(); ++i) {
    if (kind == "linear") w[i] /= s;
    if (kind != "yarn") continue;
    // Positions of the pairs that make 32 turns and 1 turn in the trained context.
    const auto pair = [&](double turns) {
      return n * std::log(trained / (turns * 2 * std::numbers::pi)) / (2 * std::log(base));
    };
    const double low = std::max(std::floor(pair(32)), 0.0);
    const double high = std::min(std::ceil(pair(1)), n - 1);
    const double gamma =
        1 - std::clamp((static_cast<double>(i) - low) / std::max(high - low, 0.001), 0.0, 1.0);
    w[i] = (1 - gamma) * w[i] / s + gamma * w[i];
  }
  w.back() = number("rope.scaling.attn_factor", 1);
  if (kind == "yarn")
    w.back() *= (1 + 0.1 * std::log(s)) /
                (1 + 0.1 * number("rope.scaling.yarn_log_multiplier", 0) * std::log(s));
  return w;
}

void Reference::rotate(Rows& x, std::size_t heads, bool local) const {
  const bool interleaved = is({"llama", "mistral3", "granite", "granitemoe", "smollm3", "command-r",
                               "cohere2", "internlm2", "minicpm", "chatglm", "glm4", "deepseek"});
  const Row w = angles(local);
  const std::size_t half = w.size() - 1;
  for (std::size_t t = 0; t < x.size(); ++t)
    for (std::size_t h = 0; h < heads; ++h)
      for (std::size_t i = 0; i < half; ++i) {
        double& a = x[t][h * head_k_ + (interleaved ? 2 * i : i)];
        double& b = x[t][h * head_k_ + (interleaved ? 2 * i + 1 : i + half)];
        const double angle = static_cast<double>(t) * w[i];
        const double re = a, im = b;
        a = w.back() * (re * std::cos(angle) - im * std::sin(angle));
        b = w.back() * (re * std::sin(angle) + im * std::cos(angle));
      }
}

Rows Reference::attend(const Rows& q, const Rows& k, const Rows& v, bool local) const {
  double scale = 1 / std::sqrt(static_cast<double>(head_k_));
  if ((arch_ == "gemma2" && n_layers_ == 46) || (arch_ == "gemma3" && n_layers_ == 62))
    scale = 1 / std::sqrt(
                    std::floor(number("embedding_length", 0) / number("attention.head_count", 1)));
  if (is({"granite", "granitemoe", "minicpm"}) && number("attention.scale", 0) != 0)
    scale = number("attention.scale", 0);
  const double cap = arch_ == "gemma2" ? number("attn_logit_softcapping", 50) : 0;
  const auto window = static_cast<std::size_t>(integer("attention.sliding_window", 0));
  Rows out;
  for (std::size_t t = 0; t < q.size(); ++t) {
    const std::size_t first = local && t + 1 > window ? t + 1 - window : 0;
    Row& row = out.emplace_back(n_heads_ * head_v_, 0);
    for (std::size_t h = 0; h < n_heads_; ++h) {
      const std::size_t kv = h / (n_heads_ / n_kv_heads_);
      Row scores;
      for (std::size_t s = first; s <= t; ++s) {
        double score = 0;
        for (std::size_t i = 0; i < head_k_; ++i)
          score += q[t][h * head_k_ + i] * k[s][kv * head_k_ + i];
        score *= scale;
        scores.push_back(cap > 0 ? cap * std::tanh(score / cap) : score);
      }
      const Row p = softmax(scores);
      for (std::size_t s = first; s <= t; ++s)
        for (std::size_t i = 0; i < head_v_; ++i)
          row[h * head_v_ + i] += p[s - first] * v[s][kv * head_v_ + i];
    }
  }
  return out;
}

Rows Reference::attention(const Rows& h, std::size_t layer) const {
  const std::string blk = "blk." + std::to_string(layer) + ".";
  const bool local = windowed(layer);
  const std::size_t q_width = n_heads_ * head_k_, k_width = n_kv_heads_ * head_k_;
  Rows q, k, v;
  if (has(blk + "attn_qkv.weight")) {
    const Rows all = linear(h, blk + "attn_qkv");
    q = columns(all, 0, q_width);
    k = columns(all, q_width, k_width);
    v = columns(all, q_width + k_width, n_kv_heads_ * head_v_);
  } else {
    q = linear(h, blk + "attn_q");
    k = linear(h, blk + "attn_k");
    v = linear(h, blk + "attn_v");
  }
  const bool whole_row = is({"olmo2", "olmoe"});
  if (has(blk + "attn_q_norm.weight")) q = norm(q, blk + "attn_q_norm", whole_row ? 1 : n_heads_);
  if (has(blk + "attn_k_norm.weight"))
    k = norm(k, blk + "attn_k_norm", whole_row ? 1 : n_kv_heads_);
  bool rope = !is({"gpt2", "starcoder"});
  if (arch_ == "smollm3") rope = layer % 4 != 3;
  if (arch_ == "cohere2") rope = local;
  if (arch_ == "exaone4") rope = local || integer("attention.sliding_window", 0) == 0;
  if (is({"granite", "granitemoe", "minicpm"})) rope = flag("rope.scaling.finetuned", true);
  if (rope) {
    rotate(q, n_heads_, local);
    rotate(k, n_kv_heads_, local);
  }
  if (arch_ == "mistral3" && number("attention.temperature_scale", 0) != 0)
    for (std::size_t t = 0; t < q.size(); ++t) {
      const double steps =
          std::floor(static_cast<double>(t) / number("rope.scaling.original_context_length", 0));
      for (double& value : q[t])
        value *= 1 + number("attention.temperature_scale", 0) * std::log(1 + steps);
    }
  return linear(attend(q, k, v, local), blk + "attn_output");
}

double Reference::activation(double x) const {
  if (arch_ == "nemotron") return x > 0 ? x * x : 0;
  const bool gelu =
      layer_norm_ ? !is({"stablelm", "command-r", "cohere2"}) : is({"gemma", "gemma2", "gemma3"});
  if (!gelu) return x / (1 + std::exp(-x));
  return 0.5 * x * (1 + std::tanh(std::sqrt(2 / std::numbers::pi) * (x + 0.044715 * x * x * x)));
}

Rows Reference::feed_forward(const Rows& h, const std::string& blk,
                             const std::string& suffix) const {
  Rows up = linear(h, blk + "ffn_up" + suffix);
  if (has(blk + "ffn_gate" + suffix + ".weight")) {
    const Rows gate = linear(h, blk + "ffn_gate" + suffix);
    for (std::size_t t = 0; t < up.size(); ++t)
      for (std::size_t i = 0; i < up[t].size(); ++i) up[t][i] *= activation(gate[t][i]);
  } else if (is({"phi3", "chatglm", "glm4"})) {
    const std::size_t half = up[0].size() / 2;
    for (Row& row : up) {
      for (std::size_t i = 0; i < half; ++i) row[i] = activation(row[i]) * row[half + i];
      row.resize(half);
    }
  } else {
    for (Row& row : up)
      for (double& value : row) value = activation(value);
  }
  return linear(up, blk + "ffn_down" + suffix);
}

// Each token's best experts, weighted by their softmax.
Rows Reference::experts(const Rows& h, const std::string& blk) const {
  const auto n = static_cast<std::size_t>(integer("expert_count", 0));
  const auto n_used = static_cast<std::size_t>(integer("expert_used_count", 0));
  const Rows scores = linear(h, blk + "ffn_gate_inp");
  const std::vector<float> gate = values(blk + "ffn_gate_exps.weight");
  const std::vector<float> up = values(blk + "ffn_up_exps.weight");
  const std::vector<float> down = values(blk + "ffn_down_exps.weight");
  const std::size_t width = h[0].size(), ffn = gate.size() / n / width;
  Rows out;
  for (std::size_t t = 0; t < h.size(); ++t) {
    const Row share = softmax(scores[t]);
    std::vector<std::size_t> order(n);
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return share[a] > share[b]; });
    order.resize(n_used);
    double sum = 0;
    for (std::size_t e : order) sum += share[e];
    if (is({"qwen2moe", "olmoe", "deepseek"})) sum = 1;
    Row& row = out.emplace_back(width, 0);
    for (std::size_t e : order) {
      Row inner = product(up, e * ffn, ffn, h[t]);
      const Row g = product(gate, e * ffn, ffn, h[t]);
      for (std::size_t i = 0; i < ffn; ++i) inner[i] *= activation(g[i]);
      const Row y = product(down, e * width, width, inner);
      for (std::size_t i = 0; i < width; ++i) row[i] += share[e] / sum * y[i];
    }
  }
  return out;
}

// The experts and, where there is one, the expert that every token shares.
Rows Reference::mixture(const Rows& h, const std::string& blk) const {
  Rows out = experts(h, blk);
  if (!has(blk + "ffn_up_shexp.weight")) return out;
  Rows shared = feed_forward(h, blk, "_shexp");
  if (has(blk + "ffn_gate_inp_shexp.weight")) {
    const Rows score = linear(h, blk + "ffn_gate_inp_shexp");
    for (std::size_t t = 0; t < h.size(); ++t)
      for (double& value : shared[t]) value /= 1 + std::exp(-score[t][0]);
  }
  return add(out, shared);
}

void Reference::run_layer(Rows& x, std::size_t layer) const {
  const std::string blk = "blk." + std::to_string(layer) + ".";
  double residual_scale =
      is({"granite", "granitemoe", "minicpm"}) ? number("residual_scale", 1) : 1;
  if (residual_scale == 0) residual_scale = 1;

  const Rows h = has(blk + "attn_norm.weight") ? norm(x, blk + "attn_norm") : x;
  Rows a = attention(has(blk + "attn_norm_2.weight") ? norm(x, blk + "attn_norm_2") : h, layer);
  if (has(blk + "post_attention_norm.weight")) a = norm(a, blk + "post_attention_norm");
  const Rows attended = add(x, times(a, residual_scale));

  Rows f;
  if (is({"phi2", "falcon", "command-r", "cohere2"}) ||
      (arch_ == "stablelm" && !has(blk + "ffn_norm.weight")))
    f = h;  // side by side with attention, on the same norm
  else if (arch_ == "gptneox" && flag("use_parallel_residual", true))
    f = norm(x, blk + "ffn_norm");  // side by side, on its own norm
  else if (has(blk + "ffn_norm.weight"))
    f = norm(attended, blk + "ffn_norm");
  else
    f = attended;
  f = has(blk + "ffn_gate_inp.weight") ? mixture(f, blk) : feed_forward(f, blk, "");
  if (has(blk + "post_ffw_norm.weight")) f = norm(f, blk + "post_ffw_norm");
  x = add(attended, times(f, residual_scale));
}

Rows Reference::logits(std::span<const std::int32_t> ids) {
  Rows x = embed(ids);
  for (std::size_t layer = 0; layer < n_layers_; ++layer) run_layer(x, layer);
  x = linear(norm(x, "output_norm"), has("output.weight") ? "output" : "token_embd");
  if (is({"granite", "granitemoe", "minicpm"})) x = times(x, 1 / number("logit_scale", 1));
  if (is({"command-r", "cohere2"})) x = times(x, number("logit_scale", 1));
  const double cap = arch_ == "gemma2" ? number("final_logit_softcapping", 30)
                                       : number("final_logit_softcapping", 0);
  if (cap > 0)
    for (Row& row : x)
      for (double& value : row) value = cap * std::tanh(value / cap);
  return x;
}

}  // namespace

std::vector<std::vector<double>> reference_logits(const GgufFile& file,
                                                  std::span<const std::int32_t> ids,
                                                  std::int64_t n_context) {
  return Reference(file, n_context).logits(ids);
}

std::vector<std::int32_t> reference_greedy(const GgufFile& file, std::vector<std::int32_t> ids,
                                           int n) {
  std::vector<std::int32_t> made;
  for (int i = 0; i < n; ++i) {
    const Row last = reference_logits(file, ids).back();
    made.push_back(
        static_cast<std::int32_t>(std::max_element(last.begin(), last.end()) - last.begin()));
    ids.push_back(made.back());
  }
  return made;
}

}  // namespace galley::test
