// What several architectures share: tensor names, the angles of RoPE, the output matrix.
#include <algorithm>
#include <cmath>
#include <numbers>
#include <span>

#include "model/architectures/builders.h"

namespace galley {
namespace {

// YaRN's defaults (Peng et al. 2023, section 3.4): pairs that turn more than kBetaFast times
// within the original context keep their frequency, those under kBetaSlow turns are divided.
constexpr double kBetaFast = 32;
constexpr double kBetaSlow = 1;

double positive_or(const Metadata& meta, std::string_view key, double fallback) {
  const double value = meta.float_or(key, fallback);
  if (!(value > 0)) meta.fail(key, "is " + std::to_string(value) + ", expected more than 0");
  return value;
}

// How often the angles advance slower than trained: 1 for none.
double scaling_factor(const Metadata& meta) {
  const std::string_view key =
      meta.has("rope.scaling.factor") ? "rope.scaling.factor" : "rope.scale_linear";
  const double factor = meta.float_or(key, 1);
  if (factor < 0) meta.fail(key, "is negative, expected a positive number");
  return factor == 0 ? 1 : factor;  // some converters write 0 for "none"
}

// The pair whose angle turns `turns` times in `n_context` positions (a fraction: it lies between
// two pairs), from base^(-2 pair / n_rotated) * n_context = 2 pi turns.
double pair_that_turns(double turns, std::int64_t n_rotated, double base, std::int64_t n_context) {
  return static_cast<double>(n_rotated) *
         std::log(static_cast<double>(n_context) / (turns * 2 * std::numbers::pi)) /
         (2 * std::log(base));
}

// What YaRN multiplies cos and sin by (Peng et al. 2023, equation 22), with DeepSeek's weight.
double yarn_magnitude(double factor, double weight) {
  return factor > 1 ? 1 + 0.1 * weight * std::log(factor) : 1;
}

// Peng et al. 2023, equations 19 to 21: fast pairs as they are, slow ones divided by `factor`, a
// ramp between. Larger cos and sin sharpen the scores; a file whose scores are scaled elsewhere
// takes that back by its yarn_log_multiplier.
void apply_yarn(RopeSpec& spec, const Metadata& meta, double base, double factor,
                std::int64_t n_context) {
  const double fast = positive_or(meta, "rope.scaling.yarn_beta_fast", kBetaFast);
  const double slow = positive_or(meta, "rope.scaling.yarn_beta_slow", kBetaSlow);
  const std::int64_t n = spec.n_rotated;
  const double low = std::max(0.0, std::floor(pair_that_turns(fast, n, base, n_context)));
  const double high =
      std::min(static_cast<double>(n - 1), std::ceil(pair_that_turns(slow, n, base, n_context)));
  for (std::size_t i = 0; i < spec.frequencies.size(); ++i) {
    const double ramp = (static_cast<double>(i) - low) / std::max(0.001, high - low);
    const double divided = std::clamp(ramp, 0.0, 1.0);  // the share of the divided frequency
    spec.frequencies[i] *= divided / factor + (1 - divided);
  }
  const double elsewhere = meta.float_or("rope.scaling.yarn_log_multiplier", 0);
  spec.scale *= static_cast<float>(yarn_magnitude(factor, 1) / yarn_magnitude(factor, elsewhere));
}

// frequencies[i] / factors[i] for the stored factors `tensor` [n_rotated / 2].
std::vector<double> divided_by(const std::vector<double>& frequencies, const Tensor& tensor,
                               const Metadata& meta) {
  const std::span<const float> factors(reinterpret_cast<const float*>(tensor.data),
                                       frequencies.size());
  std::vector<double> result(frequencies);
  for (std::size_t i = 0; i < result.size(); ++i) {
    if (!(std::isfinite(factors[i]) && factors[i] > 0))
      throw bad_model(meta.file().path(),
                      "tensor '" + tensor.name + "' has the value " + std::to_string(factors[i]) +
                          " at " + std::to_string(i) + ", expected finite numbers above 0");
    result[i] /= static_cast<double>(factors[i]);
  }
  return result;
}

// Factors that the file stores for each pair: one set (Llama 3.1), or one for short and one for
// long contexts (long-rope, Ding et al. 2024).
void apply_stored_factors(RopeSpec& spec, const Metadata& meta, Weights& w,
                          std::int64_t n_context) {
  const std::int64_t n = spec.n_rotated / 2;
  const Tensor* all = w.values_or_null("rope_freqs.weight", n);
  const Tensor* brief = w.values_or_null("rope_factors_short.weight", n);
  const Tensor* extended = w.values_or_null("rope_factors_long.weight", n);
  if ((brief == nullptr) != (extended == nullptr))
    throw bad_model(meta.file().path(),
                    "of the tensors 'rope_factors_short.weight' and 'rope_factors_long.weight' "
                    "one is missing, expected both or none");
  if (all) {
    spec.frequencies = divided_by(spec.frequencies, *all, meta);
  } else if (brief) {
    spec.long_frequencies = divided_by(spec.frequencies, *extended, meta);
    spec.frequencies = divided_by(spec.frequencies, *brief, meta);
    spec.long_context = n_context;
  }
}

}  // namespace

std::string block_tensor(int layer, const std::string& suffix) {
  return "blk." + std::to_string(layer) + "." + suffix;
}

double rope_base(const Metadata& meta) { return positive_or(meta, "rope.freq_base", 10000); }

double window_rope_base(const Metadata& meta, double fallback) {
  return positive_or(meta, "rope.freq_base_swa", fallback);
}

RopeSpec plain_rope(std::int64_t n_rotated, double base, RopeLayout layout) {
  RopeSpec spec;
  spec.layout = layout;
  spec.n_rotated = n_rotated;
  for (std::int64_t i = 0; i < n_rotated; i += 2)
    spec.frequencies.push_back(
        std::pow(base, -static_cast<double>(i) / static_cast<double>(n_rotated)));
  return spec;
}

RopeSpec read_rope(const Config& c, const Metadata& meta, Weights& w, RopeLayout layout) {
  const std::int64_t n_rotated =
      meta.int_or("rope.dimension_count", c.head_size_k, 2, c.head_size_k);
  if (n_rotated % 2 != 0)
    meta.fail(meta.has("rope.dimension_count") ? "rope.dimension_count" : "attention.key_length",
              "is " + std::to_string(n_rotated) + ", expected an even number");
  const double base = rope_base(meta);
  const std::int64_t n_context = meta.int_or("rope.scaling.original_context_length",
                                             c.n_context_train, 1, std::int64_t{1} << 31);

  RopeSpec spec = plain_rope(n_rotated, base, layout);
  spec.scale = static_cast<float>(positive_or(meta, "rope.scaling.attn_factor", 1));
  apply_stored_factors(spec, meta, w, n_context);
  // Files older than the key that names the kind of scaling use the linear one.
  const std::string kind = meta.string_or("rope.scaling.type", "linear");
  const double factor = scaling_factor(meta);
  if (kind == "linear") {
    for (double& frequency : spec.frequencies) frequency /= factor;
    for (double& frequency : spec.long_frequencies) frequency /= factor;
  } else if (kind == "yarn") {
    apply_yarn(spec, meta, base, factor, n_context);
  } else if (kind != "none" && kind != "longrope") {
    meta.fail("rope.scaling.type", "is '" + kind + "', expected none, linear, yarn or longrope");
  }
  spec.long_scale = spec.scale;
  return spec;
}

std::vector<bool> windowed_layers(const Config& c, const Metadata& meta,
                                  std::int64_t default_period) {
  constexpr std::string_view kKey = "attention.sliding_window_pattern";
  const GgufValue* value = meta.file().find(meta.full_key(kKey));
  const auto* flags = value ? std::get_if<GgufArray>(&value->value) : nullptr;
  std::vector<bool> windowed;
  if (flags) {
    const bool is_integer = flags->strings.empty() && flags->element_type != GgufType::kFloat32 &&
                            flags->element_type != GgufType::kFloat64 &&
                            flags->element_type != GgufType::kArray;
    if (!is_integer || flags->count < static_cast<std::uint64_t>(c.n_layers))
      meta.fail(kKey, "is an array, but not of one flag for each of the " +
                          std::to_string(c.n_layers) + " layers");
    for (std::int64_t i = 0; i < c.n_layers; ++i)
      windowed.push_back(flags->as_int(static_cast<std::uint64_t>(i)) != 0);
  } else {
    const std::int64_t period = meta.int_or(kKey, default_period, 1, c.n_layers + default_period);
    for (std::int64_t i = 0; i < c.n_layers; ++i) windowed.push_back((i + 1) % period != 0);
  }
  return windowed;
}

std::int64_t sliding_window(const Metadata& meta, std::int64_t fallback) {
  return meta.int_or("attention.sliding_window", fallback, 0, kMaxWindow);
}

std::int64_t expert_width(const Config& c, const Metadata& meta) {
  check_experts(meta);
  return meta.int_or("expert_feed_forward_length", c.ffn_width / c.n_experts_used, 1, kMaxFfnWidth);
}

void check_experts(const Metadata& meta) {
  if (!meta.has("expert_count") || meta.need_int("expert_count", 0, kMaxFfnWidth) == 0)
    meta.fail("expert_count", "is missing or 0, but this architecture has experts");
}

const Tensor& output_matrix(const Config& c, Weights& w) {
  const char* name = w.has("output.weight") ? "output.weight" : "token_embd.weight";
  return w.matrix(name, c.n_vocab, c.width);
}

}  // namespace galley
