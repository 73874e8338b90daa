#include "kernels/avx2/matmul_float.h"
#include "kernels/avxvnni/block_isa.h"
#include "kernels/avxvnni/row_isa.h"
#include "kernels/matmul_of_type.h"

namespace galley::kernels::avxvnni {

void matmul(const MatmulArgs& args, Part part) {
  matmul_of_type<BlockIsa, RowIsa>(args, part, avx2::matmul_float);
}

}  // namespace galley::kernels::avxvnni
