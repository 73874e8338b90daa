// The kernels that have no avx512 code of their own yet run the scalar ones.
#include "kernels/kernels.h"

namespace galley::kernels::avx512 {

void attention(const AttentionArgs& args, Part part) { scalar::attention(args, part); }

}  // namespace galley::kernels::avx512
