// How much scratch memory the attention kernels need, whatever the instruction set.
#include "kernels/kernels.h"

namespace galley::kernels {

std::size_t attention_scratch_bytes(std::int64_t n_heads, std::int64_t n_kv_heads,
                                    std::int64_t head_size_k, std::int64_t head_size_v,
                                    std::int64_t tokens) {
  static_cast<void>(n_heads);
  static_cast<void>(n_kv_heads);
  static_cast<void>(tokens);
  const std::int64_t larger = head_size_k > head_size_v ? head_size_k : head_size_v;
  return static_cast<std::size_t>(larger + head_size_v) * sizeof(float);
}

}  // namespace galley::kernels
