#include "kernels/attention.h"

#include "kernels/avx2/attention_inner.h"

namespace galley::kernels::avx2 {

void attention(const AttentionArgs& args, Part part) {
  attention_in_tiles(
      args, part, AttentionInner{4, 8, load, load_turned, load_paired, round_query, score, weigh});
}

}  // namespace galley::kernels::avx2
