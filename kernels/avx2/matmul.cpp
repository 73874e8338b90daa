#include "kernels/avx2/block_isa.h"
#include "kernels/avx2/matmul_float.h"
#include "kernels/avx2/row_isa.h"
#include "kernels/matmul_of_type.h"

namespace galley::kernels::avx2 {

void matmul(const MatmulArgs& args, Part part) {
  matmul_of_type<BlockIsa, RowIsa>(args, part, matmul_float);
}

}  // namespace galley::kernels::avx2
