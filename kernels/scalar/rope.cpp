// Rotary position embedding: docs/rope.md.
#include "kernels/kernels.h"
#include "kernels/scalar/math.h"
#include "kernels/scalar/rotate.h"
#include "kernels/share.h"

namespace galley::kernels::scalar {

void rope_table(const RopeTableArgs& args, Part part) {
  const Range tokens = share(args.tokens, part);
  for (std::int64_t token = tokens.begin; token < tokens.end; ++token) {
    float* row = args.table + token * args.n_rotated;
    for (std::int64_t i = 0; i < args.n_rotated / 2; ++i) {
      const SinCos turn = sincos(args.positions[token] * args.frequencies[i]);
      row[2 * i] = static_cast<float>(turn.cos * static_cast<double>(args.scale));
      row[2 * i + 1] = static_cast<float>(turn.sin * static_cast<double>(args.scale));
    }
  }
}

void rope(const RopeArgs& args, Part part) {
  const Range rows = share(args.tokens * args.heads, part);
  const std::int64_t pairs = args.n_rotated / 2;
  for (std::int64_t row = rows.begin; row < rows.end; ++row) {
    const std::int64_t token = row / args.heads;
    const std::int64_t offset = row % args.heads * args.head_size;
    const float* x = args.x + token * args.x_stride + offset;
    const float* table = args.table + token * args.n_rotated;
    float* y = args.y + token * args.y_stride + offset;
    for (std::int64_t i = 0; i < pairs; ++i) {
      const RopePair pair = rope_pair(args.layout, i, pairs);
      const float cos = table[2 * i];
      const float sin = table[2 * i + 1];
      const float a = x[pair.first];
      const float b = x[pair.second];
      y[pair.first] = rotated_first(a, b, cos, sin);
      y[pair.second] = rotated_second(a, b, cos, sin);
    }
    for (std::int64_t i = args.n_rotated; i < args.head_size; ++i) y[i] = x[i];
  }
}

}  // namespace galley::kernels::scalar
