#include "kernels/attention.h"

#include "kernels/avx512/attention_inner.h"

namespace galley::kernels::avx512 {

void attention(const AttentionArgs& args, Part part) {
  attention_in_tiles(
      args, part, AttentionInner{8, 16, load, load_turned, load_paired, round_query, score, weigh});
}

}  // namespace galley::kernels::avx512
