// Steps 1 to 4: plain C++.
#include <algorithm>
#include <cmath>

#include "bench/ladder/ladder.h"
#include "tensor/half.h"

namespace galley::ladder {
namespace {

// Code j of a block, 0 to 15; it stands for the value d * (code - 8).
int code(const BlockQ4_0& block, std::int64_t j) {
  return j < 16 ? block.qs[j] & 15 : block.qs[j - 16] >> 4;
}

// The weights of a row as floats.
void dequantize(const BlockQ4_0* blocks, std::int64_t cols, float* out) {
  for (std::int64_t b = 0; b < cols / 32; ++b) {
    const float d = half_to_float(blocks[b].d);
    for (std::int64_t j = 0; j < 32; ++j) {
      out[32 * b + j] = d * static_cast<float>(code(blocks[b], j) - 8);
    }
  }
}

}  // namespace

// ---- 1: the formula, word for word -----------------------------------------------------------

void triple_loop(const Product& p) {
  for (std::int64_t t = 0; t < p.tokens; ++t) {
    for (std::int64_t r = 0; r < p.rows; ++r) {
      float sum = 0;
      for (std::int64_t c = 0; c < p.cols; ++c) {
        const BlockQ4_0& block = p.w[(r * p.cols + c) / 32];
        const float weight = half_to_float(block.d) * static_cast<float>(code(block, c % 32) - 8);
        sum += weight * p.x[t * p.cols + c];
      }
      p.y[t * p.rows + r] = sum;
    }
  }
}

// ---- 2: each weight is dequantized once, not once per token ------------------------------------

void row_once(const Product& p) {
  for (std::int64_t r = 0; r < p.rows; ++r) {
    dequantize(p.w + r * p.cols / 32, p.cols, p.row);
    for (std::int64_t t = 0; t < p.tokens; ++t) {
      float sum = 0;
      for (std::int64_t c = 0; c < p.cols; ++c) sum += p.row[c] * p.x[t * p.cols + c];
      p.y[t * p.rows + r] = sum;
    }
  }
}

// ---- 3: eight sums, so that no addition waits for the one before --------------------------------

void eight_sums(const Product& p) {
  for (std::int64_t r = 0; r < p.rows; ++r) {
    dequantize(p.w + r * p.cols / 32, p.cols, p.row);
    for (std::int64_t t = 0; t < p.tokens; ++t) {
      const float* x = p.x + t * p.cols;
      float sum[8] = {};
      for (std::int64_t c = 0; c < p.cols; c += 8) {
        for (std::int64_t i = 0; i < 8; ++i) sum[i] += p.row[c + i] * x[c + i];
      }
      p.y[t * p.rows + r] =
          ((sum[0] + sum[4]) + (sum[2] + sum[6])) + ((sum[1] + sum[5]) + (sum[3] + sum[7]));
    }
  }
}

// ---- 4: activations as int8: products of small integers, one float step per 32 ------------------

void quantize_activations(const Product& p) {
  for (std::int64_t b = 0; b < p.tokens * p.cols / 32; ++b) {
    const float* x = p.x + 32 * b;
    float largest = 0;
    for (std::int64_t j = 0; j < 32; ++j) largest = std::max(largest, std::abs(x[j]));
    XBlock& out = p.xq[b];
    out.d = largest / 127;
    out.sum = 0;
    for (std::int64_t j = 0; j < 32; ++j) {
      out.q[j] = largest > 0 ? static_cast<std::int8_t>(std::lrint(x[j] / out.d)) : std::int8_t{0};
      out.sum += out.q[j];
    }
  }
}

void int8_blocks(const Product& p) {
  quantize_activations(p);
  const std::int64_t n_blocks = p.cols / 32;
  for (std::int64_t r = 0; r < p.rows; ++r) {
    const BlockQ4_0* w = p.w + r * n_blocks;
    for (std::int64_t t = 0; t < p.tokens; ++t) {
      const XBlock* x = p.xq + t * n_blocks;
      float sum = 0;
      for (std::int64_t b = 0; b < n_blocks; ++b) {
        std::int32_t integers = -8 * x[b].sum;
        for (std::int64_t j = 0; j < 16; ++j) {
          integers += (w[b].qs[j] & 15) * x[b].q[j] + (w[b].qs[j] >> 4) * x[b].q[j + 16];
        }
        sum += static_cast<float>(integers) * (half_to_float(w[b].d) * x[b].d);
      }
      p.y[t * p.rows + r] = sum;
    }
  }
}

}  // namespace galley::ladder
