#include "tensor/quantize_search.h"

#include <cmath>

namespace galley {
namespace {

// Rounds of alternating between nearest integers and least squares, after the best start.
constexpr int kMaxRounds = 4;

// For the integers that `inverse_scale` gives: how well they can do, and with which scale.
struct ScaleTrial {
  float gain = 0.0f;  // sum of squares that scale * q explains: the error is sum(w^2) - gain
  float scale = 0.0f;
};

ScaleTrial try_scale(std::span<const float> values, float inverse_scale, int lo, int hi) {
  float sum_wq = 0.0f;
  float sum_qq = 0.0f;
  for (const float w : values) {
    const auto q = static_cast<float>(round_to_range(w * inverse_scale, lo, hi));
    sum_wq += w * q;
    sum_qq += q * q;
  }
  if (sum_qq == 0.0f) return {};
  return {sum_wq * sum_wq / sum_qq, sum_wq / sum_qq};
}

// The same for scale * q + offset.
struct OffsetTrial {
  float error = 0.0f;  // sum of squared differences
  ScaleAndOffset fit = {};
};

OffsetTrial try_offset(std::span<const float> values, ScaleAndOffset start, int q_max,
                       float max_offset) {
  const float inverse_scale = inverse(start.scale);
  const auto n = static_cast<float>(values.size());
  float sum_w = 0.0f;
  float sum_q = 0.0f;
  float sum_wq = 0.0f;
  float sum_qq = 0.0f;
  int q[32] = {};
  for (std::size_t i = 0; i < values.size(); ++i) {
    const float w = values[i];
    q[i] = round_to_range((w - start.offset) * inverse_scale, 0, q_max);
    const auto level = static_cast<float>(q[i]);
    sum_w += w;
    sum_q += level;
    sum_wq += w * level;
    sum_qq += level * level;
  }
  ScaleAndOffset fit = start;
  const float determinant = n * sum_qq - sum_q * sum_q;
  if (determinant > 0.0f) {
    fit.scale = (n * sum_wq - sum_w * sum_q) / determinant;
    fit.offset = (sum_qq * sum_w - sum_q * sum_wq) / determinant;
    if (fit.offset > max_offset) {
      fit.offset = max_offset;
      fit.scale = (sum_wq - max_offset * sum_q) / sum_qq;
    }
    fit.scale = std::max(fit.scale, 0.0f);
  }
  float error = 0.0f;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const float difference = fit.scale * static_cast<float>(q[i]) + fit.offset - values[i];
    error += difference * difference;
  }
  return {error, fit};
}

}  // namespace

std::uint16_t to_finite_half(float value) {
  constexpr float kLargest = 65504.0f;
  return float_to_half(std::min(std::max(-kLargest, value), kLargest));
}

float squared_error(std::span<const float> values, float scale, float offset, int lo, int hi) {
  const float inverse_scale = inverse(scale);
  float error = 0.0f;
  for (const float w : values) {
    const int q = round_to_range((w - offset) * inverse_scale, lo, hi);
    const float difference = w - (scale * static_cast<float>(q) + offset);
    error += difference * difference;
  }
  return error;
}

float fit_scale(std::span<const float> values, int lo, int hi) {
  float extreme = 0.0f;
  for (const float w : values) {
    if (std::fabs(w) > std::fabs(extreme)) extreme = w;
  }
  if (std::fabs(extreme) < 1e-30f) return 0.0f;

  ScaleTrial best;
  const auto consider = [&](float inverse_scale) {
    const ScaleTrial trial = try_scale(values, inverse_scale, lo, hi);
    if (trial.gain <= best.gain) return false;
    best = trial;
    return true;
  };
  // The largest value lands on the lowest level, or around it.
  for (int tenth = -10; tenth <= 15; ++tenth) {
    consider((static_cast<float>(lo) + 0.1f * static_cast<float>(tenth)) / extreme);
  }
  for (int round = 0; round < kMaxRounds && consider(inverse(best.scale)); ++round) {
  }
  return best.scale;
}

ScaleAndOffset fit_scale_and_offset(std::span<const float> values, int q_max, float max_offset) {
  float low = max_offset;
  float high = -INFINITY;
  for (const float w : values) {
    low = std::min(low, w);
    high = std::max(high, w);
  }
  if (high <= low) return {0.0f, low};
  OffsetTrial best = {INFINITY, {}};
  const auto consider = [&](ScaleAndOffset start) {
    const OffsetTrial trial = try_offset(values, start, q_max, max_offset);
    if (trial.error >= best.error) return false;
    best = trial;
    return true;
  };
  // The range of values covers the levels, or up to one more or less.
  for (int tenth = -10; tenth <= 10; ++tenth) {
    const float levels = static_cast<float>(q_max) + 0.1f * static_cast<float>(tenth);
    consider({(high - low) / levels, low});
  }
  for (int round = 0; round < kMaxRounds && consider(best.fit); ++round) {
  }
  return best.fit;
}

}  // namespace galley
